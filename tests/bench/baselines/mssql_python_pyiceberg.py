"""mssql-python's Arrow reader into one PyIceberg append. TABLE DIRECTORY."""

import sys

import common
import mssql_python
import pyarrow as pa

with mssql_python.connect(common.ODBC) as connection:
    cursor = connection.cursor()
    cursor.execute(f"SELECT * FROM {sys.argv[1]}")
    reader = cursor.arrow_reader(batch_size=65_536)
    schema = common.storable(reader.schema)
    data = pa.Table.from_batches(reader, reader.schema).cast(schema, safe=False)
catalog = common.catalog(sys.argv[2])
catalog.create_namespace("bench")
table = catalog.create_table("bench.t", schema)
table.append(data)
common.tell(common.records(table))
