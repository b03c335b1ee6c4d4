#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The gateway beside workers that run 64 tasks, hang, or are absent.

gateway.py FOLDER: two gateways under the real web server, one whose store has no
work (the idle system) and one whose store has 64 tasks running. Both are asked in
turns, one request at a time, so that what disturbs the machine disturbs both; the
state of the worker changes from block to block. Prints a line for each figure: p99
and median of each, and the ratio of the p99s.
"""
import http.client
import json
import os
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("BIN", TOP + "/bin")
ROUNDS = int(os.environ.get("ROUNDS", "6"))
POSTS = int(os.environ.get("POSTS", "60"))  # of each gateway, each round
GETS = int(os.environ.get("GETS", "120"))
TARGET = 1.2
children = []


def start(arguments, env, log):
    with open(log, "ab") as output:
        child = subprocess.Popen(arguments, env=env, stdout=output, stderr=output,
                                 stdin=subprocess.DEVNULL)
    children.append(child)
    return child


def until(condition, what):
    for _ in range(1500):
        if condition():
            return
        time.sleep(0.02)
    sys.exit("gateway.py: %s did not happen" % what)


class Gateway:
    def __init__(self, folder, port):
        self.folder = folder
        os.makedirs(folder + "/run/page")
        self.env = dict(
            os.environ, AGENT_STORE=folder + "/store", AGENT_TOKENS_FILE=folder + "/tokens",
            AGENT_GATEWAY_ADDRESS="127.0.0.1", AGENT_GATEWAY_PORT=str(port),
            AGENT_GATEWAY_BIN=BIN, AGENT_GATEWAY_SHARE=TOP + "/cmd/gateway",
            AGENT_GATEWAY_WEB=folder + "/run/page", AGENT_GATEWAY_RUN=folder + "/run")
        token = subprocess.run(["agent-token", "new", "bench"], env=self.env, check=True,
                               capture_output=True).stdout
        self.headers = {"Authorization": "Bearer " + json.loads(token)["token"],
                        "Content-Type": "application/json"}
        self.port = port
        self.connection = None
        start(["lighttpd", "-D", "-f", TOP + "/cmd/gateway/lighttpd.conf"], self.env,
              folder + "/log")
        until(self.answers, "the start of lighttpd")
        self.task = json.loads(self.ask("POST", "/v1/tasks", BODY)[1])["id"]

    def answers(self):
        try:
            return self.ask("GET", "/healthz")[0] > 0
        except OSError:
            return False

    def ask(self, method, path, body=None):
        """Milliseconds and body; every answer must be a good one."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        began = time.perf_counter()
        try:
            self.connection.request(method, path, body, self.headers)
            answer = self.connection.getresponse()
            text = answer.read()
        except OSError:
            self.connection = None
            raise
        if answer.status not in (200, 202):
            sys.exit("gateway.py: %s %s: %d %s" % (method, path, answer.status, text[:300]))
        return (time.perf_counter() - began) * 1000, text

    def status(self, *arguments):
        return subprocess.run(["agent-" + arguments[0], *arguments[1:]], env=self.env,
                              check=True, capture_output=True).stdout


# posted tasks must not run: they are for a later time
BODY = json.dumps({"goal": "Look at the teams.", "not_before": "2040-01-01T00:00:00Z"})


def running(gateway):
    return json.loads(gateway.status("scale-probe"))["running"]


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def measure(idle, busy, samples):
    """Asks both alternately and adds the times to SAMPLES."""
    for kind, count, request in (
            ("POST", POSTS, lambda g: g.ask("POST", "/v1/tasks", BODY)[0]),
            ("GET", GETS, lambda g: g.ask("GET", "/v1/tasks/" + g.task)[0])):
        for _ in range(count):
            samples.setdefault((kind, "idle"), []).append(request(idle))
            samples.setdefault((kind, "busy"), []).append(request(busy))


def stop(worker, busy):
    """Stops it, but not while it has the store's lock, which would stop others."""
    while True:
        os.kill(worker.pid, signal.SIGSTOP)
        with open("/proc/locks", encoding="ascii") as locks:
            inode = os.stat(busy.folder + "/store/lock").st_ino
            held = any(" WRITE " in line and ":%d " % inode in line and "->" not in line
                       for line in locks)
        if not held:
            return
        os.kill(worker.pid, signal.SIGCONT)
        time.sleep(0.01)


def main():
    folder = sys.argv[1]
    port = 13000 + os.getpid() * 7 % 15000
    idle = Gateway(folder + "/idle", port)
    busy = Gateway(folder + "/busy", port + 1)
    task = json.dumps({"goal": "Look at the teams.", "toolkits": ["linear"],
                       "tools": ["LINEAR_LIST_LINEAR_TEAMS"]})
    for _ in range(64):
        busy.ask("POST", "/v1/tasks", task)
    seen = {"64 running": {}, "a hung worker": {}, "no worker": {}}
    worker = start(["agent-worker", "--concurrency", "64"], busy.env, folder + "/worker")
    until(lambda: running(busy) == 64, "the start of 64 tasks")
    for _ in range(ROUNDS):
        measure(idle, busy, seen["64 running"])
        if running(busy) != 64:
            sys.exit("gateway.py: not all of the 64 tasks ran")
        stop(worker, busy)
        measure(idle, busy, seen["a hung worker"])
        os.kill(worker.pid, signal.SIGCONT)
    worker.kill()
    worker.wait()
    for _ in range(ROUNDS):
        measure(idle, busy, seen["no worker"])
    for state, samples in seen.items():
        for kind in ("POST", "GET"):
            # while the worker runs, the other gateway's machine is not idle
            quiet = seen["a hung worker"] if state == "64 running" else samples
            beside, alone = samples[(kind, "busy")], quiet[(kind, "idle")]
            ratio = percentile(beside, 0.99) / percentile(alone, 0.99)
            print("%-48s %-26s %-26s %-20s %-10s %s" % (
                "%s beside %s, p99 of %d" % (kind, state, len(beside)),
                "%.1f ms (median %.1f)" % (percentile(beside, 0.99), percentile(beside, 0.5)),
                "%.1f ms (median %.1f)" % (percentile(alone, 0.99), percentile(alone, 0.5)),
                "%.2f" % ratio, "<= %.1f" % TARGET, "held" if ratio <= TARGET else "missed"))


try:
    main()
finally:
    for child in children:
        if child.poll() is None:
            child.kill()
            child.wait()
