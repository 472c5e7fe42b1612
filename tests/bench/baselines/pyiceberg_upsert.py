"""Changed rows by mssql-python's Arrow reader into a PyIceberg upsert. TABLE DIRECTORY."""

import sys

import common
import mssql_python

table = common.catalog(sys.argv[2]).load_table("bench.t")
with mssql_python.connect(common.ODBC) as connection:
    cursor = connection.cursor()
    cursor.execute(f"SELECT * FROM {sys.argv[1]} WHERE Modified > '2100-01-01'")
    data = cursor.arrow()
changed = data.cast(table.schema().as_arrow(), safe=False)
table.upsert(changed, join_cols=["Id"])
common.tell(common.records(table))
