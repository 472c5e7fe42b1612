"""One textual form for a table's contents, so that what different readers see compares by bytes.

The first line is `{"columns":[[name,type],...]}` with Iceberg's type names (every `fixed[n]` is
called `binary`, as not every reader tells them apart). Then one JSON array a row, sorted. A value is
null, true, false, or a string: integers and decimals in full (decimals with their whole scale),
floats as Python's `repr`, dates and times in ISO form with six fractional digits, `timestamptz` in
UTC with a trailing `Z`, UUIDs in lower case, binary values as lower-case hexadecimal digits.
"""

import datetime as dt
import decimal
import json
import re
import sys
import uuid
from collections.abc import Iterable, Sequence

Columns = Sequence[tuple[str, str]]


def canonical_value(value: object, type_name: str) -> object:
    """The JSON value that stands for `value` of a column of type `type_name`."""
    match value:
        case None | bool():
            return value
        case int():
            return str(value)
        case float():
            return repr(value)
        case decimal.Decimal():
            return exact_decimal(value, type_name)
        case dt.datetime() if value.tzinfo is not None:
            utc = value.astimezone(dt.UTC).replace(tzinfo=None)
            return utc.isoformat(timespec="microseconds") + "Z"
        case dt.datetime() | dt.time():
            return value.isoformat(timespec="microseconds")
        case dt.date():
            return value.isoformat()
        case uuid.UUID():
            return str(value)
        case bytes() if type_name == "uuid":
            return str(uuid.UUID(bytes=value))
        case bytes():
            return value.hex()
        case str() if type_name == "uuid":
            return value.lower()
        case str():
            return value
    raise TypeError(f"no canonical form for {type(value).__name__} in a {type_name} column")


def exact_decimal(value: decimal.Decimal, type_name: str) -> str:
    """`value` with the whole scale of `decimal(p,s)`; refuses to round."""
    scale = re.fullmatch(r"decimal\(\d+,(\d+)\)", type_name)
    if scale is None:
        raise TypeError(f"a decimal value in a {type_name} column")
    with decimal.localcontext(prec=60) as context:
        context.traps[decimal.Inexact] = True
        return f"{value.quantize(decimal.Decimal(1).scaleb(-int(scale[1]))):f}"


def dump(columns: Columns, rows: Iterable[Sequence[object]]) -> None:
    """Prints the canonical form of a table."""
    types = [type_name for _, type_name in columns]
    lines = sorted(
        to_json([canonical_value(value, type_name) for value, type_name in zip(row, types, strict=True)])
        for row in rows
    )
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    print(to_json({"columns": columns}))
    sys.stdout.writelines(line + "\n" for line in lines)


def to_json(value: object) -> str:
    """JSON as serde_json writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
