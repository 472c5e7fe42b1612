#!/usr/bin/env bash
# The demo: a table of 1,000 customers travels from one SQL Server database into an Iceberg table and on
# into a second database; then 100 are added and 25 changed, and just the delta follows.
#
# The server is the development SQL Server of this repository, in memory, on a random port. What is missing to build
# both is installed first (setup.sh). ICEHOST_BIN is where icehost, icehost-devserver and icehost-sql are, if they are
# not to be built.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

[ -n "${ICEHOST_BIN:-}" ] || say "building what is missing"
. demo/programs.sh
. demo/server.sh
warehouse="$work/warehouse"
sync() {
  local started ended
  printf '$ icehost sync --table dbo.Customers --lake-table demo.customers --strategy timestamp --merge upsert …\n'
  started=$(date +%s%N)
  "$programs/icehost" sync \
    --source "mssql://sa:$ICEHOST_DEVSERVER_PASSWORD@$server/IcebergDemo_Source?trust_server_certificate=true" \
    --table dbo.Customers \
    --warehouse "$warehouse" --lake-table demo.customers \
    --target "mssql://sa:$ICEHOST_DEVSERVER_PASSWORD@$server/IcebergDemo_Target?trust_server_certificate=true" \
    --strategy timestamp --strategy-option column=ModifiedDate \
    --merge upsert
  ended=$(date +%s%N)
  printf 'took %d ms\n' $(((ended - started) / 1000000))
}
contents="SELECT CustomerID, Name, Email, CONVERT(varchar(30), Balance), CONVERT(varchar(33), ModifiedDate, 126)
          FROM dbo.Customers ORDER BY CustomerID"
verify() { # expected number of rows
  sql IcebergDemo_Source "$contents" >"$work/source.tsv"
  sql IcebergDemo_Target "$contents" >"$work/target.tsv"
  local rows
  rows=$(wc -l <"$work/target.tsv")
  [ "$rows" -eq "$1" ] || fail "the target has $rows rows, not $1"
  diff "$work/source.tsv" "$work/target.tsv" >"$work/difference" ||
    fail "source and target differ: $(head -5 "$work/difference")"
  printf 'verified: %d rows, source and target are equal in every value\n' "$rows"
}

say "creating IcebergDemo_Source and IcebergDemo_Target"
table="CREATE TABLE dbo.Customers (
  CustomerID int NOT NULL PRIMARY KEY,
  Name nvarchar(100) NOT NULL,
  Email nvarchar(200) NULL,
  Balance money NOT NULL,
  ModifiedDate datetime2(7) NOT NULL)"
for database in IcebergDemo_Source IcebergDemo_Target; do
  sql master "CREATE DATABASE $database"
  sql master "ALTER DATABASE $database SET ALLOW_SNAPSHOT_ISOLATION ON"
  sql "$database" "$table"
done
sql IcebergDemo_Source "INSERT INTO dbo.Customers
  SELECT value, CONCAT(N'Customer ', value), CONCAT('customer', value, '@example.com'),
         CAST(value AS money) / 4, DATEADD(second, value, '2026-01-01')
  FROM GENERATE_SERIES(1, 1000)"

say "first sync: everything"
sync
verify 1000

say "adding 100 customers and changing 25"
sql IcebergDemo_Source "INSERT INTO dbo.Customers
  SELECT value, CONCAT(N'Customer ', value), NULL, CAST(value AS money) / 4, DATEADD(second, value, '2026-02-01')
  FROM GENERATE_SERIES(1001, 1100)"
sql IcebergDemo_Source "UPDATE dbo.Customers
  SET Name = CONCAT(Name, N' (changed)'), ModifiedDate = DATEADD(second, CustomerID, '2026-02-02')
  WHERE CustomerID <= 25"

say "second sync: just the delta"
sync
verify 1100

say "the Iceberg table's snapshots"
"$programs/icehost" snapshots --warehouse "$warehouse" --lake-table demo.customers

say "the stored watermark"
"$programs/icehost" watermark show --warehouse "$warehouse" --lake-table demo.customers

snapshots=$("$programs/icehost" snapshots --warehouse "$warehouse" --lake-table demo.customers --output json |
  grep -o '"snapshot_id"' | wc -l)
[ "$snapshots" -eq 2 ] || fail "the lake has $snapshots snapshots, not 2"
say "done: 1,000 -> 1,100 rows, two snapshots"
