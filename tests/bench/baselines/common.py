"""What the baselines share: where the server is, a local Iceberg catalog, how a result is told."""

import json
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

URL = urlsplit(os.environ["BENCH_URL"])
HOST = URL.hostname or "127.0.0.1"
PORT = URL.port or 1433
USER = unquote(URL.username or "sa")
PASSWORD = unquote(URL.password or "")
DATABASE = URL.path.strip("/")

ODBC = (
    f"SERVER={HOST},{PORT};DATABASE={DATABASE};UID={USER};PWD={{{PASSWORD}}};"
    "Encrypt=no;TrustServerCertificate=yes"
)


def catalog(directory: str) -> SqlCatalog:
    path = Path(directory).absolute()
    path.mkdir(parents=True, exist_ok=True)
    return SqlCatalog("bench", uri=f"sqlite:///{path}/catalog.db", warehouse=f"file://{path}")


def storable(schema: pa.Schema) -> pa.Schema:
    """The schema with what Iceberg v2 lacks replaced: 100 ns, small integers, large strings."""

    def field(one: pa.Field) -> pa.Field:
        kind = one.type
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            kind = pa.timestamp("us", kind.tz)
        elif pa.types.is_time(kind):
            kind = pa.time64("us")
        elif pa.types.is_integer(kind) and kind.bit_width < 32:
            kind = pa.int32()
        return pa.field(one.name, kind, one.nullable)

    return pa.schema([field(one) for one in schema])


def records(table: Table) -> int:
    snapshot = table.current_snapshot()
    assert snapshot is not None and snapshot.summary is not None
    return int(snapshot.summary["total-records"])


def tell(rows: int) -> None:
    print(json.dumps({"rows": rows}))
