#!/bin/sh
# SPDX-License-Identifier: ISC
# Leases: a worker that hangs past its lease is fenced off, a dead one is
# noticed at once, and of two that want the same task only one gets it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/triage.sh
. "$TOP/tests/triage.sh"

fence_of() { agent-status --events "$1" | sed -n 's/.*"type":"started".*"fence":\([0-9]*\).*/\1/p'; }
stopped() { grep -qs '^State:.T' "/proc/$1/status"; }
asleep() { grep -qs '^State:.S' "/proc/$1/status"; } # in epoll
ready() { [ "$(grep -c '"event":"ready"' "$1")" -ge "${2:-1}" ]; }
# On Temporal there are no leases and so no fences: a step belongs to the attempt
# that the server counts, and a worker is lost when it sends no heartbeats.
begun() { # begun LOG ID: this worker has a step of the task
	grep -q "\"event\":\"activity.started\".*\"task\":\"$2\"" "$1"
}
# On Temporal the journal says that a request is due; the worker's log, that it began.
asks() { # asks LOG ID: this worker has sent the model its second turn
	has "$2" '"type":"model.started".*"turn":2' || return
	on lmdb || grep -q "\"event\":\"activity.started\".*\"task\":\"$2\".*\"activity\":\"model-2-" "$1"
}
fenced() { # fenced LOG ID: it knows that it no longer has the task
	on lmdb && { grep -q "\"event\":\"fenced\".*\"task\":\"$2\"" "$1"; return; }
	grep -q "\"event\":\"activity.\(lost\|refused\)\".*\"task\":\"$2\"" "$1"
}
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# ---- a worker hangs past its lease ----
# Its call of the model is answered while it is stopped.
printf '%s\n' 'worker: { lease: 1 }' 'time_limits: { settle: 0 }' >"$T/agent.yaml"
export AGENT_CONFIG="$T/agent.yaml"
triage_standin 300 0 || exit 1
submit hung || exit 1
hung=$ID
worker "$T/a.log"
a=$WORKER
check "a worker asks the model" await 10 asks "$T/a.log" "$hung"
kill -STOP "$a"
check "it is stopped" await 5 stopped "$a"
worker "$T/b.log"
b=$WORKER
check "another one finishes the task when the lease is over" \
	await 20 is_state "$hung" completed
agent-status --events "$hung" >"$T/events.before"
if on lmdb; then
	same "as the second that has it" "1 2" "$(fence_of "$hung" | paste -sd ' ')"
	says "the first was taken for lost" '"type":"released".*"worker lost"' "$T/events.before"
fi
kill -CONT "$a"
check "the first goes on, and finds itself fenced off" \
	await 10 fenced "$T/a.log" "$hung"
killed "$b" TERM
submit next || exit 1
check "it works on another task afterwards" await 20 is_state "$ID" completed
agent-status --events "$hung" >"$T/events.after"
check "and has added nothing to the first" cmp "$T/events.before" "$T/events.after"
killed "$a" TERM
same "it drains like any other" 0 "$STATUS"

# The other one still has the task when it comes back.
submit both || exit 1
both=$ID
worker "$T/c.log"
c=$WORKER
check "a third worker asks the model" await 10 asks "$T/c.log" "$both"
kill -STOP "$c"
check "it is stopped" await 5 stopped "$c"
worker "$T/d.log"
d=$WORKER
second() {
	on lmdb || { begun "$T/d.log" "$both"; return; }
	[ "$(fence_of "$both" | tail -n 1)" = 2 ]
}
check "a fourth has the task" await 20 second
kill -CONT "$c"
check "the third is fenced off in the middle of it" \
	await 10 fenced "$T/c.log" "$both"
check "the fourth completes it" await 20 is_state "$both" completed
on temporal || same "it was started by two, and no more" 2 "$(number "$both" '"type":"started"')"
killed "$c" TERM
killed "$d" TERM
done_once "after hung workers" 3
sound "after hung workers"

# It is stopped between the commit of a write's intent and the sending.
submit late || exit 1
late=$ID
PRELOAD=$BUILD/fault/stop.so
ldd "$BIN/agent-worker" | grep -q libasan &&
	PRELOAD="$(cc -print-file-name=libasan.so) $PRELOAD"
start env FAULT_STOP=/tools/execute/GMAIL_CREATE_EMAIL_DRAFT LD_PRELOAD="$PRELOAD" \
	agent-worker 2>>"$T/m.log"
m=$STARTED
check "a worker stops when it is about to send a write" await 20 stopped "$m"
check "whose intent is in the journal" has "$late" '"type":"tool.started".*"call"'
worker "$T/n.log"
n=$WORKER
check "another one finishes the task" await 30 is_state "$late" completed
kill -CONT "$m"
check "the first goes on, and is fenced off" await 10 fenced "$T/m.log" "$late"
killed "$n" TERM
submit afterwards || exit 1
check "it works on another task" await 20 is_state "$ID" completed
killed "$m" TERM
done_once "the write did not leave after the lease" 5
sound "after a write that came too late"
unset AGENT_CONFIG

# ---- a worker dies ----
submit dies || exit 1
dies=$ID
worker "$T/e.log"
e=$WORKER
check "a worker has a task" await 10 asks "$T/e.log" "$dies"
worker "$T/f.log"
f=$WORKER
check "another one is idle" await 10 ready "$T/f.log"
check "and sleeps" await 10 asleep "$f"
began=$(milliseconds)
kill -KILL "$e"
taken_over() {
	on lmdb || { begun "$T/f.log" "$dies"; return; }
	has "$dies" '"fence":2'
}
check "it takes the task over" await 10 taken_over
took=$(($(milliseconds) - began))
echo "# after $took ms"
check "at once, and not when the lease is over" test $took -lt 2000
ended "$e"
check "and completes it" await 20 is_state "$dies" completed
killed "$f" TERM

# One that ends when it is idle begins at the moment of the other's death.
round=0 left_behind=0
while [ $round -lt 5 ]; do
	round=$((round + 1))
	submit "heir$round" || exit 1
	worker "$T/g.log"
	g=$WORKER
	await 10 asks "$T/g.log" "$ID"
	kill -KILL "$g"
	agent-worker --exit-when-idle 2>>"$T/h.log" || echo "# exit status $?"
	is_state "$ID" completed || left_behind=$((left_behind + 1))
	ended "$g"
done
same "one that begins as the other dies takes its task over, every time" 0 $left_behind
done_once "after deaths" 11
sound "after deaths"

# ---- two want the same ----
kill -TERM "$STANDIN"
ended "$STANDIN"
rm -f "$T/ledger"
new_store
triage_standin 5 0 || exit 1
checked one >"$T/task.one"
worker "$T/i.log"
i=$WORKER
worker "$T/i.log"
j=$WORKER
check "two workers wait" await 10 ready "$T/i.log" 2
agent-submit -f "$T/task.one" >"$T/submitted"
ID=$(ids "$T/submitted")
check "one task completes" await 20 is_state "$ID" completed
same "it was started once" 1 "$(number "$ID" '"type":"started"')"
n=0
while [ $n -lt 50 ]; do
	n=$((n + 1))
	sed "s/\"user\":\"one\"/\"user\":\"racer$n\"/; s/task-of-one/race-$n/" "$T/task.one"
done >"$T/race"
check "fifty tasks at once" agent-submit -f "$T/race"
check "complete" await 60 counted completed 51
agent-status --limit 100 | sed 's/^{"id":"\([^"]*\)".*/\1/' | while read -r id; do
	fence_of "$id"
done >"$T/fences"
same "each was started once" "51 1" "$(sort "$T/fences" | uniq -c | awk '{ print $1, $2 }')"
killed "$i" TERM
killed "$j" TERM
done_once "after the race" 51
sound "after the race"

# ---- their boot clocks differ ----
far='unshare --time --fork --kill-child --boottime 86400'
if on lmdb && [ "$(id -u)" -eq 0 ] && $far true 2>/dev/null; then
	kill -TERM "$STANDIN"
	ended "$STANDIN"
	triage_standin 300 0 || exit 1
	submit near || exit 1
	near=$ID
	worker "$T/p.log"
	p=$WORKER
	check "a worker asks the model" await 10 asks "$T/p.log" "$near"
	WRAP=$far
	worker "$T/o.log"
	WRAP=''
	o=$WORKER
	check "another one's boot clock is a day ahead" await 10 ready "$T/o.log"
	check "the task completes" await 20 is_state "$near" completed
	same "and was not taken from the first, which lives" 1 "$(fence_of "$near")"
	killed "$p" TERM
	submit ahead || exit 1
	ahead=$ID
	check "the other has a task" await 10 asks "$T/o.log" "$ahead"
	killed "$o"
	agent-worker --exit-when-idle 2>>"$T/p.log"
	check "which is taken over at once when it dies" is_state "$ahead" completed
	done_once "with two clocks" 53
	twins=73
else
	skip "workers with different boot clocks" "time namespaces: they take root and the store"
	twins=71
fi

# ---- both are process 1 ----
if [ "$(id -u)" -ne 0 ] || ! unshare --pid --fork true 2>/dev/null; then
	skip "workers with the same pid" "pid namespaces: they take root"
	done_testing
	exit
fi
SEED=${SEED:-$(($(date +%s) % 100000 + $$))}
echo "# SEED=$SEED"
kill -TERM "$STANDIN"
ended "$STANDIN"
triage_standin 30 15 || exit 1
WRAP='unshare --pid --fork --kill-child'
sed 's/racer/twin/; s/race-/twin-/' "$T/race" | head -n 20 >"$T/twins"
agent-submit -f "$T/twins" >"$OUT"
worker "$T/k.log" --concurrency 2
k=$WORKER
worker "$T/l.log" --concurrency 2
l=$WORKER
awk -v seed="$SEED" 'BEGIN { srand(seed)
	for (n = 0; n < 15; n++) printf "%.3f %s\n", 0.05 + rand() * 0.2, rand() < 0.5 ? "k" : "l" }' >"$T/plan"
while read -r delay victim; do
	sleep "$delay"
	case $victim in
	k)
		killed "$k"
		worker "$T/k.log" --concurrency 2
		k=$WORKER
		;;
	l)
		killed "$l"
		worker "$T/l.log" --concurrency 2
		l=$WORKER
		;;
	esac
done <"$T/plan"
check "workers that are process 1 each are killed, and all tasks complete" \
	await 60 counted completed $twins
same "more than one worker had tasks" yes \
	"$(grep -q '"event":"\(activity.\)\?started"' "$T/k.log" &&
		grep -q '"event":"\(activity.\)\?started"' "$T/l.log" && echo yes)"
killed "$k"
killed "$l"
done_once "with equal pids" $twins
sound "with equal pids"
done_testing
