"""
clickhouse-connect, unmodified: python.py ADDRESS DATABASE GUIDE. Prints what each step found, a line of JSON with its name; the
expected values stand in clients.test.ts. GUIDE is docs/sql.md: every example in it is asked of the database motcua.
"""
import json
import logging
import re
import sys
from pathlib import Path
from urllib.parse import urlparse

import clickhouse_connect
from clickhouse_connect.driver.external import ExternalData

address, database = urlparse(sys.argv[1]), sys.argv[2]
logging.disable(logging.CRITICAL)


def connect(user, **options):
    where = {"host": address.hostname, "port": address.port, "username": user, "database": database}
    return clickhouse_connect.get_client(**where | options)


def tell(name, value):
    print(json.dumps({"name": name, "value": value}, default=str), flush=True)


default, analyst = connect("default"), connect("analyst")

result = analyst.query(
    "SELECT toDate('2025-07-01') AS d, toDateTime64('2025-07-01 01:02:03.456', 3, 'UTC') AS t, toDecimal64(1.25, 2) AS x,"
    " CAST(NULL AS Nullable(Int32)) AS n, [1, 2] AS l, toLowCardinality('lc') AS c, toUInt64(18446744073709551615) AS u"
)
tell("types", [[str(value) for value in result.result_rows[0]], [kind.name for kind in result.column_types]])
tell("parameters", analyst.query("SELECT {a:String}, {b:UInt8}", parameters={"a": "it's \\ ?", "b": 5}).result_rows)
tell("settings", analyst.query("SELECT number FROM numbers(9)", settings={"limit": 2, "max_threads": 1}).row_count)
tell("clause", analyst.query("SELECT number FROM numbers(9) SETTINGS limit = 3").row_count)

table = "py_rows"
default.command(f"CREATE TABLE {table} (a UInt64, s String, d Nullable(Date)) ENGINE = MergeTree ORDER BY a")
for compress in ["lz4", "zstd", "gzip", False]:
    packed = connect("default", compress=compress)
    packed.insert(table, [[i, "x" * 20, None] for i in range(30_000)], column_names=["a", "s", "d"])
    with packed.query_row_block_stream(f"SELECT a, s FROM {table}") as stream:
        tell(f"compress {compress}", sum(len(block) for block in stream))
default.command(f"TRUNCATE TABLE {table}")

data = ExternalData(file_name="ext.csv", fmt="CSV", structure="name String, n UInt8", data=b'"a",1\n"b",2\n')
tell("external", analyst.query("SELECT name, n FROM ext ORDER BY n", external_data=data).result_rows)


def fails(work):
    try:
        return f"no failure: {work()}"
    except Exception as error:
        return str(error)


def read_all(query):
    with analyst.query_row_block_stream(query) as stream:
        return sum(len(block) for block in stream)


tell("error", fails(lambda: analyst.query("SELECT nope")))
tell("refused", fails(lambda: analyst.insert(table, [[1, "x", None]], column_names=["a", "s", "d"])))
tell("broken off", fails(lambda: read_all("SELECT throwIf(number = 900000), number FROM numbers(1000000)")))

motcua = connect("analyst", database="motcua")
asked, failed = 0, []
for example in re.findall(r"^```sql\n(.*?)\n```$", Path(sys.argv[3]).read_text(encoding="utf-8"), re.M | re.S):
    asked += 1
    try:
        motcua.query(example)
    except Exception as error:
        failed.append(f"{example}\n{error}")
tell("examples", asked)
tell("failed examples", failed)

count = total = 0
with analyst.query_row_block_stream("SELECT number, toString(number) AS s FROM numbers(1000000)") as stream:
    for block in stream:
        count += len(block)
        total += sum(row[0] for row in block)
tell("million", [count, total])
