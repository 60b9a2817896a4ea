"""A producer as a service centre might write it: librdkafka with its own partitioner, fastavro, Confluent wire format.

Usage: producer.py BROKERS SCHEMA.avsc SCHEMA_ID < events.ndjson     (one event a line, times in milliseconds)
"""
import io
import json
import struct
import sys

from confluent_kafka import Producer
from fastavro import parse_schema, schemaless_writer

brokers, schema_path, schema_id = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(schema_path, encoding="utf-8") as file:
    schema = parse_schema(json.load(file))
failures = []
producer = Producer({"bootstrap.servers": brokers, "acks": "all", "linger.ms": 5})


def delivered(error, _):
    if error is not None:
        failures.append(str(error))


count = 0
for line in sys.stdin:
    event = json.loads(line)
    body = io.BytesIO()
    body.write(struct.pack(">bI", 0, schema_id))
    # fastavro takes datetimes for timestamp-millis, or integers of milliseconds as they are.
    schemaless_writer(body, schema, event)
    producer.produce("dossier-events", key=event["dossier_id"].encode(), value=body.getvalue(), callback=delivered)
    producer.poll(0)
    count += 1
producer.flush(30)
if failures:
    sys.exit("not delivered: " + "; ".join(failures[:3]))
print(count)
