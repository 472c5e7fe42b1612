"""How far a column has been read: the mark, the server's time at which it was read, and a few earlier marks.

A row gets its number when it is written and is seen when its transaction commits. What was not yet committed at
the last run was written, at the earliest, the length of its transaction before that run; so the next run reads
again from the mark that had been reached that long before. What the lake has of it, the host leaves out.
"""

from dataclasses import dataclass
from itertools import count

from icehost import failure, find_column, sort_value
from wit_world.exports.change_detection import Context, Watermark
from wit_world.imports.types import Column, Failure, Value, Value_Null, Value_Timestamp

FORMAT = 2
"""The layout of the watermark; in format 1 it was the mark alone."""
LATE = 600_000_000
"""The longest transaction whose rows are found for certain: a minute, in ticks of 100 ns."""
APART = LATE // 6
"""Earlier marks that are nearer in time than this tell little of each other."""


@dataclass
class Mark:
    """Read up to and including a number, at the server's time `at`; `None` where that is not known."""

    number: Value
    at: int | None


@dataclass
class Marks:
    """All that a watermark says; the earlier marks with the latest first."""

    latest: Mark
    by_hand: bool
    least: Value | None
    earlier: list[Mark]

    @staticmethod
    def read(context: Context, id: int) -> "Marks | None":
        """What the watermark says of column `id`; `None` where nothing has been read."""
        if context.watermark is None:
            return None
        format, marks = context.watermark.format, dict(context.watermark.marks)
        own = next(iter(marks), "")
        known = format == FORMAT or (format == 1 and len(marks) == 1)

        def mark(name: str) -> Mark:
            at = marks.get(f"{name} read at")
            return Mark(marks.get(name, Value_Null()), at.value if isinstance(at, Value_Timestamp) else None)

        earlier = []
        for number in count(1):
            found = mark(f"{own} before {number}")
            if found.at is None:
                break
            earlier.append(found)
        latest, least = mark(own), marks.get(f"{own} least")
        column = context.table.columns[id]
        numbers = [latest.number, *(mark.number for mark in earlier), *([] if least is None else [least])]
        of_kind = all(is_of(number, column) for number in numbers)
        if not known or find_column(context.table.columns, own) != id or not of_kind:
            raise failure(
                Failure.STALE_WATERMARK,
                "other-watermark",
                f"the watermark is not one of column '{column.name}' as it is now",
            )
        if latest.number == Value_Null():
            return None
        return Marks(latest, latest.at is None and format == FORMAT, least, earlier)

    def lowest(self, least: Value) -> Value:
        """The number from which on the next run reads again; `least` is the smallest that there is now."""
        if self.by_hand:
            # Somebody has said where to begin.
            return self.latest.number
        if self.latest.at is not None:
            for mark in self.earlier:
                if mark.at <= self.latest.at - LATE:
                    return mark.number
        # Numbers do not tell how far back a minute lies: until a mark is as old as that, all rows are read again.
        return smaller(self.latest.number, least)


def watermark(name: str, seen: Marks | None, number: Value | None, least: Value, now: int) -> Watermark:
    """That of a run which has read up to `number` at `now`; `number` is `None` where there is none."""
    if number is None:
        return Watermark(FORMAT, [(name, Value_Null())])
    marks = [(name, number), (f"{name} read at", Value_Timestamp(now))]
    if least == Value_Null() and seen is not None and seen.least is not None:
        least = seen.least
    if least != Value_Null():
        marks.append((f"{name} least", least))
    for i, mark in enumerate(thinned(before(seen, number, now), now), 1):
        marks.append((f"{name} before {i}", mark.number))
        marks.append((f"{name} before {i} read at", Value_Timestamp(mark.at)))
    return Watermark(FORMAT, marks)


def before(seen: Marks | None, number: Value, now: int) -> list[Mark]:
    """The marks before this run's, the latest first; one of format 1 has no time, and is of no more use.

    A clock that was set back has read none of them later than now.
    """
    known = [] if seen is None else [mark for mark in (seen.latest, *seen.earlier) if mark.at is not None]
    marks = [Mark(mark.number, min(mark.at, now)) for mark in known]
    return [mark for mark in marks if mark != Mark(number, now)]


def thinned(marks: list[Mark], now: int) -> list[Mark]:
    """Those that later runs can need: none older than one that is old enough, and none hardly newer than another."""
    enough = next((i for i, mark in enumerate(marks) if mark.at <= now - LATE), len(marks))
    kept: list[Mark] = []
    for mark in reversed(marks[: enough + 1]):
        if not kept or (mark.at - kept[0].at >= APART and mark.number != kept[0].number):
            kept.insert(0, mark)
    return kept


def is_of(value: Value, column: Column) -> bool:
    """Whether it is a value that the column can have, or NULL."""
    kind = column.kind.name.replace("_", "")
    return value == Value_Null() or type(value).__name__.upper() == f"VALUE_{kind}"


def smaller(one: Value, other: Value) -> Value:
    """The smaller of two numbers, of which the second may be NULL."""
    return other if is_less(other, one) else one


def is_less(one: Value | None, other: Value | None) -> bool:
    """Whether there are two numbers, and the first is smaller."""
    before, after = sort_value(one), sort_value(other)
    return before is not None and after is not None and before < after
