#!/bin/sh
# SPDX-License-Identifier: ISC
# agent-worker: which tasks it takes and in which order, when and how it ends,
# how it drains, as process 1, and that it costs nothing while idle.
# shellcheck disable=SC2119 # their options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

notes() { # notes [FAULT...]: each task writes one note, its goal
	scene <<-END
	model:
	  - when: { goal: refuse }
	    reply: { text: 'No.', stop: refusal }
	  - when: { turn: 1 }
	    reply: { calls: [ { tool: NOTES_WRITE, input: { text: '{{goal}}' } } ] }
	  - reply: { text: Done. }
	faults:
	  - { on: nothing, at: 1 }
	$(for fault in "$@"; do echo "  - $fault"; done)
	END
}
order() {
	jq -rs 'map(.arguments.text) | join(" ")' "$T/ledger" |
		if on lmdb; then cat; else sed s/-second//; fi
}
depth() { agent-scale-probe | jq -r "$1"; }
begun() { # begun N: N tasks have asked the model
	[ "$(agent-status | jq -r .id | while read -r id; do
		[ "$(count model.started "$id")" = 0 ] || echo "$id"
	done | wc -l)" = "$1" ]
}
# On Temporal the server's queue has no steps of tasks that a limit holds back, and
# the probe counts them as running.
halves="2 2"
on lmdb || halves="2 begun"
half_begun() {
	on lmdb && { echo "$(depth .running) $(depth .pending)"; return; }
	await 3 begun 3 # a wrong third task has some time to begin
	begun 2 && echo 2 begun
}
running() { [ "$(depth .running)" = "$1" ]; }

# ---- options, and how it ends ----
status 100 "no key" env -u ANTHROPIC_API_KEY agent-worker --once --store "$T/none"
status 100 "an unknown option" agent-worker --twice
status 100 "no number" agent-worker --concurrency many
notes
status 0 "--once without work" work --once
status 0 "--exit-when-idle without work" work
submit one
first=$ID
submit two
status 0 "--once" work --once
# A worker of Temporal takes steps of any task: the other may be done too.
on temporal || same "the other was not" queued "$(get state)"
same "one task was done" completed "$(get state "$first")"
status 0 "--exit-when-idle" work
same "the other too" completed "$(get state)"
submit refuse
status 1 "--once with a task that fails" work --once
same "it failed" failed "$(get state)"
submit three "queue: mail"
mail=$ID
submit four "queue: news"
news=$ID
submit five
status 0 "two queues" work --queue mail --queue news
same "only these are served" "completed completed queued" \
	"$(get state "$mail") $(get state "$news") $(get state)"
sound

# ---- order ----
in_order() {
	notes
	submit p5 "priority: 5"
	submit p1 "priority: 1"
	submit p9 "priority: 9"
	submit p5-second "priority: 5"
	work --concurrency 1
}
in_order
# A Temporal server keeps no order among equals, and under load it can read the last that
# came after it has given out others: not each time.
if on lmdb; then wanted="p9 p5 p5-second p1"; else wanted="p9 p5 p5 p1"; fi
for _ in 1 2; do
	on lmdb || [ "$(order)" = "$wanted" ] || in_order
done
same "the higher priority first, then the older one" "$wanted" "$(order)"
notes
for i in 1 2 3 4; do submit "ana$i"; done
submit ben "user: ben"
work --concurrency 1
# whether they do on Temporal is a setting of the server, off by default
on temporal || same "users take turns" 2 "$(order | tr ' ' '\n' | grep -n ben | cut -d: -f1)"
notes "{ on: messages, at: { to: 5 }, kind: hang }"
for i in 1 2 3 4; do submit "ana$i"; done
worker --concurrency 3
check "--concurrency tasks at once" await 10 running 3
same "and no more" "3 1" "$(depth .running) $(depth .pending)"
end KILL "$WORKER"
restart "$T/script.1"
check "then all are done" work
same "each once" "4 0" "$(executed NOTES_WRITE) $(repeated)"
sound
notes "{ on: messages, at: { to: 99 }, kind: hang }"
settings <<END
limits: { running_per_user: 1 }
END
for i in 1 2 3; do submit "ben$i" "user: ben"; done
submit ana
worker
check "running_per_user" await 10 begun 2
same "one of each, the others wait" "$halves" "$(half_begun)"
end KILL "$WORKER"
restart "$T/script.1"
check "then all are done" work
same "each once" "4 0" "$(executed NOTES_WRITE) $(repeated)"
sound
unset AGENT_CONFIG
notes "{ on: messages, at: { to: 99 }, kind: hang }"
settings <<END
limits: { running_per_queue: 2 }
END
for i in 1 2 3; do submit "ben$i" "user: ben"; done
submit ana
worker
check "running_per_queue" await 10 begun 2
same "the others wait" "$halves" "$(half_begun)"
end KILL "$WORKER"
unset AGENT_CONFIG

# ---- an idle worker ----
notes
worker
check "it is ready" await 10 logged ready
slow=0
for i in 1 2 3 4 5; do
	submit "wake$i"
	await 20 is completed || echo "# task $i is not done"
	waited=$(events 'def ms: .at[11:23] | split(":") | map(tonumber)
		| (.[0] * 3600 + .[1] * 60 + .[2]) * 1000;
		((map(select(.type == "model.started"))[0] | ms) - (.[0] | ms)) | round')
	echo "# from submit to the first request: $waited ms"
	[ "$waited" -ge 0 ] && [ "$waited" -lt 1000 ] || slow=$((slow + 1))
done
check "what is submitted is begun at once" test $slow -le 1
at=$(date -u -d '+1 second' +%Y-%m-%dT%H:%M:%S.500Z)
submit later "not_before: $at"
check "what is due later is begun then" await 20 is completed
same "not before" true "$(events "map(select(.type == \"started\"))[0].at >= \"$at\"")"
stat() { # the time that it has run, and how often it slept
	awk '{ print $14 + $15 }' "/proc/$WORKER/stat"
	awk '/^voluntary/ { print $2 }' "/proc/$WORKER/status"
}
awake=10
on lmdb || awake=60 # it asks the server twice a second
before=$(stat | tr '\n' ' ')
sleep 2 # the time that is measured
after=$(stat | tr '\n' ' ')
echo "# in two seconds: $(echo "$before" "$after" | awk '{ print $3 - $1 " ticks, awake " $4 - $2 " times" }')"
check "an idle worker costs nothing" sh -c "echo '$before' '$after' |
	awk '{ exit !(\$3 - \$1 <= 2 && \$4 - \$2 <= $awake) }'"
end TERM "$WORKER"
same "SIGTERM ends it with 0" 0 $?

notes
submit "one by one"
jq -c '. as $task | range(11) | $task + { goal: "one by one \(.)" }' "$T/passed" |
	agent-submit >"$T/many"
worker --concurrency 1
all_done() { [ "$(depth .completed)" = 12 ]; }
await 60 all_done || echo "# not all are done"
took=$(jq -rs 'def s: .at[11:23] | split(":") | map(tonumber)
	| .[0] * 3600 + .[1] * 60 + .[2];
	map(select(.task)) | ((.[-1] | s) - (.[0] | s)) | floor' "$LOG")
echo "# twelve tasks, one after the other: $took seconds"
check "a place that becomes free is taken at once" test "$took" -lt 20
end TERM "$WORKER"

# ---- draining ----
drained() { # drained SIGNAL [OPTION...]
	drain=$1
	shift
	submit "under way"
	under_way=$ID
	worker --concurrency 1 "$@"
	await 10 executes NOTES_WRITE 1 || echo "# nothing was executed"
	submit "not begun"
	end "$drain" "$WORKER"
	same "SIG$drain $*: exit 0" 0 $?
	# On Temporal no worker has a task between two steps, so none is released,
	# and the server remembers the pollers for a minute.
	if on temporal; then
		get state "$under_way" >"$T/state"
		says "SIG$drain $*: the task goes on" '^(running|completed)$' "$T/state"
		return
	fi
	same "SIG$drain $*: both are in line" "queued queued" \
		"$(get state "$under_way") $(get state)"
	same "SIG$drain $*: nothing new was begun" 0 "$(count started)"
	same "SIG$drain $*: no worker is left" "0 0" \
		"$(depth .workers) $(find "$AGENT_STORE/workers" -type f | wc -l)"
}
for drain in TERM INT; do
	notes "{ on: NOTES_WRITE, at: 1, kind: slow, delay: 700 }"
	drained $drain
	on temporal || same "SIG$drain: the call's result was waited for" \
		"tool.finished released" \
		"$(events 'map(.type) | .[-2:] | join(" ")' "$under_way")"
	work
	same "SIG$drain: another worker goes on" "completed completed" \
		"$(get state "$under_way") $(get state)"
	same "SIG$drain: and repeats nothing" "2 0 0" \
		"$(executed NOTES_WRITE) $(repeated) $(count tool.unknown "$under_way")"
	sound
done
notes "{ on: NOTES_WRITE, at: 1, kind: slow, delay: 60000 }"
drained TERM --grace 1
work
same "grace is over: the call is in doubt, nothing is repeated" "completed 2 0 1" \
	"$(get state) $(executed NOTES_WRITE) $(repeated) $(count tool.unknown "$under_way")"
notes "{ on: NOTES_WRITE, at: 1, kind: slow, delay: 60000 }"
submit "in a hurry"
worker
await 10 executes NOTES_WRITE 1
kill -TERM "$WORKER"
await 10 logged drain
end TERM "$WORKER"
code=$? given_back=queued
on lmdb || given_back=running
same "the second SIGTERM does not wait" "0 $given_back" "$code $(get state)"
sound

# ---- two workers ----
notes
worker
one=$WORKER
worker
await 10 logged ready 2
submit alone
await 20 is completed
same "two workers and one task: done once" "completed 1 1" \
	"$(get state) $(count started) $(executed NOTES_WRITE)"
jq -c '. as $task | range(50) | $task + { goal: "race \(.)" }' "$T/passed" |
	agent-submit >"$T/many"
same "fifty tasks" 50 "$(wc -l <"$T/many")"
done_all() { [ "$(depth .completed)" = 51 ]; }
check "are done" await 60 done_all
same "each once" "51 0" "$(executed NOTES_WRITE) $(repeated)"
begun=started
on lmdb || begun=model.replied # any worker may take any step
on temporal || same "by one worker each" 51 "$(grep -c '"event":"started"' "$LOG")"
echo "# $(jq -rs --arg event "$begun" 'map(select(.event == $event).worker) | group_by(.) |
	map(length | tostring) | join(" and ")' "$LOG") tasks or steps each"
end TERM "$one"
end TERM "$WORKER"
sound

# ---- process 1 ----
if unshare --pid --fork true 2>/dev/null; then
	children() { cat "/proc/$1/task/$1/children"; }
	has_child() { [ -n "$(children "$1")" ]; }
	gone() { ! [ -e "/proc/$1" ]; }
	notes "{ on: NOTES_WRITE, at: 1, kind: slow, delay: 700 }"
	submit "as process 1"
	start unshare --pid --fork agent-worker 2>>"$LOG"
	unshare=$STARTED
	await 10 has_child "$unshare"
	pid=$(children "$unshare" | tr -d ' ')
	test_pids="$test_pids $pid"
	await 10 executes NOTES_WRITE 1
	nsenter -t "$pid" --pid sh -c 'sleep 300 &'
	check "process 1 inherits an orphan" await 10 has_child "$pid"
	orphan=$(children "$pid" | tr -d ' ')
	kill -KILL "$orphan"
	check "and reaps it" await 10 gone "$orphan"
	kill -TERM "$pid"
	wait "$unshare"
	code=$?
	if on lmdb; then
		same "process 1: SIGTERM drains" "0 queued" "$code $(get state)"
	else # it does the steps that it polled, which may be the last
		same "process 1: SIGTERM drains" 0 "$code"
	fi
	same "process 1: the result was waited for" 1 "$(count tool.finished)"
else
	skip "process 1" "pid namespaces: they take root"
fi
done_testing
