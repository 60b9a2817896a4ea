"""Sends records through librdkafka, in any of Kafka's codecs.

Usage: produce.py BROKERS TOPIC < records.tsv     (codec, partition, key, value in base64 or - for null, 1 for odd headers)
"""
import base64
import sys

from confluent_kafka import Producer

brokers, topic = sys.argv[1:3]
ODD_HEADERS = [("note", None), ("note", b"x"), ("zeta", b""), ("__proto__", b"1"), ("alpha", None)]
failures = []
producers = {}


def delivered(error, _):
    if error is not None:
        failures.append(str(error))


def producer_of(codec):
    if codec not in producers:
        # Long enough for all records of a partition to lie in one batch: a batch of one does not become smaller.
        producers[codec] = Producer(
            {"bootstrap.servers": brokers, "acks": "all", "linger.ms": 1000, "compression.type": codec}
        )
    return producers[codec]


for line in sys.stdin:
    codec, partition, key, value, odd = line.rstrip("\n").split("\t")
    producer_of(codec).produce(
        topic,
        partition=int(partition),
        key=key.encode(),
        value=None if value == "-" else base64.b64decode(value),
        headers=ODD_HEADERS if odd == "1" else None,
        callback=delivered,
    )
for producer in producers.values():
    if producer.flush(30) > 0:
        failures.append("not within 30 s")
if failures:
    sys.exit("not delivered: " + "; ".join(failures[:3]))
