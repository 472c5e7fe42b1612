"""{{name}}: adds the domain of an e-mail address as a column of its own, and drops rows without one.

The host opens an instance on a table and applies it to batch after batch of its rows, in one sandbox. It may run
several side by side, so that none sees every row.
"""

import json

import batches
from icehost import failure, guarded, require_column
from wit_world import exports
from wit_world.exports.batch_transform import Transformation, Transformed
from wit_world.exports.metadata import Description
from wit_world.imports.types import Column, Failure, LogicalType, Table

OPTIONS = {
    "type": "object",
    "properties": {
        "column": {
            "type": "string",
            "minLength": 1,
            "description": "The column that holds the address.",
        },
    },
    "required": ["column"],
    "additionalProperties": False,
}


output = ""
"""The name of the column that is added. An object lasts for a call only, the module as long as the instance."""


class Metadata(exports.Metadata):
    def describe(self) -> Description:
        return Description(
            name="{{name}}",
            version="0.1.0",
            summary="adds the domain of an e-mail address, and drops rows without one",
            options_schema=json.dumps(OPTIONS),
        )


@guarded
class BatchTransform(exports.BatchTransform):
    def open(self, table: Table, options: str) -> Transformation:
        """Which columns it reads, and which it writes."""
        id = require_column(table.name, table.columns, json.loads(options)["column"])
        column = table.columns[id]
        if column.kind != LogicalType.TEXT:
            raise failure(Failure.INVALID_OPTIONS, "wrong-type", f"'{column.name}' is not text", id)
        global output
        output = f"{column.name}Domain"
        domain = Column(output, LogicalType.TEXT, "nvarchar(255)", False, None, False, True)
        return Transformation(inputs=[id], outputs=[domain])

    def apply(self, batch: bytes) -> Transformed:
        """A batch of the columns that it reads, in the order in which it named them."""
        [addresses], rows = batches.read(batch)
        domains = [domain(address) for address in addresses.values]
        # A row that is dropped needs a value too.
        column = batches.Column(output, batches.TEXT, [domain or "" for domain in domains])
        keep = batches.bits(domain is not None for domain in domains)
        return Transformed(columns=batches.write([column], rows), keep=keep)


def domain(address: str | None) -> str | None:
    """What stands after the '@'."""
    _, at, domain = (address or "").partition("@")
    return domain.lower() if at else None
