"""Creates the ten AdventureWorks tables in a database of a SQL Server and fills them."""

import argparse
import csv
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pymssql

REPOSITORY = Path(__file__).resolve().parents[2]
QUOTED = ("char", "date", "time", "uniqueidentifier")
# SQL Server takes at most 1,000 rows in one VALUES list
ROWS_PER_INSERT = 500


def quoted(name: str) -> str:
    return ".".join(f"[{part}]" for part in name.split("."))


def literal(text: str, type_name: str) -> str:
    """`text` of the CSV file as a T-SQL literal, exact for every type of these tables."""
    if text == "":
        return "NULL"
    if type_name.startswith("varbinary"):
        return f"0x{text}"
    if any(family in type_name for family in QUOTED):
        escaped = text.replace("'", "''")
        # The form with a T means the same in every language and date format
        return f"N'{escaped.replace(' ', 'T') if type_name.startswith('datetime') else escaped}'"
    return text


def statements(name: str, table: dict, file: Path) -> Iterator[str]:
    """What creates the table and fills it."""
    columns = table["columns"]
    definitions = ", ".join(f"{quoted(column['name'])} {column['type']}" for column in columns)
    key = ", ".join(map(quoted, table["primary_key"]))
    yield f"CREATE TABLE {quoted(name)} ({definitions}, PRIMARY KEY ({key}))"

    has_identity = any("identity" in column["type"] for column in columns)
    if has_identity:
        yield f"SET IDENTITY_INSERT {quoted(name)} ON"
    names = ", ".join(quoted(column["name"]) for column in columns)
    types = [column["type"] for column in columns]
    with file.open(encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines)
        next(reader)
        while batch := list(itertools.islice(reader, ROWS_PER_INSERT)):
            rows = (", ".join(map(literal, row, types)) for row in batch)
            yield f"INSERT INTO {quoted(name)} ({names}) VALUES {', '.join(f'({row})' for row in rows)}"
    if has_identity:
        yield f"SET IDENTITY_INSERT {quoted(name)} OFF"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port")
    parser.add_argument("user")
    parser.add_argument("password")
    parser.add_argument("--database", required=True, help="created if it does not exist")
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared/data/adventureworks")
    parser.add_argument("--tables", nargs="+", help="only these, such as Sales.Customer")
    arguments = parser.parse_args()

    tables = json.loads((arguments.data / "tables.json").read_text(encoding="utf-8"))
    connection = pymssql.connect(
        server=arguments.host,
        port=arguments.port,
        user=arguments.user,
        password=arguments.password,
        database="master",
        tds_version="7.4",
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sys.databases")
        if arguments.database not in {name for (name,) in cursor.fetchall()}:
            cursor.execute(f"CREATE DATABASE {quoted(arguments.database)}")
        cursor.execute(f"USE {quoted(arguments.database)}")
        cursor.execute("SELECT name FROM sys.schemas")
        schemas = {name for (name,) in cursor.fetchall()}
        for name in arguments.tables or tables:
            schema = name.split(".")[0]
            if schema not in schemas:
                cursor.execute(f"CREATE SCHEMA {quoted(schema)}")
                schemas.add(schema)
            for statement in statements(name, tables[name], arguments.data / tables[name]["file"]):
                cursor.execute(statement)
            cursor.execute(f"SELECT COUNT(*) FROM {quoted(name)}")
            (count,) = cursor.fetchone()
            if count != tables[name]["rows"]:
                parser.exit(1, f"error: {name} has {count} rows instead of {tables[name]['rows']}\n")
            print(f"{name}: {count} rows")


if __name__ == "__main__":
    main()
