# SPDX-License-Identifier: ISC
"""Measures agent-worker on Temporal beside workers of the official SDKs.

usage: bench.py --address HOST:PORT --server PID --folder DIR --task FILE
                --urls FAST,SLOW,ONE --go PROGRAM [--rounds N] [--tasks N]
                [--drained N] [FIGURE...]

Prints the lines of a table; README.md beside this file says what each means.
The three workers take turns: each round starts every one of them anew, on a
queue of its own, so that the ratios are of neighbours.
"""
import argparse
import asyncio
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
import traceback
import uuid

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest, DescribeWorkflowExecutionRequest)
from temporalio.client import Client
from temporalio.common import (
    Priority, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes)

STEPS = 11          # ten and the reply that ends the task
OURS, GO, PYTHON = "agent-worker", "go", "python"
KINDS = (OURS, GO, PYTHON)
FIGURE_LIMIT = 900  # seconds
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
HERE = os.path.dirname(os.path.abspath(__file__))
number = itertools.count(1)


def cpu_ms(pid):
    """The time that a process has used, user and system, in milliseconds."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / TICKS


def memory_mb(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * PAGE / 1e6


def at(event):
    return event.event_time.ToNanoseconds() / 1e6


class Bench:
    def __init__(self, options, client):
        self.options = options
        self.client = client
        self.fast, self.slow, self.one = options.urls.split(",")
        self.requests = os.path.join(options.folder, "requests.json")
        self.template = None
        self.missed = False
        self.spawned = []

    async def prepare(self):
        """Submits a task and runs it: the requests of agent-submit to the
        server, and of the worker to the services, are used again."""
        address = os.path.join(self.options.folder, "recorder")
        recorder = subprocess.Popen([
            sys.executable, os.path.join(HERE, "record.py"), self.fast,
            address, self.requests])
        try:
            while not os.path.exists(address):
                await asyncio.sleep(0.02)
            with open(self.options.task, encoding="utf-8") as task:
                submitted = json.loads(subprocess.run(
                    ["agent-submit", "--json", "--engine", self.engine()],
                    stdin=task, capture_output=True, check=True).stdout)
            with open(address, encoding="ascii") as file:
                worker = self.spawn(OURS, "default", file.read())
            handle = self.client.get_workflow_handle(submitted["id"])
            await self.finish(handle)
            self.end(worker)
        finally:
            self.end(recorder)
        first = (await self.history(handle))[0]
        self.template = first.workflow_execution_started_event_attributes

    def engine(self):
        return f"temporal://{self.options.address}/default"

    def queue(self, kind):
        """A new queue, which was never polled."""
        return f"{kind.split('-')[0]}{next(number)}"

    # Workers

    def spawn(self, kind, queue, url, store="store"):
        options = self.options
        environment = dict(os.environ, ANTHROPIC_BASE_URL=url,
                           COMPOSIO_BASE_URL=url,
                           AGENT_STORE=os.path.join(options.folder, store),
                           XDG_RUNTIME_DIR=os.path.join(options.folder, store))
        os.makedirs(environment["XDG_RUNTIME_DIR"], exist_ok=True)
        if kind == OURS:
            line = ["agent-worker", "--queue", queue, "--concurrency", "256",
                    "--engine", self.engine()]
        else:
            line = {GO: [options.go], PYTHON: [
                sys.executable, os.path.join(HERE, "worker.py")]}[kind]
            line = line + [options.address, queue, self.requests, url]
        with open(os.path.join(options.folder, f"{kind}.log"), "ab") as log:
            worker = subprocess.Popen(line, env=environment, stdout=log,
                                      stderr=log, stdin=subprocess.DEVNULL)
        self.spawned.append(worker)
        return worker

    async def ready(self, kind, queue, count=1):
        """Waits until COUNT workers poll for tasks of both kinds."""
        name = f"agent-{queue}" if kind == OURS else queue
        missing = {TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
                   TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY}
        deadline = time.monotonic() + 20
        while missing:
            for which in sorted(missing):
                answer = await self.client.workflow_service.describe_task_queue(
                    DescribeTaskQueueRequest(
                        namespace="default", task_queue=TaskQueue(name=name),
                        task_queue_type=which))
                if len({p.identity for p in answer.pollers}) >= count:
                    missing.remove(which)
            if time.monotonic() > deadline:
                raise RuntimeError(f"the {kind} worker does not poll")
            await asyncio.sleep(0.02)

    def end(self, *workers):
        for worker in workers:
            worker.kill()
            worker.wait()

    # Tasks

    async def start(self, kind, queue, steps=STEPS):
        """Starts a task with the official client; agent-submit sends the same
        input, memo and search attributes."""
        name = str(uuid.uuid4())
        if kind != OURS:
            return await self.client.start_workflow(
                "Task", steps, id=name, task_queue=queue,
                result_type=str)
        document, *rest = [json.loads(payload.data)
                           for payload in self.template.input.payloads]
        document["task"]["queue"] = queue
        memo = {key: json.loads(payload.data)
                for key, payload in self.template.memo.fields.items()}
        attributes = self.template.search_attributes.indexed_fields
        priority = self.template.priority
        return await self.client.start_workflow(
            "agent-task", args=[document, *rest], id=name,
            task_queue=f"agent-{queue}", memo=dict(memo, queue=queue),
            search_attributes=TypedSearchAttributes([
                SearchAttributePair(SearchAttributeKey.for_keyword(key),
                                    json.loads(payload.data))
                for key, payload in attributes.items()]),
            priority=Priority(priority_key=priority.priority_key or None,
                              fairness_key=priority.fairness_key or None))

    async def finish(self, handle):
        """Asks again and again: a long poll may miss its answer."""
        while True:
            try:
                return await asyncio.wait_for(handle.result(), 10)
            except asyncio.TimeoutError:
                continue

    async def run(self, kind, queue, count, at_once, steps=STEPS, done=None):
        """COUNT tasks, AT_ONCE of them at any time; their handles."""
        left, handles = iter(range(count)), []

        async def one_after_the_other():
            for _ in left:
                handle = await self.start(kind, queue, steps)
                handles.append(handle)
                await self.finish(handle)
                if done:
                    done(len(handles))

        await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
        return handles

    async def history(self, handle):
        return [event async for event in handle.fetch_history_events()]

    # The table

    def heads(self):
        self.line("figure", dict(zip(KINDS, ("measured", "Go SDK",
                                             "Python SDK"))),
                  "verdict", "target", "ratio to Go")

    def line(self, figure, values, verdict="", target="", ratio=""):
        self.missed = self.missed or verdict == "missed"
        cells = [values.get(kind, "") for kind in KINDS]
        print(f"{figure:<44} {cells[0]:<24} {cells[1]:<24} {cells[2]:<24} "
              f"{ratio:<20} {target:<10} {verdict}".rstrip(), flush=True)

    def compare(self, figure, values, unit, ratio=False, most=None, least=None,
                digits=1, held=statistics.median):
        """VALUES are lists by kind. What is held against the target is the
        ratio to Go's of the same round, if so said, or the figure itself."""
        def spread(list_, d):
            return (f"{statistics.median(list_):.{d}f} "
                    f"({min(list_):.{d}f}..{max(list_):.{d}f})")

        shown = {kind: f"{spread(list_, digits)} {unit}"
                 for kind, list_ in values.items() if list_}
        measured, text = held(values[OURS]), ""
        if ratio:
            ratios = [a / b for a, b in zip(values[OURS], values[GO])]
            measured, text = held(ratios), spread(ratios, 2)
        target = verdict = ""
        if most is not None:
            target, verdict = f"<= {most}", "met" if measured <= most else "missed"
        elif least is not None:
            target, verdict = f">= {least}", "met" if measured >= least else "missed"
        self.line(figure, shown, verdict, target, text)

    # Figures

    async def load(self):
        names = ("cpu", "rate", "step", "tail", "server", "memory")
        found = {name: {kind: [] for kind in KINDS} for name in names}
        for _ in range(self.options.rounds):
            for kind in KINDS:
                queue = self.queue(kind)
                worker = self.spawn(kind, queue, self.fast)
                await self.ready(kind, queue)
                await self.run(kind, queue, 20, 20)
                before, server = cpu_ms(worker.pid), cpu_ms(self.options.server)
                started = time.monotonic()
                await self.run(kind, queue, self.options.tasks, 20)
                took = time.monotonic() - started
                tasks = self.options.tasks
                found["cpu"][kind].append((cpu_ms(worker.pid) - before) / tasks)
                found["server"][kind].append(
                    (cpu_ms(self.options.server) - server) / tasks)
                found["rate"][kind].append(tasks * STEPS / took)
                found["memory"][kind].append(memory_mb(worker.pid))
                gaps = []
                for handle in await self.run(kind, queue, 30, 1):
                    times = [at(e) for e in await self.history(handle) if
                             e.event_type
                             == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED]
                    assert len(times) == STEPS, f"{len(times)} steps"
                    gaps += [b - a for a, b in zip(times, times[1:])]
                found["step"][kind].append(statistics.median(gaps))
                found["tail"][kind].append(sorted(gaps)[len(gaps) * 99 // 100])
                self.end(worker)
        self.compare("worker CPU per task, 20 in flight", found["cpu"], "ms",
                     ratio=True, most=0.4)
        self.compare("steps a second, 20 in flight", found["rate"], "",
                     ratio=True, least=1, digits=0)
        self.compare("step p50, one task at a time", found["step"], "ms",
                     ratio=True, most=1)
        self.compare("step p99, one task at a time", found["tail"], "ms",
                     ratio=True)
        self.compare("server CPU per task, 20 in flight", found["server"], "ms",
                     ratio=True)
        self.compare("memory after that", found["memory"], "MB")

    async def memory(self):
        idle = {kind: [] for kind in KINDS}
        full = {kind: [] for kind in KINDS}
        for kind in KINDS:
            queue = self.queue(kind)
            worker = self.spawn(kind, queue, self.slow)
            await self.ready(kind, queue)
            await asyncio.sleep(1)
            idle[kind].append(memory_mb(worker.pid))
            work = asyncio.create_task(self.run(kind, queue, 200, 200))
            most = 0
            while not work.done():
                most = max(most, memory_mb(worker.pid))
                await asyncio.sleep(0.05)
            await work
            full[kind].append(most)
            self.end(worker)
        self.compare("memory, idle", idle, "MB", most=11)
        self.compare("memory, 200 tasks at once", full, "MB", most=40)

    async def begin(self):
        found = {kind: [] for kind in KINDS}
        for _ in range(7):
            for kind in KINDS:
                queue = self.queue(kind)
                handle = await self.start(kind, queue, 1)
                await asyncio.sleep(0.3)  # the server has put it in the queue
                before = time.time() * 1000
                worker = self.spawn(kind, queue, self.one)
                while not (events := [
                        e for e in await self.attempts(handle)]):
                    await asyncio.sleep(0.01)
                found[kind].append(events[0] - before)
                self.end(worker)
        self.compare("exec to the first step started", found, "ms", most=30)

    async def describe(self, handle):
        return await self.client.workflow_service.describe_workflow_execution(
            DescribeWorkflowExecutionRequest(
                namespace="default",
                execution=WorkflowExecution(workflow_id=handle.id)))

    async def attempts(self, handle, after=0):
        """When the step under way was started, if it was after AFTER. The one
        that follows a reported loss is another activity to the server."""
        answer = await self.describe(handle)
        return [p.last_started_time.ToNanoseconds() / 1e6
                for p in answer.pending_activities
                if p.state == 2 and
                p.last_started_time.ToNanoseconds() / 1e6 > after]

    async def takeover(self):
        cases = (("kill -9 to the next attempt, same host", "store", 300, 9),
                 ("kill -9 to the next attempt, elsewhere", "other", 4000, 3))
        for figure, other, most, runs in cases:
            kinds = (OURS,) if other == "store" else (OURS, GO)
            found = {kind: [] for kind in kinds}
            for _, kind in itertools.product(range(runs), kinds):
                queue = self.queue(kind)
                workers = [self.spawn(kind, queue, self.one),
                           self.spawn(kind, queue, self.one, other)]
                await self.ready(kind, queue, 2)
                handle = await self.start(kind, queue, 1)
                while not (begun := await self.attempts(handle)):
                    await asyncio.sleep(0.01)
                answer = await self.describe(handle)
                pid = int(answer.pending_activities[0]
                          .last_worker_identity.split("@")[0])
                # after its first heartbeat
                until = begun[0] / 1000 + random.uniform(1.2, 2)
                await asyncio.sleep(until - time.time())
                killed = time.time() * 1000
                os.kill(pid, signal.SIGKILL)
                while not (next_ := await self.attempts(handle, killed)):
                    await asyncio.sleep(0.02)
                found[kind].append(next_[0] - killed)
                self.end(*workers)
            self.compare(figure, found, "ms", most=most, digits=0,
                         held=max)

    async def exchange(self, number_):
        """Tasks under way while workers go, by signal NUMBER_, and others
        take their place: how many steps, and how many had to be repeated."""
        tasks, ends = self.options.drained, 12
        queue = self.queue(OURS)
        workers = [self.spawn(OURS, queue, self.fast)]
        await self.ready(OURS, queue)
        marks = [tasks * (i + 1) // (ends + 1) for i in range(ends)]

        def done(count):
            if marks and count >= marks[0]:
                marks.pop(0)
                workers.append(self.spawn(OURS, queue, self.fast))
                workers[-2].send_signal(number_)

        handles = await self.run(OURS, queue, tasks, 32, done=done)
        steps = repeated = codes = 0
        for handle in handles:
            for event in await self.history(handle):
                kind = event.event_type
                if kind == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                    steps += 1
                    repeated += (event.activity_task_started_event_attributes
                                 .attempt > 1)
                elif kind in (EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
                              EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT):
                    repeated += 1
        for worker in workers[:-1]:
            codes += worker.wait(60) != 0
        self.end(workers[-1])
        return steps, repeated, codes

    async def drain(self):
        steps, lost, codes = await self.exchange(signal.SIGTERM)
        self.line(f"lost of {steps} steps, 12 drains",
                  {OURS: f"{lost}, {codes} bad exits"},
                  "met" if lost == codes == 0 else "missed", "0")
        steps, lost, _ = await self.exchange(signal.SIGKILL)
        self.line(f"every task ended, {steps} steps, 12 kills",
                  {OURS: f"{lost} repeated"}, "met", "all")


async def main():
    parser = argparse.ArgumentParser()
    for name in ("address", "folder", "task", "urls", "go"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--server", type=int, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=150)
    parser.add_argument("--drained", type=int, default=400)
    parser.add_argument("figures", nargs="*")
    options = parser.parse_args()
    bench = Bench(options, await Client.connect(options.address))
    figures = options.figures or ("load", "memory", "begin", "takeover", "drain")
    try:
        await bench.prepare()
        load = os.getloadavg()[0]
        bench.heads()
        for figure in figures:
            await asyncio.wait_for(getattr(bench, figure)(), FIGURE_LIMIT)
    except Exception:
        traceback.print_exc()
        return 111
    finally:
        bench.end(*bench.spawned)
    print(f"\n{os.cpu_count()} processors, load {load:.2f} at the start and "
          f"{os.getloadavg()[0]:.2f} at the end")
    return int(bench.missed)


sys.exit(asyncio.run(main()))
