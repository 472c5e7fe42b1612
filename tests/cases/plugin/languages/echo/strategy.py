"""Reads every column and writes it as it was."""

import batches
from icehost import guarded
from wit_world import exports
from wit_world.exports.batch_transform import Transformation, Transformed
from wit_world.exports.metadata import Description
from wit_world.imports.types import Table


class Metadata(exports.Metadata):
    def describe(self) -> Description:
        return Description("echo", "0.1.0", "writes what it reads", '{"type": "object", "additionalProperties": false}')


@guarded
class BatchTransform(exports.BatchTransform):
    def open(self, table: Table, options: str) -> Transformation:
        return Transformation(list(range(len(table.columns))), table.columns)

    def apply(self, batch: bytes) -> Transformed:
        return Transformed(batches.write(*batches.read(batch)), None)
