#!/bin/sh
# SPDX-License-Identifier: ISC
# agent-scale-probe without a worker counts all tasks that a worker would
# have to be started for, and no others.
# shellcheck disable=SC2119 # its options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

engine
number() { agent-scale-probe | sed 's/.*\("value":[0-9]*\),\("pending":[0-9]*\),\("scheduled":[0-9]*\),\("running":[0-9]*\),\("waiting":[0-9]*\).*/\1 \2 \3 \4 \5/; s/"[a-z]*"://g'; }
soon() { # soon SECONDS NAME WANTED: as number prints it, within that time
	numbered() { [ "$(number)" = "$1" ]; }
	await "$1" numbered "$3"
	same "$2" "$3" "$(number)"
}
ids() { sed -n 's/.*"id":"\([^"]*\)".*/\1/p'; }
model() { # model FAULT: the stand-in's
	cat "$TOP/tests/data/standin/notes.yaml" - >"$T/script.yaml" <<-END
		model:
		  - reply: { text: done }
		faults:
		  - { on: messages, $1 }
	END
	standin "$T/script.yaml" || exit 1
}
on lmdb && {
	status 100 "no store is no number" agent-scale-probe --plain
	same "not even 0" '' "$(grep -x '[0-9]*' "$OUT")"
}

# a task that becomes due
at=$(date -u -d '+3 seconds' +%Y-%m-%dT%H:%M:%SZ)
echo '{"user":"ann","goal":"g","toolkits":[]}' >"$T/task"
submit() { agent-submit --no-preflight -f "$T/task" "$@" | ids; }
now=$(submit)
later=$(submit --at "$at")
soon 2 "a task whose time has not come counts nothing" "1 1 1 0 0"
soon 10 "it counts when its time has come, and nobody has seen it" "2 2 0 0 0"
same "of its queue, too" 2 "$(agent-scale-probe --plain --queue default)"
agent-signal cancel "$later" "$now" >"$OUT"
soon 5 "what is cancelled counts nothing" "0 0 0 0 0"

model "at: 1, status: 429, headers: { retry-after: 16 }"
# a worker that is killed cannot remove its row
on lmdb && {
	workers() { agent-scale-probe | grep -q "\"workers\":$1,"; }
	start agent-worker 2>"$ERR"
	await 10 workers 1
	ok $? "a worker counts while it lives"
	kill -KILL "$STARTED"
	wait "$STARTED" 2>/dev/null
	check "and not when it was killed, though nobody has noticed" workers 0
}

# a task that waits for a person, and its signal
id=$(submit)
agent-signal pause "$id" >"$OUT"
agent-worker --exit-when-idle 2>"$ERR"
soon 5 "a task that waits counts nothing" "0 0 0 0 1"
agent-signal resume "$id" >"$OUT"
soon 5 "a signal to it counts, and nobody has seen it" "1 1 0 0 0"

# a task that waits for a time, which it does for long ones only
agent-worker --exit-when-idle 2>"$ERR"
soon 5 "a long wait counts nothing" "0 0 0 0 1"
[ -z "${LONG-}" ] || {
	soon 30 "until it is over, and nobody has seen it" "1 1 0 0 0"
	agent-worker --exit-when-idle 2>"$ERR"
	soon 5 "and nothing when it is done" "0 0 0 0 0"
}
# a task under way, and a dead worker's tasks
model "at: 1, kind: hang"
[ -n "${LONG-}" ] || {
	agent-signal cancel "$id" >"$OUT"
	agent-worker --exit-when-idle 2>"$ERR"
	soon 5 "a cancelled wait counts nothing" "0 0 0 0 0"
}
id=$(submit)
start agent-worker 2>"$T/log"
soon 10 "a task under way counts" "1 0 0 1 0"
kill -KILL "$STARTED"
wait "$STARTED" 2>/dev/null
soon 5 "and when its worker is dead, too: somebody has to go on" "1 0 0 1 0"
model "at: 1000"
agent-worker --exit-when-idle 2>"$ERR"
soon 5 "who does, and then it counts nothing" "0 0 0 0 0"
on temporal && {
	temporal_server stop --folder "$test_server"
	status 111 "no server is no number" timeout 60 agent-scale-probe --plain
	same "not even 0" '' "$(grep -x '[0-9]*' "$OUT")"
}
done_testing
