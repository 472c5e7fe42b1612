#!/usr/bin/env bash
# Runs every type through tsql, FreeTDS's command line: HOST PORT USER PASSWORD [DATABASE]
#
# tsql shows dates and times to the minute only, so all their digits are compared by the server, with
# parameters of sp_executesql.
set -euo pipefail

if (($# < 4)); then
    echo "usage: client_tsql.sh HOST PORT USER PASSWORD [DATABASE]" >&2
    exit 2
fi
host=$1 port=$2 user=$3 password=$4 database=${5:-master}

repeat() {
    local i
    for ((i = 0; i < $2; i++)); do printf '%s' "$1"; done
}
long_text=$(repeat 'héllo 🦀 ' 1000)
long_binary=$(repeat 00ff7f80 25600)
table='dbo.[client tsql]'

# A statement is one line here; `go` sends it.
statements() {
    cat <<SQL
IF OBJECT_ID(N'$table') IS NOT NULL DROP TABLE $table
go
CREATE TABLE $table (id int NOT NULL PRIMARY KEY, c_bit bit, c_tinyint tinyint, c_smallint smallint, c_int int, c_bigint bigint, c_decimal decimal(38,10), c_numeric numeric(18,2), c_money money, c_smallmoney smallmoney, c_real real, c_float float, c_char char(8), c_varchar varchar(40), c_nchar nchar(6), c_nvarchar nvarchar(40), c_varchar_max varchar(max), c_nvarchar_max nvarchar(max), c_binary binary(4), c_varbinary varbinary(40), c_varbinary_max varbinary(max), c_date date, c_time time(7), c_datetime datetime, c_smalldatetime smalldatetime, c_datetime2 datetime2(7), c_datetimeoffset datetimeoffset(7), c_uniqueidentifier uniqueidentifier, c_rowversion rowversion)
go
INSERT INTO $table (id) VALUES (0)
go
INSERT INTO $table (id, c_bit, c_tinyint, c_smallint, c_int, c_bigint, c_decimal, c_numeric, c_money, c_smallmoney, c_real, c_float, c_char, c_varchar, c_nchar, c_nvarchar, c_varchar_max, c_nvarchar_max, c_binary, c_varbinary, c_varbinary_max, c_date, c_time, c_datetime, c_smalldatetime, c_datetime2, c_datetimeoffset, c_uniqueidentifier) VALUES (1, 1, 255, -32768, -2147483648, -9223372036854775808, -9999999999999999999999999999.9999999999, -9999999999999999.99, -922337203685477.5808, -214748.3648, 0.5, -1.5, 'abc', 'it''s naïve', N'日本', N'Zoë 🦀 𝄞', 'text', N'$long_text', 0x0001feff, 0x00ff, 0x$long_binary, '2024-02-29', '12:34:56.1234567', '2024-02-29T12:34:56.123', '2024-02-29T12:34:00', '2024-02-29T12:34:56.1234567', '2024-02-29T12:34:56.1234567+05:30', '00112233-4455-6677-8899-aabbccddeeff')
go
EXEC sp_executesql N'INSERT INTO $table (id, c_nvarchar, c_varchar, c_decimal, c_varbinary) VALUES (@id, @text, @empty, @number, @bytes)', N'@id int, @text nvarchar(40), @empty varchar(40), @number decimal(38,10), @bytes varbinary(40)', @id = 2, @text = N'', @empty = '', @number = 0.0000000001, @bytes = 0x00
go
SELECT c_bit, c_tinyint, c_smallint, c_int, c_bigint, c_decimal, c_numeric, c_money, c_smallmoney, c_real, c_float FROM $table ORDER BY id
go
SELECT c_char, c_varchar, c_nchar, c_nvarchar, c_varchar_max, c_binary, c_varbinary, c_uniqueidentifier FROM $table ORDER BY id
go
SELECT c_date, c_time, c_datetime, c_smalldatetime, c_datetime2, c_datetimeoffset FROM $table WHERE id = 0
go
SELECT c_nvarchar_max FROM $table WHERE id = 1
go
SELECT c_varbinary_max FROM $table WHERE id = 1
go
EXEC sp_executesql N'SELECT id FROM $table WHERE c_date = @d AND c_time = @t AND c_datetime = @dt AND c_smalldatetime = @s AND c_datetime2 = @d2 AND c_datetimeoffset = @o', N'@d date, @t time(7), @dt datetime, @s smalldatetime, @d2 datetime2(7), @o datetimeoffset(7)', @d = '2024-02-29', @t = '12:34:56.1234567', @dt = '2024-02-29T12:34:56.123', @s = '2024-02-29T12:34:00', @d2 = '2024-02-29T12:34:56.1234567', @o = '2024-02-29T07:04:56.1234567+00:00'
go
SELECT COUNT(DISTINCT c_rowversion) FROM $table
go
DROP TABLE $table
go
exit
SQL
}

wanted() {
    cat <<TEXT
NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL
1|255|-32768|-2147483648|-9223372036854775808|-9999999999999999999999999999.9999999999|-9999999999999999.99|-922337203685477.5808|-214748.3648|0.5|-1.5
NULL|NULL|NULL|NULL|NULL|0.0000000001|NULL|NULL|NULL|NULL|NULL
NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL
abc     |it's naïve|日本    |Zoë 🦀 𝄞|text|0001feff|00ff|00112233-4455-6677-8899-AABBCCDDEEFF
NULL||NULL||NULL|NULL|00|NULL
NULL|NULL|NULL|NULL|NULL|NULL
$long_text
$long_binary
1
3
TEXT
}

version=$(tsql -C | sed -n 's/.*Version: freetds v//p')
# -o qhf: no prompts' noise, headers or footers; what is not a row is on stderr or a prompt.
found=$(statements | TDSVER=7.4 tsql -H "$host" -p "$port" -U "$user" -P "$password" -D "$database" \
    -J UTF-8 -o qhf -t '|' 2>&1 | grep -v -E '^(locale|using default|Setting|Changed database|$)')

if ! difference=$(diff <(wanted) <(printf '%s\n' "$found")); then
    echo "error: tsql: wanted (<) and found (>) differ:" >&2
    cut -c1-300 <<<"$difference" >&2
    exit 1
fi
checks=$(wanted | tr '|' '\n' | wc -l)
echo "ok tsql $version: $checks checks"
