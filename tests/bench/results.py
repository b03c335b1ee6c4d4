#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What a large result of a tool costs agent-worker.

results.py TASK FOLDER: plays both services, since agent-standin's results are as
small as its scripts. TASK has passed agent-preflight. A worker runs one task, in
which the model calls a tool once: alternately with a small result and with a large
one. What the large one costs more is its cost: processor time (user and system,
from the request to the commit), and the peak of the memory.
"""
import http.server
import json
import os
import statistics
import subprocess
import sys
import threading

ROUNDS = int(os.environ.get("ROUNDS", "7"))
SMALL, LARGE, HUGE = 1000, 2_000_000, 29_000_000


def rows(size):
    """An answer of about SIZE bytes, as a mailbox or a sheet gives."""
    one = ('{"id":"msg_%08d","from":"Ana Lima <ana@example.org>","labels":["INBOX",'
           '"UNREAD"],"size":%d,"starred":false,"subject":"Caf\u00e9 \\"Sol\\"",'
           '"text":"See you at ten.\\nBring the list of what is still missing, and the '
           'keys.\\n\\u2014 Ana"}')
    count = max(1, size // len((one % (0, 0)).encode()))
    return ('{"data":{"messages":[%s]},"successful":true,"error":null,"log_id":"log_1"}'
            % ",".join(one % (i, i) for i in range(count))).encode()


def event(**members):
    return "data: %s\n\n" % json.dumps(members)


def reply(blocks, stop):
    usage = {"input_tokens": 10, "output_tokens": 10}
    text = event(type="message_start", message={"id": "msg_1", "model": "m", "usage": usage})
    for i, block in enumerate(blocks):
        text += event(type="content_block_start", index=i, content_block=block)
        text += event(type="content_block_stop", index=i)
    text += event(type="message_delta", delta={"stop_reason": stop}, usage=usage)
    return (text + event(type="message_stop")).encode()


CALL = reply([{"type": "tool_use", "id": "toolu_1", "name": "LINEAR_LIST_LINEAR_TEAMS",
               "input": {}}], "tool_use")
END = reply([{"type": "text", "text": "Done."}], "end_turn")


class Services(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    result = b""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path.startswith("/api/"):
            answer, kind = Services.result, "application/json"
        else:
            answer = END if b'"tool_result"' in body else CALL
            kind = "text/event-stream"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def run(folder, task, env, result):
    """Seconds of processor time and bytes of memory of a worker."""
    Services.result = result
    store = "%s/%d" % (folder, run.count)
    run.count += 1
    subprocess.run(["agent-submit", "--no-preflight", "--store", store], input=task, env=env,
                   check=True, stdout=subprocess.DEVNULL)
    worker = subprocess.Popen(["agent-worker", "--store", store, "--config",
                               folder + "/agent.yaml"], env=env, stderr=subprocess.PIPE)
    lines = []
    for line in worker.stderr:
        lines.append(line)
        if b'"completed"' in line:
            break
    # not ru_maxrss, in which this process before the exec counts
    with open("/proc/%d/status" % worker.pid, encoding="ascii") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    worker.terminate()
    _, worker.returncode, usage = os.wait4(worker.pid, 0)
    worker.stderr.close()
    if worker.returncode != 0:
        sys.exit("results.py: agent-worker: %s" % b"".join(lines).decode())
    return usage.ru_utime + usage.ru_stime, peak * 1024


run.count = 0


def figure(name, values, form, target, most):
    value = statistics.median(values)
    print("%-48s %-26s %-26s %-20s %-10s %s" % (
        name, (form + " (%.1f-%.1f)") % (value, min(values), max(values)), "-", "-", target,
        "met" if value <= most else "missed"), flush=True)


def main():
    task, folder = open(sys.argv[1], "rb").read(), sys.argv[2]
    os.makedirs(folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Services)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d" % server.server_port
    env = dict(os.environ, ANTHROPIC_BASE_URL=url, COMPOSIO_BASE_URL=url)
    with open(folder + "/agent.yaml", "w", encoding="ascii") as settings:
        settings.write(os.environ.get("SETTINGS", "result_bytes_max: 32000000\n"))
    small, large, huge = rows(SMALL), rows(LARGE), rows(HUGE)
    times, growths = [], []
    for _ in range(ROUNDS):
        least, memory = run(folder, task, env, small)
        times.append((run(folder, task, env, large)[0] - least) * 1000)
        if len(growths) < 3:
            growths.append((run(folder, task, env, huge)[1] - memory) / len(huge))
    figure("a result of 2 MB, worker's processor time", times, "%.1f ms", "<= 30 ms", 30)
    figure("a result of 29 MB, memory over its size", growths, "%.1f", "<= 4", 4)


main()
