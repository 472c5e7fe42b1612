"""Dumps a table in Hadoop layout, as DuckDB reads it, in the form that canonical.py describes."""

import argparse
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

import canonical
import duckdb

TYPE_NAMES = {
    "BOOLEAN": "boolean",
    "INTEGER": "int",
    "BIGINT": "long",
    "FLOAT": "float",
    "DOUBLE": "double",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "VARCHAR": "string",
    "UUID": "uuid",
    "BLOB": "binary",
}


def connect() -> duckdb.DuckDBPyConnection:
    """A connection with the Iceberg extension, loaded by path so that nothing is downloaded."""
    connection = duckdb.connect()
    # iceberg links against avro
    for extension in ("avro", "iceberg"):
        package = importlib.util.find_spec(f"duckdb_extension_{extension}")
        file = next(Path(package.origin).parent.rglob("*.duckdb_extension"))
        connection.load_extension(str(file))
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def type_name(kind: str) -> str:
    return kind.lower() if kind.startswith("DECIMAL(") else TYPE_NAMES[kind]


def rows(relation: duckdb.DuckDBPyRelation) -> Iterator[Sequence[object]]:
    for batch in relation.to_arrow_reader():
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", help="the table's directory")
    parser.add_argument("--snapshot-id", type=int)
    arguments = parser.parse_args()

    snapshot = "" if arguments.snapshot_id is None else f", snapshot_from_id = {arguments.snapshot_id}"
    relation = connect().sql(
        f"SELECT * FROM iceberg_scan($table, allow_moved_paths = true{snapshot})",
        params={"table": arguments.table},
    )
    columns = [
        (name, type_name(str(kind))) for name, kind in zip(relation.columns, relation.types, strict=True)
    ]
    canonical.dump(columns, rows(relation))


if __name__ == "__main__":
    main()
