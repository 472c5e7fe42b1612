"""{{name}}: rows whose number grew since the last run.

The host calls `probes`, `plan` and `advance` in this order, each in a fresh sandbox: nothing but the watermark
is remembered from one call to the next.
"""

import json
from dataclasses import dataclass

from icehost import Tree, col, failure, find_column, lit, require_column, sort_value
from wit_world import exports
from wit_world.exports.change_detection import (
    ChangeSource_Rows,
    Context,
    Coverage,
    ExtractionPlan,
    Outcome,
    Probe,
    Probe_Aggregate,
    Watermark,
)
from wit_world.exports.metadata import Description
from wit_world.imports.types import (
    Aggregate,
    AggregateFunction,
    Column,
    Direction,
    Failure,
    SortKey,
    Value,
    Value_Integer,
    Value_Null,
)

FORMAT = 1
"""The layout of the watermark: one mark, named after the column."""

OPTIONS = {
    "type": "object",
    "properties": {
        "column": {
            "type": "string",
            "minLength": 1,
            "description": "The column whose value grows with every change of a row.",
        },
    },
    "required": ["column"],
    "additionalProperties": False,
}


class Metadata(exports.Metadata):
    def describe(self) -> Description:
        return Description(
            name="{{name}}",
            version="0.1.0",
            summary="reads rows whose number grew since the last run",
            options_schema=json.dumps(OPTIONS),
        )


class ChangeDetection(exports.ChangeDetection):
    def probes(self, context: Context) -> list[Probe]:
        """What the host reads before it asks for the plan."""
        cursor = Cursor.of(context)
        functions = [AggregateFunction.MAX]
        if cursor.column.nullable:
            functions.append(AggregateFunction.COUNT_NULL)
        return [Probe_Aggregate(Aggregate(function, cursor.id)) for function in functions]

    def plan(self, context: Context, readings: list[Value]) -> ExtractionPlan:
        """Which rows to read: those above the watermark and up to what was the largest number."""
        cursor = Cursor.of(context)
        if cursor.column.nullable and readings[1] != Value_Integer(0):
            raise failure(
                Failure.BAD_DATA,
                "null-cursor",
                f"{readings[1].value} rows of {context.table.name} have NULL in '{cursor.column.name}' "
                "and would never be read",
                cursor.id,
            )
        return ExtractionPlan(
            source=ChangeSource_Rows(),
            coverage=Coverage.FULL if cursor.seen is None else Coverage.INCREMENTAL,
            columns=list(range(len(context.table.columns))),
            filter=wanted(cursor, cursor.larger(readings[0])).expression(),
            order_by=[SortKey(cursor.id, Direction.ASCENDING)],
            split_on=None,
            observe=[],
        )

    def advance(self, context: Context, outcome: Outcome) -> Watermark:
        """How far the source has been read once those rows are committed. It never moves back."""
        cursor = Cursor.of(context)
        upper = cursor.larger(outcome.readings[0])
        return Watermark(FORMAT, [(cursor.column.name, Value_Null() if upper is None else upper)])


def wanted(cursor: "Cursor", upper: Value | None) -> Tree:
    column = col(cursor.id)
    if upper is None:
        # Nothing has a value: no row is wanted.
        return column.is_null() & ~column.is_null()
    if cursor.seen is None:
        return column <= lit(upper)
    return (column > lit(cursor.seen)) & (column <= lit(upper))


@dataclass
class Cursor:
    """The cursor column, and how far it has been read: `None` on the first run."""

    id: int
    column: Column
    seen: Value | None

    @staticmethod
    def of(context: Context) -> "Cursor":
        columns = context.table.columns
        id = require_column(context.table.name, columns, json.loads(context.options)["column"])
        cursor = Cursor(id, columns[id], None)
        match context.watermark:
            case None:
                return cursor
            case Watermark(format, [(name, mark)]) if format == FORMAT and find_column(columns, name) == id:
                kind = cursor.column.kind.name.replace("_", "")
                if mark == Value_Null():
                    return cursor
                if type(mark).__name__.upper() == f"VALUE_{kind}":
                    cursor.seen = mark
                    return cursor
        raise failure(
            Failure.STALE_WATERMARK,
            "other-watermark",
            f"the watermark is not one of column '{cursor.column.name}' as it is now",
        )

    def larger(self, now: Value) -> Value | None:
        """The larger of what was read before and what the server has now; `None` where there is neither."""
        if now == Value_Null():
            return self.seen
        if self.seen is None:
            return now
        before, after = sort_value(self.seen), sort_value(now)
        if before is None or after is None:
            raise failure(
                Failure.UNSUPPORTED_TABLE,
                "no-order",
                f"values of column '{self.column.name}' have no order that all servers share",
            )
        return now if after > before else self.seen
