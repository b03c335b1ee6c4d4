#!/bin/sh
# SPDX-License-Identifier: ISC
# How a worker ends: SIGTERM, SIGINT or SIGHUP drains it, a second one or the end of the grace cuts
# what is under way, as process 1 too; and a full store ends
# it with 111. After each end another worker goes on and repeats nothing.
if [ -z "${OWN_MOUNTS-}" ] && [ "$(id -u)" -eq 0 ] && unshare --mount true 2>/dev/null; then
	# mounts made here end with this process
	OWN_MOUNTS=1 exec unshare --mount sh "$0"
fi
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/triage.sh
. "$TOP/tests/triage.sh"

drafts_take() { # drafts_take MILLISECONDS: from now on
	if [ -n "${STANDIN-}" ]; then
		kill -TERM "$STANDIN"
		ended "$STANDIN"
	fi
	triage_standin 100 "{ GMAIL_CREATE_EMAIL_DRAFT: $1, '*': 0 }" --state "$T/state"
}
drafting() { [ "$(number "$ID" '"type":"tool.started".*"tool":"GMAIL_CREATE_EMAIL_DRAFT"')" -ge "$DRAFTS" ]; }
executed() { [ "$(grep -c "GMAIL_CREATE_EMAIL_DRAFT.*\"user\":\"$1\"" "$T/ledger")" -ge "$DRAFTS" ]; }
draining() { grep -q '"event":"drain"' "$1"; }
is_over() { [ ! -e "/proc/$1" ] || grep -qs "^State:.Z" "/proc/$1/status"; }
types() { agent-status --events "$1" | sed 's/^{[^{]*"type":"\([a-z.]*\)".*/\1/'; }
milliseconds() { echo $(($(date +%s%N) / 1000000)); }
over() { # over NAME STATUS PID: it ends by itself with this exit status
	await 30 is_over "$3" || kill -KILL "$3"
	ended "$3"
	same "$1" "$2" "$STATUS"
}
completes() { # completes NAME: another worker completes the task $ID
	check "$1: another worker ends when all is done" \
		timeout 60 agent-worker --exit-when-idle
	same "$1: the task is complete" completed "$(state_of "$ID")"
}

# ---- calls under way end in time ----
drafts_take 700 || exit 1
submit calls || exit 1
worker "$T/a.log"
a=$WORKER
check "a worker makes calls" await 10 drafting
kill -TERM "$a"
check "it is told to end" await 10 draining "$T/a.log"
calls=$ID
submit late || exit 1
late=$ID ID=$calls
over "it drains" 0 "$a"
# On Temporal there is no lease to release, and a step that was polled is done: it
# may do steps until the last poll has returned.
if on lmdb; then
	same "the calls under way have ended, and the lease is given back" \
		"tool.started tool.started tool.finished tool.finished released" \
		"$(types "$calls" | tail -n 5 | paste -sd ' ')"
	check "because it was drained" has "$calls" '"type":"released".*"drained"'
	same "the task waits in line" queued "$(state_of "$calls")"
	same "what was submitted meanwhile was not begun" "queued 0" \
		"$(state_of "$late") $(number "$late" '"type":"started"')"
	same "nobody is in the store's workers" '' "$(ls "$T/store/workers")"
else
	# by their ids
	agent-status --events "$calls" >"$T/calls"
	sed -n '/EMAIL_DRAFT/s/.*"type":"tool.started".*"call":"\([^"]*\)".*/\1/p' "$T/calls" >"$T/begun"
	same "the calls under way have ended" "$DRAFTS $DRAFTS" "$(wc -l <"$T/begun") $(sed -n \
		's/.*"type":"tool.finished".*"call":"\([^"]*\)".*/\1/p' "$T/calls" | grep -cFf "$T/begun")"
	same "nobody is in the store's workers" '' "$(ls "$T/store/temporal-workers")"
fi
completes "after a drain"
same "and no call was in doubt" 0 "$(number "$calls" '"type":"tool.unknown"')"

# ---- a turn of the model ends in time ----
submit turn || exit 1
worker "$T/b.log"
b=$WORKER
check "a worker asks the model" await 10 has "$ID" '"type":"model.started".*"turn":2'
kill -TERM "$b"
over "it drains" 0 "$b"
on temporal || same "the reply is kept, and the calls that it wants are not begun" \
	"model.started model.replied released" \
	"$(types "$ID" | tail -n 3 | paste -sd ' ')"
completes "after a drain in a turn"
same "no turn was asked for twice" '' \
	"$(agent-status --events "$ID" | sed -n 's/.*"type":"model.started".*"turn":\([0-9]*\).*/\1/p' | uniq -d)"

# ---- an idle one goes on at once; one without work ends at once ----
worker "$T/c.log"
c=$WORKER
submit handed || exit 1
check "a worker makes calls" await 10 drafting
worker "$T/d.log"
d=$WORKER
check "another one is idle" await 10 grep -q '"event":"ready"' "$T/d.log"
kill -TERM "$c"
on temporal || check "which carries on when the first drains" await 10 has "$ID" '"fence":2'
check "and completes it" await 20 is_state "$ID" completed
over "the first has ended" 0 "$c"
kill -INT "$d"
over "SIGINT drains too" 0 "$d"

# ---- a terminal is closed, and hangs up twice ----
submit hangup || exit 1
worker "$T/h.log"
h=$WORKER
check "a worker makes calls" await 10 drafting
kill -HUP "$h"
check "SIGHUP drains it" await 10 draining "$T/h.log"
kill -HUP "$h"
over "a second one cuts nothing" 0 "$h"
completes "after SIGHUP"
same "and no call was in doubt" 0 "$(number "$ID" '"type":"tool.unknown"')"
trap '' HUP
worker "$T/i.log"
trap - HUP
i=$WORKER
check "a worker is started as by nohup" await 10 grep -q '"event":"ready"' "$T/i.log"
kill -HUP "$i"
kill -TERM "$i"
over "it ends for another reason" 0 "$i"
check "which is not SIGHUP" sh -c "! grep -q Hangup '$T/i.log'"
done_once "after drains" 5

# ---- the grace ends ----
drafts_take 20000 || exit 1
submit grace || exit 1
worker "$T/e.log" --grace 1
e=$WORKER
check "a worker makes calls" await 10 drafting
check "that take effect and are not answered" await 10 executed grace
kill -TERM "$e"
over "it drains no longer than its grace" 0 "$e"
on temporal || same "and gives the task back" "queued released" \
	"$(state_of "$ID") $(types "$ID" | tail -n 1)"
completes "after the grace"
same "the calls that were cut are in doubt" "$DRAFTS" "$(number "$ID" '"type":"tool.unknown"')"

submit twice || exit 1
worker "$T/f.log" --grace 60
f=$WORKER
check "a worker makes calls" await 10 drafting
check "that are not answered" await 10 executed twice
began=$(milliseconds)
kill -TERM "$f"
check "it drains" await 10 draining "$T/f.log"
kill -TERM "$f"
over "a second SIGTERM ends the grace" 0 "$f"
check "at once" test $(($(milliseconds) - began)) -lt 10000
on temporal || same "and gives the task back" "queued released" \
	"$(state_of "$ID") $(types "$ID" | tail -n 1)"
completes "after a second SIGTERM"
done_once "after cut calls" 7
sound "after drains"

# ---- process 1 ----
drafts_take 300 || exit 1
if [ "$(id -u)" -eq 0 ] && unshare --pid --fork true 2>/dev/null; then
	submit first || exit 1
	# The orphan's parent is gone when the worker begins.
	start unshare --pid --fork --kill-child sh -c '
		sh -c "sleep 300 & echo"
		exec agent-worker' >"$T/g.out" 2>>"$T/g.log"
	outer=$STARTED
	check "a worker that is process 1 makes calls" await 10 drafting
	g=$(cat "/proc/$outer/task/$outer/children")
	g=${g% }
	orphan=$(cat "/proc/$g/task/$g/children")
	orphan=${orphan% }
	says "it has an orphan" '^sleep$' "/proc/${orphan:-0}/comm"
	kill -KILL "$orphan"
	reaped() { [ ! -e "/proc/$orphan" ]; }
	check "which it reaps" await 10 reaped
	kill -TERM "$g"
	over "SIGTERM drains it" 0 "$outer"
	completes "after process 1"

	mkfifo "$T/endless"
	start unshare --pid --fork --kill-child agent-submit -f "$T/endless"
	outer=$STARTED
	exec 7>"$T/endless" # waits until it reads
	kill -TERM "$(tr -d ' ' <"/proc/$outer/task/$outer/children")"
	over "SIGTERM ends a program that is process 1" 143 "$outer"
	exec 7>&-
else
	skip "a worker that is process 1" "pid namespaces: they take root"
fi

# ---- the store is full; a Temporal server has its own limits ----
if on temporal; then
	done_testing
	exit
fi
# full NAME PATTERN TASKS: what holds when the store is full while a worker works
# on the first four of this many tasks, each in a line of $T/checked.NAME
full() {
	kind=$1 pattern=$2 full_tasks=$3
	sed "s/\"user\":\"one\"/\"user\":\"$kind\"/; s/task-of-one/$kind/" "$T/one" >"$T/line"
	n=0
	while [ $n -lt "$full_tasks" ]; do
		n=$((n + 1))
		sed "s/\"$kind\"/\"$kind$n\"/g" "$T/line"
	done >"$T/checked.$kind"
	head -n 4 "$T/checked.$kind" | agent-submit >"$T/acks" 2>>"$ERR"
	worker "$T/$kind.log" >"$T/$kind.out"
	check "$kind: a worker begins" await 10 grep -q '"event":"started"' "$T/$kind.log"
	make_full
	# it sleeps when it has done what fits
	while
		full_tasks=$((full_tasks - 1))
		! is_over "$WORKER" && [ $full_tasks -ge 4 ]
	do
		sed -n "$((full_tasks + 1))p" "$T/checked.$kind" | agent-submit >>"$T/acks" 2>"$T/refused"
	done
	over "$kind: it ends, not now" 111 "$WORKER"
	cat "$T/$kind.out" >>"$T/$kind.log"
	says "$kind: and says what is the matter" "$pattern" "$T/$kind.log"
	agent-submit -f "$T/checked.$kind" >"$T/refused" 2>>"$T/refused"
	same "$kind: agent-submit says the same" 111 $?
	says "$kind: in words" "$pattern" "$T/refused"
	ids "$T/refused" >"$T/acknowledged"
	ids "$T/acks" >>"$T/acknowledged"
	check "$kind: what is there can be read" agent-status --limit 1
	timeout 60 agent-worker --exit-when-idle >"$OUT" 2>"$ERR"
	same "$kind: another worker ends the same way" 111 $?
	sound "$kind: meanwhile"
	make_room
	lost=0
	while read -r id; do
		[ -n "$(state_of "$id")" ] || lost=$((lost + 1))
	done <"$T/acknowledged"
	same "$kind: nothing acknowledged is lost" 0 $lost
	check "$kind: with room there is space for all" agent-submit -f "$T/checked.$kind"
	check "$kind: another worker carries on" timeout 60 agent-worker --exit-when-idle
	check "$kind: and completes all" counted completed "$(agent-status --limit 1000 | wc -l)"
}
fresh() { # a store and a ledger of its own
	rm -f "$T/ledger"
	new_store
	drafts_take 0
	checked one >"$T/one"
}

fresh || exit 1
make_full() {
	make_room
	printf 'limits: { store_bytes: %d }\n' $(($(wc -c <"$T/store/data.mdb") + 16384)) >>"$T/agent.yaml"
}
make_room() { echo 'time_limits: { settle: 0 }' >"$T/agent.yaml"; }
make_room
printf 'limits: { store_bytes: 200000 }\n' >>"$T/agent.yaml"
export AGENT_CONFIG="$T/agent.yaml"
full maximum 'unable to .* has reached its configured maximum of .* bytes; prune it' 30
unset AGENT_CONFIG
done_once "after the maximum" 30
sound "after the maximum"

if [ -n "${OWN_MOUNTS-}" ] && mkdir "$T/disk" && mount -t tmpfs -o size=4m none "$T/disk"; then
	fresh || exit 1
	AGENT_STORE=$T/disk/store
	make_full() { cat /dev/zero >"$T/disk/filler" 2>/dev/null; }
	make_room() { rm "$T/disk/filler"; }
	full disk 'unable to .*: No space left on device' 30
	done_once "after the full disk" 30
	sound "after the full disk"
	umount -l "$T/disk"
else
	skip "a full disk" "mounts: they take root"
fi
done_testing
