"""Makes an Iceberg v2 table that icehost did not write, in Hadoop layout, and prints what it holds.

The output is one JSON object: `columns` as in canonical.py and `snapshots`, oldest first, each with
its `snapshot_id`, `operation` and the canonical, sorted `rows` that a reader must see there.
"""

import argparse
import datetime as dt
import decimal
import itertools
import json
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

import canonical
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import EqualTo, GreaterThanOrEqual
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestWriter,
    ManifestWriterV2,
)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _FastAppendFiles
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import Record
from pyiceberg.types import DateType, DecimalType, LongType, NestedField, StringType, TimestampType

SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=True),
    NestedField(2, "name", StringType()),
    NestedField(3, "price", DecimalType(12, 2)),
    NestedField(4, "changed", TimestampType()),
    NestedField(5, "born", DateType()),
    identifier_field_ids=[1],
)
COLUMNS = [(field.name, str(field.field_type).replace(", ", ",")) for field in SCHEMA.fields]

Rows = dict[int, tuple[object, ...]]


def row(key: int, name: str | None, price: str | None) -> tuple[object, ...]:
    """A row whose last two columns follow from its key; every third has no birthday."""
    changed = dt.datetime(2024, 2, 29, 23, 59, 59, 999_999) + dt.timedelta(days=key)
    born = None if key % 3 == 0 else dt.date(1969, 12, 31) + dt.timedelta(days=key)
    return (key, name, None if price is None else decimal.Decimal(price), changed, born)


FIRST = [row(1, "Ada", "0.01"), row(2, "Grace", "-9999999999.99"), row(3, None, "12.50"), row(4, "", None)]
SECOND = [row(5, "Zoë 🦀", "1.00"), row(6, None, None), row(7, 'line\nbreak "quoted"', "7.70")]
CHANGED = [row(3, "Edsger", "12.51"), row(8, "Barbara", "88.00")]


def arrow(rows: list[tuple[object, ...]]) -> pa.Table:
    return pa.Table.from_pylist(
        [dict(zip(SCHEMA.column_names, values, strict=True)) for values in rows], SCHEMA.as_arrow()
    )


class DeleteManifestWriter(ManifestWriterV2):
    """PyIceberg reads delete manifests but has no writer of them."""

    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


class AppendPositionDeletes(_FastAppendFiles):
    """Commits the position delete files that were given to `append_data_file`."""

    def new_manifest_writer(self, spec: PartitionSpec) -> ManifestWriter:
        return DeleteManifestWriter(
            spec, self.schema(), self.new_manifest_output(), self._snapshot_id, self._compression
        )


def write_position_deletes(table: Table, key: int) -> DataFile:
    """A delete file, with the reserved field ids, that takes out the row whose id is `key`."""
    positions = []
    for task in table.scan().plan_files():
        # PyIceberg opens file: URIs and plain paths; pyarrow here only plain paths
        ids = pq.read_table(task.file.file_path.removeprefix("file://"), columns=["id"])["id"].to_pylist()
        positions += [(task.file.file_path, at) for at, found in enumerate(ids) if found == key]

    deletes = pa.table(
        {
            "file_path": [path for path, _ in positions],
            "pos": [at for _, at in positions],
        },
        pa.schema(
            [
                pa.field("file_path", pa.string(), False, {"PARQUET:field_id": "2147483546"}),
                pa.field("pos", pa.int64(), False, {"PARQUET:field_id": "2147483545"}),
            ]
        ),
    )
    location = f"{table.location()}/data/{uuid.uuid4()}-deletes.parquet"
    file = Path(location.removeprefix("file://"))
    pq.write_table(deletes, file)
    data_file = DataFile.from_args(
        content=DataFileContent.POSITION_DELETES,
        file_path=location,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=deletes.num_rows,
        file_size_in_bytes=file.stat().st_size,
    )
    data_file.spec_id = table.spec().spec_id
    return data_file


def delete_by_position(table: Table, key: int) -> None:
    with table.transaction() as transaction:
        commit = AppendPositionDeletes(Operation.DELETE, transaction, table.io)
        commit.append_data_file(write_position_deletes(table, key))
        commit.commit()


def delete_by_rewrite(table: Table, key: int) -> None:
    table.delete(EqualTo("id", key))


def write_history(table: Table, delete: Callable[[Table, int], None]) -> list[dict[str, object]]:
    """Appends, deletes and replaces rows; tells what is there after each snapshot."""
    state: Rows = {}
    history: list[dict[str, object]] = []

    def record() -> None:
        snapshot = table.current_snapshot()
        types = [kind for _, kind in COLUMNS]
        rows = [
            [canonical.canonical_value(*pair) for pair in zip(values, types, strict=True)]
            for values in state.values()
        ]
        history.append(
            {
                "snapshot_id": snapshot.snapshot_id,
                "operation": snapshot.summary.operation.value,
                "rows": sorted(rows, key=canonical.to_json),
            }
        )

    def append(rows: list[tuple[object, ...]]) -> None:
        table.append(arrow(rows))
        state.update({values[0]: values for values in rows})
        record()

    def remove(key: int) -> None:
        delete(table, key)
        del state[key]
        record()

    append(FIRST)
    append(SECOND)
    remove(2)
    remove(3)
    append(CHANGED)
    # The files that hold only these rows go as a whole, so this is no rewrite in either variant.
    table.delete(GreaterThanOrEqual("id", 0))
    state.clear()
    record()
    append(FIRST)
    remove(4)
    return history


def to_hadoop_layout(table: Table) -> None:
    """Names the metadata files `v{N}.metadata.json`, as a catalog on bare files expects them."""
    current = Path(table.metadata_location.removeprefix("file://"))
    versions = sorted(current.parent.glob("*.metadata.json"))
    names = {file.name: f"v{number}.metadata.json" for file, number in zip(versions, itertools.count(1))}
    for file in versions:
        metadata = file.read_text()
        for old, new in names.items():
            metadata = metadata.replace(old, new)
        file.with_name(names[file.name]).write_text(metadata)
        file.unlink()
    (current.parent / "version-hint.text").write_text(str(len(versions)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="where to put the table; must not exist")
    parser.add_argument(
        "--position-deletes",
        action="store_true",
        help="delete single rows by position delete files instead of rewriting their data files",
    )
    parser.add_argument("--partitioned", action="store_true", help="partition it by its birthdays")
    arguments = parser.parse_args()

    location = arguments.directory.absolute()
    location.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        catalog = SqlCatalog("scratch", uri=f"sqlite:///{scratch}/catalog.db", warehouse=f"file://{scratch}")
        catalog.create_namespace("foreign")
        fields = [PartitionField(5, 1000, IdentityTransform(), "birthday")] if arguments.partitioned else []
        spec = PartitionSpec(*fields)
        table = catalog.create_table("foreign.people", SCHEMA, location=f"file://{location}", partition_spec=spec)
        delete = delete_by_position if arguments.position_deletes else delete_by_rewrite
        history = write_history(table, delete)
        to_hadoop_layout(table)
    print(json.dumps({"columns": COLUMNS, "snapshots": history}, ensure_ascii=False))


if __name__ == "__main__":
    main()
