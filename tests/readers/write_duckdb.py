"""Writes a table of two columns, id and name, as DuckDB does: metadata under names of its own."""

import argparse

import duckdb
import read_duckdb

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("table", help="the table's directory; must not exist")
arguments = parser.parse_args()
with read_duckdb.connect() as connection:
    connection.execute(
        "COPY (SELECT 1::BIGINT AS id, 'Ada' AS name UNION ALL SELECT 2, 'Grace') "
        f"TO '{arguments.table}' (FORMAT iceberg)"
    )
