"""Writes a Parquet file that is small and holds much, in the place of a data file of an Iceberg table.

The table's columns are an integer `Id` with the field id 1 and a text `V` with the field id 2.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

MIB = 1 << 20
SCHEMA = pa.schema(
    [
        pa.field("Id", pa.int32(), False, {"PARQUET:field_id": "1"}),
        pa.field("V", pa.string(), True, {"PARQUET:field_id": "2"}),
    ]
)


def one_value() -> Iterator[str]:
    """A value of 512 MiB, packed in some kilobytes."""
    yield "x" * (512 * MIB)


def one_page() -> Iterator[str]:
    """20,000 values of ten kilobytes, as many as stand in one page."""
    yield from ("x" * 10240 for _ in range(20_000))


def one_dictionary() -> Iterator[str]:
    """200 values of a megabyte, which may stand in one dictionary."""
    yield from (f"{number:08}" + "x" * MIB for number in range(200))


KINDS = {"value": one_value, "page": one_page, "dictionary": one_dictionary}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    values = list(KINDS[arguments.kind]())
    table = pa.table([pa.array(range(1, len(values) + 1), pa.int32()), pa.array(values)], schema=SCHEMA)
    pq.write_table(
        table,
        arguments.file,
        compression="zstd",
        use_dictionary=arguments.kind == "dictionary",
        data_page_size=1 << 30,
        dictionary_pagesize_limit=1 << 30,
        write_batch_size=len(values),
        write_statistics=False,
    )
    print(arguments.file.stat().st_size)


if __name__ == "__main__":
    main()
