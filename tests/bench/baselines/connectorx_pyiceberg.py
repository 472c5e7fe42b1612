"""ConnectorX into one PyIceberg append. TABLE DIRECTORY."""

import sys
from urllib.parse import quote

import common
import connectorx

url = (
    f"mssql://{quote(common.USER)}:{quote(common.PASSWORD)}@{common.HOST}:{common.PORT}/{common.DATABASE}"
    "?encrypt=false&trust_server_certificate=true"
)
data = connectorx.read_sql(url, f"SELECT * FROM {sys.argv[1]}", return_type="arrow")
schema = common.storable(data.schema)
catalog = common.catalog(sys.argv[2])
catalog.create_namespace("bench")
table = catalog.create_table("bench.t", schema)
table.append(data.cast(schema, safe=False))
common.tell(common.records(table))
