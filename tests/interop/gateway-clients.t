#!/bin/sh
# SPDX-License-Identifier: ISC
# The gateway with typical clients: Python's httpx and node's fetch,
# each from a task to its end, streams and long polls included; and its metrics as
# the official parser reads them. httpx and prometheus-client come from PyPI:
# GATEWAY_VENV, or a virtual environment in the build folder.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$ROOT/bin} BUILD=${BUILD:-$ROOT/build}
. "$ROOT/tests/lib.sh"
TOP=$ROOT
. "$ROOT/tests/gateway.sh"

python_with "${GATEWAY_VENV:-$BUILD/gateway-venv}" 'httpx, prometheus_client' 'httpx<1' 'prometheus-client<1'
standin "$ROOT/scripts/examples/standin-triage.yaml" --mailbox "$ROOT/tests/data/mailbox-small.mbox" ||
	{ echo "Bail out! no stand-in"; exit 1; }
gateway AGENT_GATEWAY_FASTCGI="${FASTCGI:-1}"
WHO=$(token ana)
export API WHO
start agent-worker 2>"$T/worker.log"

cat >"$T/client.py" <<'END'
import os, httpx
api = httpx.Client(base_url=os.environ["API"], timeout=40,
                   headers={"Authorization": "Bearer " + os.environ["WHO"]})
goal = ("Go through the last three days of my mail, draft replies to anything urgent, "
        "create Linear tickets for the engineering ones.")
task = {"goal": goal, "toolkits": ["gmail", "linear"]}
answer = api.post("/v1/tasks", json=task, headers={"Idempotency-Key": "py"})
assert answer.status_code == 202, answer.text
where = answer.headers["location"]
assert api.post("/v1/tasks", json=task, headers={"Idempotency-Key": "py"}).json()["existing"]
types, last = [], 0
with api.stream("GET", where + "/events", headers={"Accept": "text/event-stream"}) as stream:
    assert stream.headers["content-type"].startswith("text/event-stream")
    for line in stream.iter_lines():
        if line.startswith("event: "):
            types.append(line[7:])
        elif line.startswith("id: "):
            last = int(line[4:])
assert types[0] == "submitted" and types[-1] == "completed", types
assert last == len(types)
page = api.get(where + "/events", params={"after": last - 1}).json()
assert page["ended"] and page["next"] == last and len(page["events"]) == 1
got = api.get(where)
assert got.json()["state"] == "completed"
assert api.get(where, headers={"If-None-Match": got.headers["etag"]}).status_code == 304
assert api.get(where + "/result").json()["result"]
assert api.post(where + "/signals", json={"signal": "cancel"}).status_code == 409
later = api.post("/v1/tasks", json={"goal": "Say hello.", "not_before": "2040-01-01T00:00:00Z"})
cancelled = api.post(later.headers["location"] + "/signals", json={"signal": "cancel"})
assert cancelled.json()["state"] == "cancelled", cancelled.text
print("fine")
END
check "httpx: a task from its submission to its result" "$PYTHON" "$T/client.py"
[ -s "$OUT" ] || sed 's/^/# /' "$ERR"

cat >"$T/metrics.py" <<'END'
import subprocess, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
text = subprocess.run(["agent-scale-probe", "--openmetrics"], check=True, capture_output=True,
                      text=True).stdout
found = {f.name: f for f in text_string_to_metric_families(text)}
value = {(s.name, *sorted(s.labels.items())): s.value for f in found.values() for s in f.samples}
assert value[("agent_tasks_ended_total", ("outcome", "completed"))] >= 1, value
assert value[("agent_tasks_ended_total", ("outcome", "cancelled"))] == 1
assert value[("agent_tokens_total", ("kind", "output"))] > 0
assert value[("agent_cost_usd_total",)] > 0 and value[("agent_workers",)] == 1
for name in ("agent_tasks", "agent_oldest_pending_seconds", "agent_leases", "agent_tasks_waiting"):
    assert found[name].type == "gauge"
print("fine")
END
check "the official parser reads the metrics" "$PYTHON" "$T/metrics.py"

cat >"$T/client.mjs" <<'END'
import assert from "node:assert";
const api = process.env.API;
const headers = { Authorization: `Bearer ${process.env.WHO}`, "Content-Type": "application/json" };
const answer = await fetch(`${api}/v1/tasks`, { method: "POST", headers, body: JSON.stringify({
	goal: "Say hello.", not_before: "2040-01-01T00:00:00Z" }) });
assert.equal(answer.status, 202);
const where = api + answer.headers.get("location");
const first = await fetch(where, { headers });
const etag = first.headers.get("etag");
assert.equal((await first.json()).state, "queued");
// a long poll hears of what is done meanwhile
const poll = fetch(`${where}?wait=20`, { headers: { ...headers, "If-None-Match": etag } });
const signal = await fetch(`${where}/signals`, { method: "POST", headers,
	body: JSON.stringify({ signal: "cancel" }) });
assert.equal((await signal.json()).state, "cancelled");
const changed = await poll;
assert.equal(changed.status, 200);
assert.equal((await changed.json()).state, "cancelled");
const refused = await fetch(`${api}/v1/tasks`, { method: "POST", headers, body: "{" });
assert.equal(refused.status, 400);
assert.equal((await refused.json()).error.type, "invalid_json");
console.log("fine");
END
web_build node --version >"$OUT" 2>"$ERR"
case $? in
0) check "fetch: a long poll hears of a signal" web_build node "$T/client.mjs" ;;
111) skip "fetch: a long poll hears of a signal" "Node.js: $(tail -n 1 "$ERR")" ;;
*) ok 1 "Node.js is here and works" ;;
esac
done_testing
