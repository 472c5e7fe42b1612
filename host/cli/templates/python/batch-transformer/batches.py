"""Batches of rows: what `apply` is given, and what it returns. It is yours to change.

Both are Arrow IPC streams of a schema and one record batch (https://arrow.apache.org/docs/format/Columnar.html),
of the types in which icehost carries columns; no package that reads them is pure Python.
"""

from array import array
from dataclasses import dataclass
from itertools import accumulate
from struct import calcsize, pack, pack_into, unpack_from


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
    schema, at = _message(stream, 0)
    batch, body = _message(stream, at)
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
    stream = _encapsulated(1, [None, lambda out: _vector(out, fields)], 0)

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
    header = [("q", rows), lambda out: _structs(out, nodes), lambda out: _structs(out, buffers)]
    # What follows the batch is the mark of the stream's end.
    return bytes(stream + _encapsulated(3, header, len(body)) + body + b"\xff\xff\xff\xff\0\0\0\0")


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


# Metadata are FlatBuffers (https://flatbuffers.dev/internals): Message, Schema, Field and RecordBatch of Arrow's
# format. Fields are named by their position in the table.


class _Table:
    def __init__(self, data: bytes, at: int):
        self.data, self.at = data, at

    def _place(self, field: int) -> int | None:
        vtable = self.at - unpack_from("<i", self.data, self.at)[0]
        if 4 + 2 * field >= unpack_from("<H", self.data, vtable)[0]:
            return None
        offset = unpack_from("<H", self.data, vtable + 4 + 2 * field)[0]
        return self.at + offset if offset else None

    def _target(self, field: int) -> int:
        place = self._place(field)
        if place is None:
            raise ValueError("the stream lacks something")
        return place + unpack_from("<I", self.data, place)[0]

    def number(self, field: int, format: str, default: int = 0) -> int:
        place = self._place(field)
        return default if place is None else unpack_from("<" + format, self.data, place)[0]

    def table(self, field: int) -> "_Table":
        return _Table(self.data, self._target(field))

    def has(self, field: int) -> bool:
        return self._place(field) is not None

    def text(self, field: int) -> str:
        at = self._target(field)
        return str(self.data[at + 4 : at + 4 + unpack_from("<I", self.data, at)[0]], "utf-8")

    def tables(self, field: int) -> list["_Table"]:
        if not self.has(field):
            return []
        at = self._target(field)
        places = range(at + 4, at + 4 + 4 * unpack_from("<I", self.data, at)[0], 4)
        return [_Table(self.data, place + unpack_from("<I", self.data, place)[0]) for place in places]

    def structs(self, field: int) -> list[tuple[int, int]]:
        """Pairs of 64-bit integers."""
        if not self.has(field):
            return []
        at = self._target(field)
        count = unpack_from("<I", self.data, at)[0]
        return [unpack_from("<qq", self.data, at + 4 + 16 * i) for i in range(count)]


def _message(stream: bytes, at: int) -> tuple[_Table, int]:
    """The header of the message there, and where its body begins."""
    length = unpack_from("<I", stream, at + 4)[0]
    root = at + 8 + unpack_from("<I", stream, at + 8)[0]
    return _Table(stream, root).table(2), at + 8 + length


def _type(arrow: int, more: _Table) -> Type:
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


def _encapsulated(header_type: int, header: list, body: int) -> bytes:
    out = bytearray(4)
    # Version 5 of the metadata.
    root = _table(out, [("h", 4), ("B", header_type), lambda out: _table(out, header), ("q", body)])
    pack_into("<I", out, 0, root)
    _align(out, 8)
    return b"\xff\xff\xff\xff" + pack("<I", len(out)) + out


def _field(column: Column):
    kind = column.type
    # What an output is called NULL by is what `open` declared; here every column may hold one.
    parameters = [_text(p) if isinstance(p, str) else p for p in kind.parameters]
    slots = [_text(column.name), ("B", 1), ("B", kind.arrow), lambda out: _table(out, parameters), None]
    return lambda out: _table(out, [*slots, lambda out: _vector(out, [])])


def _align(out: bytearray, size: int, ahead: int = 0) -> None:
    out += bytes(-(len(out) + ahead) % size)


def _table(out: bytearray, slots: list) -> int:
    """Writes a table and gives its place. A slot is `None`, a format and a number, or a function that writes what
    the slot refers to and gives its place."""
    size, places = 4, []
    for slot in slots:
        width = 0 if slot is None else 4 if callable(slot) else calcsize("<" + slot[0])
        size += -size % width if width else 0
        places.append(size if width else 0)
        size += width
    _align(out, 2)
    vtable = len(out)
    out += pack(f"<{2 + len(slots)}H", 4 + 2 * len(slots), size, *places)
    _align(out, 8)
    table = len(out)
    out += pack("<i", table - vtable) + bytes(size - 4)
    for slot, place in zip(slots, places):
        if callable(slot):
            pack_into("<I", out, table + place, slot(out) - (table + place))
        elif slot is not None:
            pack_into("<" + slot[0], out, table + place, slot[1])
    return table


def _text(text: str):
    def write(out: bytearray) -> int:
        _align(out, 4)
        at, data = len(out), text.encode()
        out += pack("<I", len(data)) + data + b"\0"
        return at

    return write


def _vector(out: bytearray, items: list) -> int:
    """A list of what functions write."""
    _align(out, 4)
    at = len(out)
    out += pack("<I", len(items)) + bytes(4 * len(items))
    for place, item in zip(range(at + 4, at + 4 + 4 * len(items), 4), items):
        pack_into("<I", out, place, item(out) - place)
    return at


def _structs(out: bytearray, pairs: bytes) -> int:
    """A list of pairs of 64-bit integers."""
    _align(out, 8, 4)
    at = len(out)
    out += pack("<I", len(pairs) // 16) + pairs
    return at
