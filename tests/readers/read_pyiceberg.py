"""Dumps a table in Hadoop layout, as PyIceberg reads it, in the form that canonical.py describes."""

import argparse
from collections.abc import Iterator, Sequence

import canonical
import pyarrow as pa
from pyiceberg.table import StaticTable
from pyiceberg.types import FixedType, IcebergType


def type_name(kind: IcebergType) -> str:
    return "binary" if isinstance(kind, FixedType) else str(kind).replace(", ", ",")


def rows(table: pa.Table) -> Iterator[Sequence[object]]:
    for batch in table.to_batches():
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", help="the table's directory")
    parser.add_argument("--snapshot-id", type=int)
    arguments = parser.parse_args()

    scan = StaticTable.from_metadata(arguments.table).scan(snapshot_id=arguments.snapshot_id)
    columns = [(field.name, type_name(field.field_type)) for field in scan.projection().fields]
    canonical.dump(columns, rows(scan.to_arrow()))


if __name__ == "__main__":
    main()
