"""Writes records to a topic with aiokafka, a Kafka client that shares no code with librdkafka.

    produce.py BROKERS TOPIC < records

Each line is a record: headers `name:value,name:value`, its key, its value, with tabs between: as Kafka's own
console producer reads them.
"""

import asyncio
import sys

from aiokafka import AIOKafkaProducer


def record(line):
    headers, key, value = line.rstrip("\n").split("\t")
    pairs = [header.split(":", 1) for header in headers.split(",")]
    return {
        "headers": [(name, text.encode()) for name, text in pairs],
        "key": key.encode(),
        "value": value.encode(),
    }


async def main(brokers, topic):
    async with AIOKafkaProducer(
        bootstrap_servers=brokers, acks="all", enable_idempotence=True
    ) as producer:
        for line in sys.stdin:
            await producer.send_and_wait(topic, **record(line))


asyncio.run(main(*sys.argv[1:]))
