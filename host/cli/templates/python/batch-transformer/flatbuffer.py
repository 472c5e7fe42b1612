"""The metadata of Arrow's streams: FlatBuffers (https://flatbuffers.dev/internals).

They are tables, whose fields are named by their position in Message, Schema, Field and RecordBatch of Arrow's format.
"""

from struct import calcsize, pack, pack_into, unpack_from


class Table:
    """A table that is read."""

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

    def table(self, field: int) -> "Table":
        return Table(self.data, self._target(field))

    def has(self, field: int) -> bool:
        return self._place(field) is not None

    def text(self, field: int) -> str:
        at = self._target(field)
        return str(self.data[at + 4 : at + 4 + unpack_from("<I", self.data, at)[0]], "utf-8")

    def tables(self, field: int) -> list["Table"]:
        if not self.has(field):
            return []
        at = self._target(field)
        places = range(at + 4, at + 4 + 4 * unpack_from("<I", self.data, at)[0], 4)
        return [Table(self.data, place + unpack_from("<I", self.data, place)[0]) for place in places]

    def structs(self, field: int) -> list[tuple[int, int]]:
        """Pairs of 64-bit integers."""
        if not self.has(field):
            return []
        at = self._target(field)
        count = unpack_from("<I", self.data, at)[0]
        return [unpack_from("<qq", self.data, at + 4 + 16 * i) for i in range(count)]


def message(stream: bytes, at: int) -> tuple[Table, int]:
    """The header of the message there, and where its body begins."""
    length = unpack_from("<I", stream, at + 4)[0]
    root = at + 8 + unpack_from("<I", stream, at + 8)[0]
    return Table(stream, root).table(2), at + 8 + length


def encapsulated(header_type: int, header: list, body: int) -> bytes:
    """A message without its body, which has so many bytes; `header` are the slots of its header."""
    out = bytearray(4)
    # Version 5 of the metadata.
    root = put_table(out, [("h", 4), ("B", header_type), lambda out: put_table(out, header), ("q", body)])
    pack_into("<I", out, 0, root)
    _align(out, 8)
    return b"\xff\xff\xff\xff" + pack("<I", len(out)) + out


def _align(out: bytearray, size: int, ahead: int = 0) -> None:
    out += bytes(-(len(out) + ahead) % size)


def put_table(out: bytearray, slots: list) -> int:
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


def put_text(text: str):
    """What writes a text."""
    def write(out: bytearray) -> int:
        _align(out, 4)
        at, data = len(out), text.encode()
        out += pack("<I", len(data)) + data + b"\0"
        return at

    return write


def put_vector(out: bytearray, items: list) -> int:
    """A list of what functions write."""
    _align(out, 4)
    at = len(out)
    out += pack("<I", len(items)) + bytes(4 * len(items))
    for place, item in zip(range(at + 4, at + 4 + 4 * len(items), 4), items):
        pack_into("<I", out, place, item(out) - place)
    return at


def put_pairs(out: bytearray, pairs: bytes) -> int:
    """A list of pairs of 64-bit integers."""
    _align(out, 8, 4)
    at = len(out)
    out += pack("<I", len(pairs) // 16) + pairs
    return at
