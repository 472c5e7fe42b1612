"""A PyIceberg scan into mssql-python's Arrow bulk copy. TABLE DIRECTORY; the SQL table exists and is empty."""

import sys

import common
import mssql_python

batches = common.catalog(sys.argv[2]).load_table("bench.t").scan().to_arrow_batch_reader()
with mssql_python.connect(common.ODBC) as connection:
    copied = connection.cursor().bulkcopy_arrow(sys.argv[1], batches, timeout=0)
common.tell(copied["rows_copied"])
