"""mssql-python's Arrow reader with every batch dropped: what reading the wire costs. TABLE."""

import sys

import common
import mssql_python

rows = 0
with mssql_python.connect(common.ODBC) as connection:
    cursor = connection.cursor()
    cursor.execute(f"SELECT * FROM {sys.argv[1]}")
    for batch in cursor.arrow_reader(batch_size=65_536):
        rows += batch.num_rows
common.tell(rows)
