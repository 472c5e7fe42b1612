"""PyIceberg's own commits on a table in the Hadoop layout, which PyIceberg has no catalog for.

A commit writes the next `v{N}.metadata.json` under another name and links it to its own, which fails if
another writer was first: then PyIceberg's requirements are checked against what is there by then.
"""

import os
import pathlib
import uuid

from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.io import load_file_io
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import CommitTableResponse, Table
from pyiceberg.table.update import TableRequirement, TableUpdate, update_table_metadata


def newest(table: pathlib.Path) -> int:
    """The highest version of a table's metadata."""
    return max(
        int(file.name.removeprefix("v").removesuffix(".metadata.json"))
        for file in (table / "metadata").glob("v*.metadata.json")
    )


class HadoopCatalog(NoopCatalog):
    """One table in a directory."""

    def __init__(self, directory: pathlib.Path) -> None:
        super().__init__("hadoop")
        self.directory = directory

    def load(self) -> Table:
        """The table at its newest version."""
        version = newest(self.directory)
        location = str(self.directory / f"metadata/v{version}.metadata.json")
        io = load_file_io(location=location)
        metadata = FromInputFile.table_metadata(io.new_input(location))
        return Table(("hadoop", self.directory.name), metadata, location, io, self)

    def load_table(self, identifier: object) -> Table:
        return self.load()

    def commit_table(
        self, table: Table, requirements: tuple[TableRequirement, ...], updates: tuple[TableUpdate, ...]
    ) -> CommitTableResponse:
        current = self.load()
        for requirement in requirements:
            requirement.validate(current.metadata)
        metadata = update_table_metadata(
            current.metadata, updates, metadata_location=current.metadata_location
        )
        version = newest(self.directory) + 1
        if current.metadata_location != str(self.directory / f"metadata/v{version - 1}.metadata.json"):
            raise CommitFailedException("another writer was faster")
        file = self.directory / f"metadata/v{version}.metadata.json"
        written = self.directory / f"metadata/.{uuid.uuid4()}.tmp"
        written.write_text(metadata.model_dump_json(exclude_none=True))
        try:
            os.link(written, file)
        except FileExistsError as error:
            raise CommitFailedException("another writer was faster") from error
        finally:
            written.unlink()
        hint = self.directory / f"metadata/.{uuid.uuid4()}.hint"
        hint.write_text(str(version))
        hint.rename(self.directory / "metadata/version-hint.text")
        return CommitTableResponse(metadata=metadata, metadata_location=str(file))

    @staticmethod
    def _delete_old_metadata(*_: object) -> None:
        """Old versions stay: icehost may be reading one."""
