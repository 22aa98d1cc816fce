"""asyncua subscribes to counters 1 to N and counts what it gets: {"values", "seconds", "cpuSeconds", "rssMiB"}.
python asyncua_subscribe.py URL TAGS WARM_UP_SECONDS SECONDS"""
import asyncio
import json
import logging
import resource
import sys
import time

from asyncua import Client, ua

GROUP = 1000


class Count:
    def __init__(self):
        self.values = 0

    def datachange_notification(self, node, value, data):
        self.values += 1


async def main():
    url, tags, warm_up, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    logging.disable(logging.WARNING)
    count = Count()
    client = Client(url, timeout=60)
    async with client:
        subscription = await client.create_subscription(100, count)
        for first in range(1, tags + 1, GROUP):
            nodes = [client.get_node(f"ns=2;i={tag}") for tag in range(first, min(first + GROUP, tags + 1))]
            await subscription.subscribe_data_change(nodes, queuesize=50, sampling_interval=0)
        await asyncio.sleep(warm_up)
        before, cpu, start = count.values, time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        print(json.dumps({
            "values": count.values - before,
            "seconds": time.monotonic() - start,
            "cpuSeconds": time.process_time() - cpu,
            "rssMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }), flush=True)
        # A saturated client would take long to say goodbye.
        import os
        os._exit(0)


asyncio.run(main())
