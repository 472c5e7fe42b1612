"""Batches of rows: what `apply` is given, and what it returns. It is yours to change.

Both are Arrow IPC streams of a schema and one record batch (https://arrow.apache.org/docs/format/Columnar.html),
of the types in which icehost carries columns; no package that reads them is pure Python.
"""

from array import array
from dataclasses import dataclass
from itertools import accumulate
from struct import pack

from flatbuffer import Table, encapsulated, message, put_pairs, put_table, put_text, put_vector


@dataclass(frozen=True)
class Type:
    """A type of values, such as `TEXT`."""

    arrow: int
    """Its number in Arrow's union of types."""
    parameters: tuple = ()
    """What the schema says more of it."""
    item: str = ""
    """The code of its values in `array`; `bytes` of `width` where there is none."""
    width: int = 0


BOOLEAN = Type(6)
INT32 = Type(2, (("i", 32), ("B", 1)), "i", 4)
"""`tinyint`, `smallint` and `int`."""
INT64 = Type(2, (("i", 64), ("B", 1)), "q", 8)
"""`bigint`."""
FLOAT32 = Type(3, (("h", 1),), "f", 4)
"""`real`."""
FLOAT64 = Type(3, (("h", 2),), "d", 8)
"""`float`."""
DATE = Type(8, (("h", 0),), "i", 4)
"""Days since 1970-01-01."""
TIME = Type(9, (("h", 2), ("i", 64)), "q", 8)
"""Microseconds since midnight."""
TIMESTAMP = Type(10, (("h", 2),), "q", 8)
"""`datetime2` and its kin: microseconds since 1970-01-01T00:00."""
TIMESTAMP_UTC = Type(10, (("h", 2), "UTC"), "q", 8)
"""`datetimeoffset`: microseconds since 1970-01-01T00:00Z."""
TEXT = Type(5)
"""`char`, `nvarchar` and their kin."""
BINARY = Type(4)
"""`varbinary` and `rowversion`."""


def decimal(precision: int, scale: int) -> Type:
    """`decimal` and `money` (19, 4): integers, of which `scale` digits stand behind the point."""
    return Type(7, (("i", precision), ("i", scale), ("i", 128)), "", 16)


def fixed(width: int) -> Type:
    """`bytes` of one length: `uniqueidentifier` is `fixed(16)`, in the order in which it is written."""
    return Type(15, (("i", width),), "", width)


@dataclass
class Column:
    """Values of one type, one for each row; `None` is NULL."""

    name: str
    type: Type
    values: list


def read(stream: bytes) -> tuple[list[Column], int]:
    """The columns of a batch, in the order in which `open` named them, and the number of its rows."""
    schema, at = message(stream, 0)
    batch, body = message(stream, at)
    rows = batch.number(0, "q")
    buffers = iter(batch.structs(2))

    def buffer() -> memoryview:
        offset, length = next(buffers)
        return memoryview(stream)[body + offset : body + offset + length]

    columns = []
    for field, (_, nulls) in zip(schema.tables(1), batch.structs(1), strict=True):
        kind = _type(field.number(2, "B"), field.table(3))
        valid = buffer()
        values = _values(kind, buffer, rows)
        if nulls:
            values = [value if valid[i >> 3] >> (i & 7) & 1 else None for i, value in enumerate(values)]
        columns.append(Column(field.text(0), kind, values))
    return columns, rows


def write(columns: list[Column], rows: int) -> bytes:
    """The stream of what `open` declared: its outputs, each with a value for each row."""
    fields = [_field(column) for column in columns]
    stream = encapsulated(1, [None, lambda out: put_vector(out, fields)], 0)

    nodes, buffers, body = b"", b"", bytearray()
    for column in columns:
        if len(column.values) != rows:
            raise ValueError(f"{column.name} has {len(column.values)} values for {rows} rows")
        nulls = column.values.count(None)
        valid = bits(value is not None for value in column.values) if nulls else b""
        nodes += pack("<qq", rows, nulls)
        for buffer in [valid, *_buffers(column.type, column.values)]:
            buffers += pack("<qq", len(body), len(buffer))
            body += buffer
            body += bytes(-len(body) % 8)
    header = [("q", rows), lambda out: put_pairs(out, nodes), lambda out: put_pairs(out, buffers)]
    # What follows the batch is the mark of the stream's end.
    return bytes(stream + encapsulated(3, header, len(body)) + body + b"\xff\xff\xff\xff\0\0\0\0")


def bits(truths) -> bytes:
    """A bit for each, least significant first: what `keep` takes."""
    digits = "".join(["1" if truth else "0" for truth in truths])
    return int(digits[::-1] or "0", 2).to_bytes((len(digits) + 7) // 8, "little")


def _values(kind: Type, buffer, rows: int):
    if kind in (TEXT, BINARY):
        offsets, data = buffer()[: 4 * (rows + 1)].cast("i"), bytes(buffer())
        items = [data[offsets[i] : offsets[i + 1]] for i in range(rows)]
        return [str(item, "utf-8") for item in items] if kind == TEXT else items
    data = buffer()
    if kind == BOOLEAN:
        return [bool(data[i >> 3] >> (i & 7) & 1) for i in range(rows)]
    if kind.item:
        return data[: kind.width * rows].cast(kind.item).tolist()
    items = [bytes(data[at : at + kind.width]) for at in range(0, kind.width * rows, kind.width)]
    if kind.arrow == 7:
        return [int.from_bytes(item, "little", signed=True) for item in items]
    return items


def _buffers(kind: Type, values: list) -> list[bytes]:
    if kind in (TEXT, BINARY):
        empty = "" if kind == TEXT else b""
        items = [empty if value is None else value for value in values]
        if kind == TEXT:
            items = [item.encode() for item in items]
        return [array("i", accumulate(map(len, items), initial=0)).tobytes(), b"".join(items)]
    if kind == BOOLEAN:
        return [bits(values)]
    if kind.item:
        return [array(kind.item, [value or 0 for value in values]).tobytes()]
    if kind.arrow == 7:
        return [b"".join([(value or 0).to_bytes(16, "little", signed=True) for value in values])]
    items = [bytes(kind.width) if value is None else value for value in values]
    if any(len(item) != kind.width for item in items):
        raise ValueError(f"a value is not {kind.width} bytes long")
    return [b"".join(items)]


def _type(arrow: int, more: Table) -> Type:
    match arrow:
        case 2:
            return INT64 if more.number(0, "i") == 64 else INT32
        case 3:
            return FLOAT64 if more.number(0, "h") == 2 else FLOAT32
        case 4:
            return BINARY
        case 5:
            return TEXT
        case 6:
            return BOOLEAN
        case 7:
            return decimal(more.number(0, "i"), more.number(1, "i"))
        case 8:
            return DATE
        case 9:
            return TIME
        case 10:
            return TIMESTAMP_UTC if more.has(1) else TIMESTAMP
        case 15:
            return fixed(more.number(0, "i"))
    raise ValueError(f"Arrow's type {arrow} is none of those that are carried")


def _field(column: Column):
    kind = column.type
    # Whether an output may be NULL is what `open` declared; here every column may.
    parameters = [put_text(p) if isinstance(p, str) else p for p in kind.parameters]
    slots = [put_text(column.name), ("B", 1), ("B", kind.arrow), lambda out: put_table(out, parameters), None]
    return lambda out: put_table(out, [*slots, lambda out: put_vector(out, [])])
