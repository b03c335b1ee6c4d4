# SPDX-License-Identifier: ISC
"""A worker with Temporal's own Python SDK and its defaults, for scripts/bench.

usage: worker.py ADDRESS QUEUE REQUESTS URL

A task is as many steps as its input says, each an activity that sends one of
the recorded requests and reads the answer to its end.
"""
import asyncio
import json
import signal
import sys
from datetime import timedelta

import aiohttp
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

ROOM = 200  # activities at once; the default of 100 is for fewer tasks

requests = []
url = None
caller = None


async def beat():
    while True:
        await asyncio.sleep(1)
        activity.heartbeat()


def beating(work):
    """WORK with a beat a second for as long as it takes."""
    async def call(step: int):
        beats = asyncio.create_task(beat())
        try:
            return await work(step)
        finally:
            beats.cancel()
    return call


def send(step):
    what = requests[step]
    return caller.post(url + what["path"], data=what["body"].encode(),
                       headers=what["headers"], raise_for_status=True)


async def turn(step):
    content = []
    async with send(step) as answer:
        async for line in answer.content:
            if not line.startswith(b"data: "):
                continue
            event = json.loads(line[6:])
            if event["type"] == "content_block_start":
                content.append(event["content_block"])
                parts = []
            elif event["type"] == "content_block_delta":
                delta, block = event["delta"], content[event["index"]]
                if "text" in delta:
                    block["text"] += delta["text"]
                parts.append(delta.get("partial_json", ""))
            elif event["type"] == "content_block_stop" and "".join(parts):
                content[event["index"]]["input"] = json.loads("".join(parts))
    return content


async def call(step):
    async with send(step) as answer:
        return await answer.json()


@workflow.defn(name="Task")
class Task:
    @workflow.run
    async def run(self, steps: int) -> str:
        content = []
        for step in range(steps):
            answer = await workflow.execute_activity(
                "Call" if step % 2 else "Turn", step,
                start_to_close_timeout=timedelta(hours=1),
                heartbeat_timeout=timedelta(seconds=3))
            if step % 2 == 0:
                content = answer
        return content[0]["text"]


async def main():
    global requests, url, caller
    address, queue, recorded, url = sys.argv[1:]
    with open(recorded, encoding="utf-8") as file:
        requests = json.load(file)
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    caller = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    activities = [activity.defn(beating(work), name=name)
                  for name, work in (("Turn", turn), ("Call", call))]
    async with caller, Worker(
            await Client.connect(address), task_queue=queue, workflows=[Task],
            workflow_runner=UnsandboxedWorkflowRunner(),
            activities=activities, max_concurrent_activities=ROOM):
        await over.wait()


asyncio.run(main())
