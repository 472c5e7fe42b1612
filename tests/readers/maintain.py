"""Does to a table in Hadoop layout what another engine's maintenance does, by PyIceberg.

The steps are carried out in order, each as one or more commits of a catalog of PyIceberg's own, which then
become the layout's next versions, as a catalog on bare files makes them.
"""

import argparse
import tempfile
from pathlib import Path

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table
from pyiceberg.types import LongType, StringType


def compact(table: Table) -> None:
    """Writes all rows again, into new files."""
    table.overwrite(table.scan().to_arrow())


def unsort(table: Table) -> None:
    """Writes all rows again, the last ones first."""
    rows = table.scan().to_arrow()
    table.overwrite(rows.take(pa.array(range(rows.num_rows - 1, -1, -1))))


def rewrite(table: Table, rows: str) -> None:
    """Writes the files with these rows again, as an engine does that deletes by copying what is left."""
    kept = table.scan(row_filter=rows).to_arrow()
    table.delete(rows)
    table.append(kept)


def expire(table: Table) -> None:
    """Keeps the current snapshot only."""
    current = table.current_snapshot().snapshot_id
    old = [snapshot.snapshot_id for snapshot in table.snapshots() if snapshot.snapshot_id != current]
    if old:
        table.maintenance.expire_snapshots().by_ids(old).commit()


def copy(table: Table, rows: str) -> None:
    """Writes rows a second time."""
    table.append(table.scan(row_filter=rows).to_arrow())


def alter(table: Table, rows: str, column: str, value: str) -> None:
    """Writes rows a second time, with another value in a column."""
    found = table.scan(row_filter=rows).to_arrow()
    at = found.schema.get_field_index(column)
    field = found.schema.field(at)
    values = pa.array([value] * found.num_rows).cast(field.type)
    table.append(found.set_column(at, field, values))


def distinct(table: Table) -> None:
    """Writes the table anew with one copy of each row."""
    rows = table.scan().to_arrow()
    once = {repr(row): row for row in rows.to_pylist()}
    table.overwrite(pa.Table.from_pylist(list(once.values()), rows.schema))


def step(table: Table, text: str) -> None:
    name, _, argument = text.partition("=")
    match name:
        case "compact":
            compact(table)
        case "unsort":
            unsort(table)
        case "rewrite":
            rewrite(table, argument)
        case "expire":
            expire(table)
        case "copy":
            copy(table, argument)
        case "alter":
            alter(table, *argument.split(":"))
        case "distinct":
            distinct(table)
        case "delete":
            table.delete(argument)
        case "rollback":
            table.manage_snapshots().rollback_to_snapshot(int(argument)).commit()
        case "drop":
            with table.update_schema() as update:
                update.delete_column(argument)
        case "readd":
            with table.update_schema(allow_incompatible_changes=True) as update:
                update.delete_column(argument)
            with table.update_schema() as update:
                update.add_column(argument, StringType())
        case "widen":
            with table.update_schema() as update:
                update.update_column(argument, LongType())
        case "rename":
            old, _, new = argument.partition(":")
            with table.update_schema() as update:
                update.rename_column(old, new)
        case _:
            raise SystemExit(f"there is no step {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="the table's directory")
    parser.add_argument("steps", nargs="+", help="compact, unsort, rewrite=…, expire, copy=…, alter=…:…:…, distinct, delete=…, rollback=…, drop=…, readd=…, widen=…, rename=…:…")
    parser.add_argument("--forget", action="store_true", help="remove the versions before")
    parser.add_argument("--own", action="store_true", help="leave the versions under PyIceberg's own names")
    arguments = parser.parse_args()

    metadata = arguments.table.absolute() / "metadata"
    version = max(int(file.name[1:].split(".")[0]) for file in metadata.glob("v*.metadata.json"))
    before = set(metadata.glob("*.metadata.json"))
    with tempfile.TemporaryDirectory() as scratch:
        catalog = SqlCatalog("scratch", uri=f"sqlite:///{scratch}/catalog.db", warehouse=f"file://{scratch}")
        catalog.create_namespace("a")
        catalog.register_table("a.t", str(metadata / f"v{version}.metadata.json"))
        for text in arguments.steps:
            step(catalog.load_table("a.t"), text)
    if arguments.own:
        return
    made = sorted(set(metadata.glob("*.metadata.json")) - before)
    names = {file.name: f"v{number}.metadata.json" for number, file in enumerate(made, version + 1)}
    for file in made:
        text = file.read_text()
        for old, new in names.items():
            text = text.replace(old, new)
        file.with_name(names[file.name]).write_text(text)
        file.unlink()
    (metadata / "version-hint.text").write_text(str(version + len(made)))
    if arguments.forget:
        for number in range(1, version + len(made)):
            (metadata / f"v{number}.metadata.json").unlink()


if __name__ == "__main__":
    main()
