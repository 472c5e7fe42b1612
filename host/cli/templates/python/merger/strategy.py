"""{{name}}: rows whose key is known are overwritten, the others added."""

import json

from icehost import col, failure, key_names, lit, names, require_column
from wit_world import exports
from wit_world.exports.merge import (
    Action_Delete,
    Action_Skip,
    Action_WriteAll,
    Clause,
    Delta,
    KeyPair,
    MergePlan,
    Occasion,
    WriteMode,
)
from wit_world.exports.metadata import Description
from wit_world.imports.types import Failure, Table, Value_Integer

DELETE = Value_Integer(0)
"""What the operation column holds for a row that is gone."""

OPTIONS = {
    "type": "object",
    "properties": {
        "keys": {
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "minItems": 1,
            "description": "The columns that identify a row; by default the key of the target, else of the rows.",
        },
    },
    "additionalProperties": False,
}


class Metadata(exports.Metadata):
    def describe(self) -> Description:
        return Description(
            name="{{name}}",
            version="0.1.0",
            summary="overwrites rows whose key is known and adds the others",
            options_schema=json.dumps(OPTIONS),
        )


class Merge(exports.Merge):
    def plan(self, target: Table, delta: Delta, options: str) -> MergePlan:
        """What to do with rows that match and with those that do not."""
        clauses = []
        if delta.operation is not None:
            deleted = col(delta.operation).equals(lit(DELETE)).expression()
            clauses.append(Clause(Occasion.MATCHED, deleted, Action_Delete()))
            clauses.append(Clause(Occasion.NOT_MATCHED, deleted, Action_Skip()))
        clauses.append(Clause(Occasion.MATCHED, None, Action_WriteAll()))
        clauses.append(Clause(Occasion.NOT_MATCHED, None, Action_WriteAll()))
        return MergePlan(
            keys=key_pairs(target, delta, json.loads(options).get("keys")),
            among=None,
            deduplicate=[],
            clauses=clauses,
            mode=WriteMode.MERGE_ON_READ,
        )


def key_pairs(target: Table, delta: Delta, named: list[str] | None) -> list[KeyPair]:
    """The key columns on both sides, which have equal names: those that the user names, else the target's,
    else the rows'."""
    key = named or key_names(target.columns) or key_names(delta.columns)
    if not key:
        raise failure(
            Failure.INVALID_OPTIONS,
            "no-key",
            f"neither {target.name} nor the source has a key; set keys to one or more of {names(delta.columns)}",
        )
    pairs = []
    for name in key:
        source = require_column("the delta", delta.columns, name)
        pair = KeyPair(source, require_column(target.name, target.columns, name))
        if any(pair.target == other.target for other in pairs):
            raise failure(Failure.INVALID_OPTIONS, "repeated-key", f"keys names '{name}' twice")
        pairs.append(pair)
    return pairs
