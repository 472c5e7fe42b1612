"""dlt, its sql_database source (Arrow backend, pymssql) into its filesystem destination as Iceberg.
TABLE DIRECTORY."""

import os
import sys
from pathlib import Path
from urllib.parse import quote

import common

schema, name = sys.argv[1].split(".")
directory = Path(sys.argv[2]).absolute()
os.environ["DLT_DATA_DIR"] = str(directory / "dlt")
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt  # noqa: E402
from dlt.sources.sql_database import sql_table  # noqa: E402
from sqlalchemy import create_engine  # noqa: E402

url = f"mssql+pymssql://{quote(common.USER)}:{quote(common.PASSWORD)}@{common.HOST}:{common.PORT}/{common.DATABASE}"
engine = create_engine(url)
# SQLAlchemy reads the version out of @@VERSION, where the development server says that it is not Microsoft's.
engine.dialect._get_server_version_info = lambda _: (16, 0, 1000, 6)
# The development server has no foreign keys and no view that lists them.
engine.dialect.get_multi_foreign_keys = lambda *_, **__: {}
source = sql_table(engine, table=name, schema=schema, backend="pyarrow", chunk_size=65_536)
pipeline = dlt.pipeline(
    "bench",
    pipelines_dir=str(directory / "pipelines"),
    destination=dlt.destinations.filesystem(f"file://{directory}/lake"),
    dataset_name="bench",
)
pipeline.run(source, table_format="iceberg", write_disposition="replace").raise_on_failed_jobs()
counts = pipeline.last_trace.last_normalize_info.row_counts
common.tell(sum(rows for table, rows in counts.items() if not table.startswith("_dlt")))
