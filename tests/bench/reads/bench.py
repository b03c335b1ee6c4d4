# SPDX-License-Identifier: ISC
"""Measures the gateway's GET routes beside their floor and their peer.

usage: bench.py --folder DIR --floor PROGRAM --python PYTHON [--rounds N]

Prints the lines of scripts/bench's table. Everything is on loopback, with wrk
as the load: under one lighttpd dash and the floor, agent-gateway (which is
dash and agent-status --cgi), and agent-status --fastcgi; and FastAPI under
uvicorn, on its own. They take turns, so that the ratios are of neighbours.
"""
import argparse
import asyncio
import itertools
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
TICKS = os.sysconf("SC_CLK_TCK")
AT_ONCE = 8
SECONDS = 2
BROWSERS = 1000
WATCH_SECONDS = 10
COMMITS = 20 # a second, meanwhile
TASKS = 1000
missed = False


def line(figure, measured, floor="-", ratio="-", target="-", met=None):
    global missed
    missed = missed or met is False
    verdict = "-" if met is None else "met" if met else "missed"
    print(f"{figure:<48} {measured:<26} {floor:<26} {ratio:<20} {target:<10}"
          f" {verdict}", flush=True)


def spread(values, form):
    return (f"{form(statistics.median(values))} ("
            f"{re.split('[ /]', form(min(values)))[0]}-"
            f"{re.split('[ /]', form(max(values)))[0]})")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def cpu_seconds(pids):
    """The time that they have used, and their children that have ended."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        total += sum(int(field) for field in fields[11:15])
    return total / TICKS


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def await_port(port, process):
    for _ in range(500):
        if process.poll() is not None:
            sys.exit(f"bench: {process.args[0]} ended by itself")
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    sys.exit(f"bench: {process.args[0]} does not listen")


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = options.folder
        self.processes = []
        os.makedirs(f"{self.folder}/gateway")
        self.environment = {
            "AGENT_STORE": f"{self.folder}/store",
            "AGENT_TOKENS_FILE": f"{self.folder}/tokens",
            "AGENT_GATEWAY_FOLDER": f"{self.folder}/gateway",
            "AGENT_GATEWAY_WAITING": "8000",
        }
        os.environ.update(self.environment)
        made = subprocess.run(["agent-token", "--json", "new", "bench"],
                              check=True, stdout=subprocess.PIPE)
        self.token = json.loads(made.stdout)["token"]
        lines = "".join(json.dumps({"user": "bench", "goal": f"task {i}"})
                        + "\n" for i in range(TASKS))
        made = subprocess.run(["agent-submit", "--no-preflight"], check=True,
                              input=lines.encode(), stdout=subprocess.PIPE)
        self.ids = [json.loads(one)["id"] for one in made.stdout.splitlines()]
        self.ports = {name: free_port() for name in ("cgi", "fastcgi", "peer")}

    def start(self, *command):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL,
            stderr=open(f"{self.folder}/err", "ab"))
        self.processes.append(process)
        return process

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()

    def script(self, name, command):
        path = f"{self.folder}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/dash\nexec {command}\n")
        os.chmod(path, 0o700)
        return path

    def serve(self):
        folder = os.path.dirname(shutil.which("agent-status"))
        settings = ", ".join(f'"{name}" => "{value}"' for name, value
                             in self.environment.items())
        floor = self.script("floor", self.options.floor)
        with open(f"{self.folder}/conf", "w", encoding="utf-8") as file:
            file.write(f"""
server.bind = "127.0.0.1"
server.port = {self.ports["fastcgi"]}
server.document-root = "{self.folder}/gateway"
server.errorlog = "{self.folder}/log"
server.max-connections = 4096
server.max-fds = 16384
server.max-keep-alive-requests = 100000000
server.stream-response-body = 2
server.modules = ("mod_setenv", "mod_alias", "mod_cgi", "mod_fastcgi")
setenv.add-environment = ({settings})
cgi.assign = ("" => "")
$SERVER["socket"] == "127.0.0.1:{self.ports["cgi"]}" {{
    alias.url = ("/v1/tasks" => "{folder}/agent-gateway",
                 "/floor" => "{floor}")
}}
$SERVER["socket"] == "127.0.0.1:{self.ports["fastcgi"]}" {{
    fastcgi.server = ("/v1/tasks" => ((
        "bin-path" => "{folder}/agent-status --fastcgi",
        "socket" => "{self.folder}/s",
        "check-local" => "disable", "max-procs" => 1)))
}}
""")
        self.server = self.start("lighttpd", "-D", "-f",
                                 f"{self.folder}/conf")
        self.peer = self.start(
            self.options.python, "-m", "uvicorn", "--app-dir", HERE,
            "--host", "127.0.0.1", "--port", str(self.ports["peer"]),
            "--workers", "2", "--log-level", "error", "--no-access-log",
            "peer:app")
        await_port(self.ports["cgi"], self.server)
        await_port(self.ports["peer"], self.peer)
        # the resident processes: no CGI process runs yet
        self.pids = {"peer": [self.peer.pid] + children(self.peer.pid),
                     "server": [self.server.pid] + children(self.server.pid)}

    def fetch(self, port, path, headers=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}",
            headers={"Authorization": f"Bearer {self.token}",
                     **(headers or {})})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.headers, answer.read()

    def load(self, port, path, headers=()):
        """Requests a second, p99 and processor time a request, both in ms."""
        pids = self.pids["peer" if port == self.ports["peer"] else "server"]
        before = cpu_seconds(pids)
        command = ["wrk", "-t1", f"-c{AT_ONCE}", f"-d{SECONDS}s", "--latency"]
        for header in (f"Authorization: Bearer {self.token}", *headers):
            command += ["-H", header]
        out = subprocess.run(command + [f"http://127.0.0.1:{port}{path}"],
                             check=True, stdout=subprocess.PIPE,
                             text=True).stdout
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
        if bad or "Socket errors" in out:
            sys.exit(f"bench: {path} was not answered well:\n{out}")
        worst = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
        count = int(re.search(r"(\d+) requests in", out).group(1))
        return (float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)),
                float(worst.group(1)) * {"us": 0.001, "ms": 1,
                                         "s": 1000}[worst.group(2)],
                (cpu_seconds(pids) - before) * 1000 / count)

    def rates(self):
        name = self.ids[len(self.ids) // 2]
        etag = self.fetch(self.ports["cgi"], f"/v1/tasks/{name}")[0]["ETag"]
        routes = [
            ("a task", f"/v1/tasks/{name}", ()),
            ("a task, 304", f"/v1/tasks/{name}", (f"If-None-Match: {etag}",)),
            ("its events", f"/v1/tasks/{name}/events", ()),
            ("50 tasks", "/v1/tasks", ()),
        ]
        floors = []
        for words, path, headers in routes:
            got = {kind: [] for kind in ("floor", "cgi", "fastcgi", "peer")}
            for _ in range(self.options.rounds):
                got["floor"].append(self.load(self.ports["cgi"],
                                              f"/floor/{name}"))
                for kind in ("cgi", "peer", "fastcgi"):
                    got[kind].append(self.load(self.ports[kind], path,
                                               headers))
            floors += got["floor"]
            self.show(words, got, "cgi", "floor", 0.8, "--cgi")
            self.show(words, got, "fastcgi", "peer", 2, "--fastcgi")
        line("dash and one exec that reads LMDB, p99",
             spread([one[1] for one in floors], lambda ms: f"{ms:.1f} ms"))

    @staticmethod
    def show(words, got, kind, other, target, option):
        ours = [one[0] for one in got[kind]]
        theirs = [one[0] for one in got[other]]
        ratios = [one / two for one, two in zip(ours, theirs)]
        rate = lambda number: f"{number:.0f}/s"
        line(f"GET {words}, {option}", spread(ours, rate),
             spread(theirs, rate), spread(ratios, lambda one: f"{one:.2f}"),
             f">= {target}", statistics.median(ratios) >= target)
        line("  p99, 8 at once",
             spread([one[1] for one in got[kind]], lambda ms: f"{ms:.1f} ms"),
             spread([one[1] for one in got[other]], lambda ms: f"{ms:.1f} ms"))
        ours, theirs = ([one[2] for one in got[name]]
                        for name in (kind, other))
        line("  processor time of a request",
             spread(ours, lambda ms: f"{ms:.3f} ms"),
             spread(theirs, lambda ms: f"{ms:.3f} ms"),
             spread([one / two for one, two in zip(ours, theirs)],
                    lambda one: f"{one:.2f}"))

    # ---- browsers that watch ----

    async def ask(self, path, etag, reader, writer):
        head = (f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                f"{self.token}\r\n")
        if etag:
            head += f"If-None-Match: {etag}\r\n"
        writer.write((head + "\r\n").encode())
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"(?im)^content-length: (\d+)", answer)
        status = int(answer.split(" ", 2)[1])
        if length and status != 304:
            await reader.readexactly(int(length.group(1)))
        if status not in (200, 304):
            sys.exit(f"bench: {path} was answered {answer}")
        found = re.search(r"(?im)^etag: (\S+)", answer)
        return found.group(1) if found else None

    async def browser(self, name, wait, counts):
        path = f"/v1/tasks/{name}" + ("?wait=20" if wait else "")
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.ports["fastcgi"])
        etag = None
        try:
            while True:
                etag = await self.ask(path, etag, reader, writer)
                counts["answers"] += 1
                if not wait:
                    await asyncio.sleep(2)
        finally:
            writer.close()

    async def commits(self, counts):
        """Pauses and resumes: each is a commit to one of the tasks."""
        for turn in itertools.count():
            name = self.ids[turn // 2 % len(self.ids)]
            process = await asyncio.create_subprocess_exec(
                "agent-signal", ("pause", "resume")[turn % 2], name,
                stdout=subprocess.DEVNULL)
            await process.wait()
            counts["commits"] += 1
            await asyncio.sleep(1 / COMMITS)

    async def watch(self, wait):
        counts = {"answers": 0, "commits": 0}
        work = []
        for i in range(BROWSERS):
            work.append(asyncio.create_task(self.browser(
                self.ids[i % len(self.ids)], wait, counts)))
            if i % 50 == 49:
                await asyncio.sleep(0.1)
        work.append(asyncio.create_task(self.commits(counts)))
        await asyncio.sleep(1)
        pids = self.pids["server"]
        before, then = cpu_seconds(pids), time.monotonic()
        first = dict(counts)
        await asyncio.sleep(WATCH_SECONDS)
        cost = (cpu_seconds(pids) - before) / (time.monotonic() - then)
        for one in work:
            if one.done():
                one.result()
            one.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        return cost, {name: (counts[name] - first[name]) / WATCH_SECONDS
                      for name in counts}

    def watching(self):
        for words, wait in (("long polls", True), ("polls, every 2 s", False)):
            cost, counts = asyncio.run(self.watch(wait))
            line(f"{BROWSERS} browsers watch by {words}: cores",
                 f"{cost:.2f}", target="<= 1", met=cost <= 1)
            line("  answers, commits a second",
                 f"{counts['answers']:.0f}, {counts['commits']:.0f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True)
    parser.add_argument("--floor", required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    bench = Bench(parser.parse_args())
    try:
        bench.serve()
        bench.rates()
        bench.watching()
    finally:
        bench.stop()
    sys.exit(1 if missed else 0)


main()
