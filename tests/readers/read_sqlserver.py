"""Dumps a SQL Server table, as python-tds reads it, in the form that canonical.py describes.

Column types get the names of the Iceberg types that hold them. Times of 100 ns are cut to the
microsecond, and datetime's 1/300 s is rounded to the millisecond, as SQL Server itself shows it.
"""

import argparse
import decimal

import canonical
import pytds

TYPE_NAMES = {
    "bit": "boolean",
    "tinyint": "int",
    "smallint": "int",
    "int": "int",
    "bigint": "long",
    "money": "decimal(19,4)",
    "smallmoney": "decimal(10,4)",
    "real": "float",
    "float": "double",
    "char": "string",
    "varchar": "string",
    "nchar": "string",
    "nvarchar": "string",
    "sysname": "string",
    "binary": "binary",
    "varbinary": "binary",
    "timestamp": "binary",
    "rowversion": "binary",
    "date": "date",
    "time": "time",
    "datetime": "timestamp",
    "smalldatetime": "timestamp",
    "datetime2": "timestamp",
    "datetimeoffset": "timestamptz",
    "uniqueidentifier": "uuid",
}

COLUMNS = """
SELECT c.name, t.name, c.precision, c.scale, c.collation_name
FROM sys.columns AS c
JOIN sys.types AS t ON t.user_type_id = c.user_type_id
WHERE c.object_id = OBJECT_ID(%s)
ORDER BY c.column_id
"""


def quoted(name: str) -> str:
    return f"[{name.replace(']', ']]')}]"


def selected(name: str, collation: str | None) -> str:
    """python-tds takes text of a UTF-8 collation for its language's code page, so the server is asked for Unicode."""
    utf8 = collation is not None and collation.upper().endswith("_UTF8")
    return f"CAST({quoted(name)} AS nvarchar(max))" if utf8 else quoted(name)


def type_name(name: str, precision: int, scale: int) -> str:
    return f"decimal({precision},{scale})" if name in ("decimal", "numeric") else TYPE_NAMES[name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("user")
    parser.add_argument("password")
    parser.add_argument("--database", required=True)
    parser.add_argument("--schema", default="dbo")
    parser.add_argument("--table", required=True, help="the bare name, without quotes")
    parser.add_argument("--columns", nargs="+", help="only these columns, in this order")
    arguments = parser.parse_args()

    # python-tds makes money by a division in the current decimal context
    decimal.getcontext().prec = 38
    table = f"{quoted(arguments.schema)}.{quoted(arguments.table)}"
    with pytds.connect(
        dsn=arguments.host,
        port=arguments.port,
        user=arguments.user,
        password=arguments.password,
        database=arguments.database,
        autocommit=True,
    ) as connection:
        cursor = connection.cursor()
        cursor.execute(COLUMNS, (table,))
        described = cursor.fetchall()
        types = {name: type_name(*rest) for name, *rest, _ in described}
        forms = {name: selected(name, collation) for name, *_, collation in described}
        if not types:
            parser.exit(1, f"error: no table {table} in database {arguments.database}\n")
        columns = [(name, types[name]) for name in arguments.columns or types]
        cursor.execute(f"SELECT {', '.join(forms[name] for name, _ in columns)} FROM {table}")
        canonical.dump(columns, cursor.fetchall())


if __name__ == "__main__":
    main()
