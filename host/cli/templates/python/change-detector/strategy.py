"""{{name}}: rows whose number grew since the last run.

The host calls `probes`, `plan` and `advance` in this order, each in a fresh sandbox: nothing but the watermark
is remembered from one call to the next.
"""

import json
from dataclasses import dataclass

from icehost import Tree, col, failure, guarded, lit, names, require_column
from marks import Marks, is_less, smaller, watermark
from wit_world import exports
from wit_world.exports.change_detection import (
    ChangeSource_Rows,
    Context,
    Coverage,
    ExtractionPlan,
    FilteredAggregate,
    Outcome,
    Probe,
    Probe_Aggregate,
    Probe_SourceTime,
    Watermark,
)
from wit_world.exports.metadata import Description
from wit_world.imports.types import (
    AggregateFunction,
    Column,
    Direction,
    Failure,
    LogicalType,
    SortKey,
    Value,
    Value_Null,
)

NUMBERS = (LogicalType.INTEGER, LogicalType.DECIMAL, LogicalType.DOUBLE, LogicalType.BINARY)
"""What all servers order alike, and no clock runs ahead of; the bytes are those of a `rowversion`."""

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


@guarded
class ChangeDetection(exports.ChangeDetection):
    def probes(self, context: Context) -> list[Probe]:
        """What the host reads before it asks for the plan; `Readings` takes it apart."""
        cursor = Cursor.of(context)

        def aggregate(function: AggregateFunction) -> Probe:
            return Probe_Aggregate(FilteredAggregate(function, cursor.id, filter=None))

        nulls = [aggregate(AggregateFunction.COUNT_NULL)] if cursor.column.nullable else []
        return [aggregate(AggregateFunction.MAX), Probe_SourceTime(), *nulls, aggregate(AggregateFunction.MIN)]

    def plan(self, context: Context, readings: list[Value]) -> ExtractionPlan:
        """Which rows to read: from somewhat below the watermark, inclusive, up to what was the largest number."""
        cursor = Cursor.of(context)
        return ExtractionPlan(
            source=ChangeSource_Rows(),
            coverage=Coverage.FULL if cursor.seen is None else Coverage.INCREMENTAL,
            columns=list(range(len(context.table.columns))),
            filter=wanted(context.table.name, cursor, Readings.of(readings)).expression(),
            order_by=[SortKey(cursor.id, Direction.ASCENDING)],
            split_on=None,
            observe=[],
        )

    def advance(self, context: Context, outcome: Outcome) -> Watermark:
        """How far the source has been read once those rows are committed. It never moves back."""
        cursor = Cursor.of(context)
        name, seen, now = cursor.column.name, cursor.seen, Readings.of(outcome.readings)
        # `rows` does not count what the lake had already.
        if seen is not None and is_less(now.largest, seen.latest.number) and outcome.rows > 0:
            message = f"new rows lie below the last number of '{name}'"
            raise failure(Failure.STALE_WATERMARK, "started-over", message, cursor.id)
        return watermark(name, seen, cursor.upper(now), now.least, now.time)


@dataclass
class Readings:
    """What was probed: the largest and the smallest number, the server's time, and how many rows have none."""

    largest: Value
    time: int
    nulls: int
    least: Value

    @staticmethod
    def of(readings: list[Value]) -> "Readings":
        largest, time, *nulls, least = readings
        return Readings(largest, time.value, nulls[0].value if nulls else 0, least)


@dataclass
class Cursor:
    """The cursor column, and how far it has been read: `None` on the first run."""

    id: int
    column: Column
    seen: Marks | None

    @staticmethod
    def of(context: Context) -> "Cursor":
        columns = context.table.columns
        id = require_column(context.table.name, columns, json.loads(context.options)["column"])
        numbers = [column for column in columns if column.kind in NUMBERS]
        if columns[id] not in numbers:
            message = f"'{columns[id].name}' holds no numbers; columns that do: {names(numbers)}"
            raise failure(Failure.INVALID_OPTIONS, "wrong-type", message, id)
        return Cursor(id, columns[id], Marks.read(context, id))

    def upper(self, now: Readings) -> Value | None:
        """The larger of what was read before and what the server has now; `None` where there is neither."""
        if self.seen is not None and not is_less(self.seen.latest.number, now.largest):
            return self.seen.latest.number
        return None if now.largest == Value_Null() else now.largest


def wanted(table: str, cursor: Cursor, now: Readings) -> Tree:
    column, name, seen = col(cursor.id), cursor.column.name, cursor.seen
    if now.nulls > 0:
        message = f"{now.nulls} rows of {table} have NULL in '{name}' and would never be read"
        raise failure(Failure.BAD_DATA, "null-cursor", message, cursor.id)
    upper = cursor.upper(now)
    if upper is None:
        # Nothing has a value: no row is wanted.
        return column.is_null() & ~column.is_null()
    if seen is None:
        return column <= lit(upper)
    # Where the newest rows are gone, the ones before them tell whether the numbers have started over.
    lower = smaller(seen.lowest(now.least), now.largest)
    if is_less(now.least, seen.least) and is_less(now.least, lower):
        message = f"rows with smaller numbers have come to '{name}'"
        raise failure(Failure.STALE_WATERMARK, "counts-down", message, cursor.id)
    return (column >= lit(lower)) & (column <= lit(upper))
