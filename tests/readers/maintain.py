"""Another engine at work on a table in Hadoop layout: PyIceberg, whose new version is put beside the others."""

import argparse
import tempfile
from pathlib import Path

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog


def version(file: Path) -> int:
    return int(file.name.removeprefix("v").split(".")[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="the table")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--delete", metavar="FILTER", help="delete the rows that it holds for")
    what.add_argument("--copy", metavar="FILTER", help="add the rows that it holds for once more")
    what.add_argument("--distinct", action="store_true", help="write the table anew with one copy of each row")
    arguments = parser.parse_args()

    metadata = arguments.directory / "metadata"
    current = max(metadata.glob("v*.metadata.json"), key=version)
    with tempfile.TemporaryDirectory() as scratch:
        catalog = SqlCatalog("scratch", uri=f"sqlite:///{scratch}/catalog.db", warehouse=f"file://{scratch}")
        catalog.create_namespace("other")
        table = catalog.register_table("other.it", str(current))
        if arguments.delete:
            table.delete(arguments.delete)
        elif arguments.copy:
            table.append(table.scan(row_filter=arguments.copy).to_arrow())
        else:
            rows = table.scan().to_arrow()
            distinct = {repr(row): row for row in rows.to_pylist()}
            table.overwrite(pa.Table.from_pylist(list(distinct.values()), rows.schema))
        made = Path(table.metadata_location.removeprefix("file://"))
    number = version(current) + 1
    made.rename(metadata / f"v{number}.metadata.json")
    # Versions between, where one step of the engine makes several.
    for file in metadata.glob("0*.metadata.json"):
        file.unlink()
    (metadata / "version-hint.text").write_text(str(number))


if __name__ == "__main__":
    main()
