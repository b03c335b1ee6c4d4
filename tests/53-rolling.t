#!/bin/sh
# SPDX-License-Identifier: ISC
# Workers start and end in the middle of the mail-triage task, as in Kubernetes:
# a rolling update, a drained node, a scale-down to none. Each that is told to
# end releases its tasks, others go on, and nothing is made twice or left in
# doubt.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/triage.sh
. "$TOP/tests/triage.sh"

value() { agent-scale-probe --plain; }
values() { [ "$(value)" = "$1" ]; }
ready() { grep -q '"event":"ready"' "$T/$1.log"; }
in_work() { # in_work N: N tasks make drafts or have made some
	[ "$(grep -c GMAIL_CREATE_EMAIL_DRAFT "$T/ledger")" -ge "$1" ]
}
pod() { # pod NAME: a worker that stands for a pod; its pid is $WORKER
	worker "$T/$1.log" --concurrency 2
	await 10 ready "$1"
}
told() { # told PID NAME: SIGTERM, and it ends with 0
	kill -TERM "$1"
	began=$(date +%s%N)
	ended "$1"
	same "$2 ends in order" 0 "$STATUS"
	echo "# $2: gone after $((($(date +%s%N) - began) / 1000000)) ms"
}
given_back() { # given_back N: a task was released N times
	[ "$(each | grep -c '"type":"released".*"drained"')" -ge "$1" ]
}
each() { # the events of all tasks
	agent-status --limit 100 | sed 's/^{"id":"\([^"]*\)".*/\1/' |
		while read -r id; do agent-status --events "$id"; done
}
all_done() { # all_done NAME TASKS
	check "$1: all tasks complete" await 60 counted completed "$2"
	same "$1: the number says so" 0 "$(value)"
	same "$1: no call was in doubt" 0 "$(each | grep -c '"type":"tool.unknown"')"
	done_once "$1" "$2"
	sound "$1"
}

# ---- a rolling update: a new one starts, then an old one ends ----
triage_standin 500 "{ GMAIL_CREATE_EMAIL_DRAFT: 1500, '*': 50 }" || exit 1
pod old1
old1=$WORKER
pod old2
old2=$WORKER
submit one two three four || exit 1
check "two workers have four tasks in work" await 20 in_work 2
same "which is what is wanted" 4 "$(value)"
pod new1
told "$old1" "the first old one"
check "it gave its tasks back" given_back 1
pod new2
new2=$WORKER
told "$old2" "the second old one"
check "and so did it" given_back 2
all_done "after a rolling update" 4

# ---- a node is drained: all of its workers at once, then others elsewhere ----
submit five six || exit 1
check "two more are in work" await 20 in_work $((4 * DRAFTS + 1))
for pid in $test_pids; do
	[ "$pid" = "$STANDIN" ] || [ "$pid" = "$new2" ] || new1=$pid
done
kill -TERM "$new1" "$new2"
ended "$new1"
first=$STATUS
ended "$new2"
same "all of a node's workers end in order" "0 0" "$first $STATUS"
same "and what they had waits" 2 "$(value)"
pod other
all_done "after a drain" 6

# ---- to none in the middle, and up again ----
submit seven || exit 1
check "one more is in work" await 20 in_work $((6 * DRAFTS + 1))
told "$WORKER" "the last one"
same "nobody is there" 0 "$(agent-scale-probe | sed 's/.*"workers":\([0-9]*\).*/\1/')"
check "and somebody is wanted" values 1
pod again
again=$WORKER
all_done "after none" 7
told "$again" "an idle one"
done_testing
