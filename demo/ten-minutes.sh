#!/usr/bin/env bash
# Replays the tutorial on a fresh directory, from `plugin new` to a sync that uses the strategy, and prints how
# long each step took. Arguments, if any, are the kind and the language: change-detector javascript, for example.
#
# The server is the development SQL Server of this repository, in memory, on a random port. ICEHOST_BIN is where
# icehost, icehost-devserver and icehost-sql are, if they are not to be built.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:-change-detector} language=${2:-rust}

. demo/programs.sh
. demo/server.sh
sql master "CREATE DATABASE Shop"
sql Shop "CREATE TABLE dbo.Orders (Id int NOT NULL PRIMARY KEY, Version bigint NOT NULL, Email nvarchar(50) NULL, Changed datetime2 NOT NULL)"
sql Shop "INSERT INTO dbo.Orders SELECT value, value, CONCAT(N'c', value, N'@example.com'), '2026-01-01' FROM GENERATE_SERIES(1, 1000)"

cd "$work"
started=$(date +%s%N)
step() { # what, command…
  local from to what
  from=$(date +%s%N)
  what=$1
  shift
  "$@" >step.out 2>&1 || fail "$what: $(cat step.out)"
  to=$(date +%s%N)
  printf '%-14s %6.1f s\n' "$what" "$(((to - from) / 100000000))e-1"
}
rows() { grep -o '"rows_extracted":[0-9]*' step.out | grep -o '[0-9]*$'; }
sync=("$programs/icehost" sync --source "mssql://sa:$ICEHOST_DEVSERVER_PASSWORD@$server/Shop?trust_server_certificate=true"
  --table dbo.Orders --warehouse lake --lake-table demo.orders --output json)
case $kind in
change-detector) sync+=(--strategy ./made.wasm --strategy-option column=Version --merge upsert) ;;
merger) sync+=(--strategy timestamp --merge ./made.wasm) ;;
batch-transformer) sync+=(--strategy timestamp --merge upsert --transform ./made.wasm --transform-option column=Email) ;;
*) fail "there is no kind '$kind'" ;;
esac

step "plugin new" "$programs/icehost" plugin new made --kind "$kind" --lang "$language"
step "plugin test" "$programs/icehost" plugin test made
step "plugin build" "$programs/icehost" plugin build made
step "first sync" "${sync[@]}"
[ "$(rows)" -eq 1000 ] || fail "the first sync read $(rows) rows, not 1000"
sql Shop "UPDATE dbo.Orders SET Version = Version + 1000, Changed = '2026-01-02' WHERE Id <= 25"
step "second sync" "${sync[@]}"
[ "$(rows)" -eq 25 ] || fail "the second sync read $(rows) rows, not 25"
printf 'from nothing to a strategy that syncs: %.1f s\n' "$((($(date +%s%N) - started) / 100000000))e-1"
