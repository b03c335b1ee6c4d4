#!/bin/sh
# SPDX-License-Identifier: ISC
# Calls in doubt: the request was sent, and the answer did not come. A call that
# changes something is not repeated unless the settings say so; one that only
# reads is run again.
# shellcheck disable=SC2119 # their options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

# A scene of one call of TOOL, then the end; the fault comes with the first.
one_call() { # one_call TOOL FAULT [LINE]
	scene <<-END
	model:
	  - when: { turn: 1 }
	    reply:
	      text: I begin.
	      calls: [ { tool: $1, input: { text: 'one of {{goal}}' } } ]
	  - when: { results: 'may have taken effect' }
	    reply: { text: I was told. }
	  - reply: { text: All went well. }
	faults:
	  - { on: $1, at: 1, $2 }
	${3-}
	END
}
answers_late='kind: slow, delay: 30000'

# One call is under way, executed and not answered; its worker is killed.
killed() { # killed TOOL
	worker
	await 10 executes "$1" 1 || echo "# the call was not executed"
	end KILL "$WORKER"
}

# ---- the worker dies ----
one_call NOTES_WRITE "$answers_late"
submit "a call that changes something"
killed NOTES_WRITE
check "another worker goes on" work
check "the task completes" is completed
same "the call is in doubt" 1 "$(count tool.unknown)"
same "and counted" "1 1" "$(get calls) $(get calls_unknown)"
same "the model was told" "I was told." "$(agent-status --result "$ID")"
same "nothing was repeated" 1 "$(executed NOTES_WRITE)"
after="tool.started released started tool.unknown tool.finished"
on lmdb || after="tool.started tool.unknown tool.finished model.started model.replied" # no leases
same "the intent was there before, the lease after" "$after" \
	"$(events 'map(.type) | .[index("tool.started"):] | .[:5] | join(" ")')"
sound

one_call NOTES_READ "$answers_late"
submit "a call that only reads"
killed NOTES_READ
check "another worker goes on" work
check "the task completes" is completed
# Where the other engine records "released", Temporal has a call in doubt, which
# is run again because it is repeatable.
doubts=0
on lmdb || doubts=1
same "nothing is in doubt" $doubts "$(count tool.unknown)"
same "it was run again" "2 2" "$(executed NOTES_READ) $(count tool.started)"
same "with the next attempt" "1 2" \
	"$(events 'map(select(.type == "tool.started").attempt) | join(" ")')"
same "the model saw no more than the result" "All went well." \
	"$(agent-status --result "$ID")"

one_call NOTES_WRITE "$answers_late"
settings <<END
tools: { NOTES_WRITE: { repeatable: true } }
END
submit "the user says that it is repeatable"
killed NOTES_WRITE
work
same "it was run again, and nothing is in doubt" "completed 2 $doubts" \
	"$(get state) $(executed NOTES_WRITE) $(count tool.unknown)"

one_call NOTES_READ "$answers_late"
settings <<END
tools: { NOTES_READ: { repeatable: false } }
END
submit "the user says that it is not"
killed NOTES_READ
work
same "it was not run again" "completed 1 1" \
	"$(get state) $(executed NOTES_READ) $(count tool.unknown)"

one_call NOTES_WRITE "$answers_late"
settings <<END
tools: { NOTES_WRITE: { on_unknown: retry } }
END
submit "on_unknown retry"
killed NOTES_WRITE
work
same "it is told in the journal and run again" "completed 2 1" \
	"$(get state) $(executed NOTES_WRITE) $(count tool.unknown)"
same "the model saw no more than the result" "All went well." \
	"$(agent-status --result "$ID")"

for answer in approve deny; do
	one_call NOTES_WRITE "$answers_late"
	settings <<-END
	tools: { "NOTES_W*": { on_unknown: ask } }
	END
	submit "on_unknown ask"
	killed NOTES_WRITE
	work
	same "$answer: the task waits for a person" "waiting 1" \
		"$(get state) $(executed NOTES_WRITE)"
	get reason >"$T/reason"
	says "$answer: and says so" "decision: .*NOTES_WRITE" "$T/reason"
	same "$answer: no worker has it" "" "$(get worker)"
	status 1 "$answer: not of a call that does not exist" \
		agent-signal --call toolu_none $answer "$ID"
	check "$answer" agent-signal --by ana $answer "$ID"
	status 1 "$answer: only once" agent-signal $answer "$ID"
	work
	if [ $answer = approve ]; then wanted="2 All went well."; else wanted="1 I was told."; fi
	same "$answer: then it goes on" "completed $wanted" \
		"$(get state) $(executed NOTES_WRITE) $(agent-status --result "$ID")"
	sound
done

scene <<END
model:
  - when: { turn: 1 }
    reply:
      calls:
$(for i in 1 2 3 4 5 6; do
	echo "        - { tool: NOTES_WRITE, input: { text: 'note $i' } }"
	echo "        - { tool: NOTES_READ, input: { text: 'note $i' } }"
done)
  - reply: { text: '{{count.NOTES_WRITE}} written, {{ok.NOTES_READ}} read.' }
faults:
  - { on: 'NOTES_*', at: { to: 12 }, $answers_late }
END
submit "twelve at once"
worker
await 10 executes NOTES_WRITE 6
await 10 executes NOTES_READ 6
end KILL "$WORKER"
work
[ $doubts -eq 0 ] || doubts=6
same "twelve calls under way: six in doubt, six again" "completed 6 12 $((6 + doubts))" \
	"$(get state) $(executed NOTES_WRITE) $(executed NOTES_READ) $(count tool.unknown)"
same "the model got all the answers" "6 written, 6 read." \
	"$(agent-status --result "$ID")"
same "nothing was repeated" 0 "$(repeated)"

# ---- it may still be under way ----
# A service goes on with a call after its worker has died: when the model is told
# too early, it looks, finds nothing, and calls again.
late_call() { # late_call DELAY [LINE]
	notes=$NOTES NOTES=/dev/null
	scene <<-END
	accounts:
	  - { user: ana, toolkit: linear }
	teams: [ { id: t1, name: Ops, key: OPS } ]
	model:
	  - when: { turn: 1 }
	    reply: { calls: [ { tool: LINEAR_CREATE_LINEAR_ISSUE, input: { team_id: t1, title: late } } ] }
	  - when: { results: may have taken effect }
	    reply: { calls: [ { tool: LINEAR_LIST_LINEAR_ISSUES, input: { first: 50 } } ] }
	  - when:
	      tools: [ LINEAR_LIST_LINEAR_ISSUES ]
	      if: [ { none: results.LINEAR_LIST_LINEAR_ISSUES.issues, with: { title: late } } ]
	    reply: { calls: [ { tool: LINEAR_CREATE_LINEAR_ISSUE, input: { team_id: t1, title: late } } ] }
	  - reply: { text: It is there. }
	faults:
	  - { on: LINEAR_CREATE_LINEAR_ISSUE, at: 1, kind: slow_before, delay: $1 }
	${2-}
	END
	NOTES=$notes
}
intended() { [ "$(count tool.started)" -ge 1 ]; }
late_call 4000 'logs: false'
settings <<END
time_limits: { settle: 6 }
END
submit late "toolkits: [linear]"
worker
check "a call is sent" await 10 intended
end KILL "$WORKER"
check "another worker goes on" work
same "a call that lands four seconds after its worker died is not made twice" \
	"completed 1 It is there." \
	"$(get state) $(executed LINEAR_CREATE_LINEAR_ISSUE) $(agent-status --result "$ID")"
# shellcheck disable=SC2016
same "the model was told when it was sent" true "$(events '
	(map(select(.type == "tool.started"))[0].at | .[:16]) as $at |
	map(select(.type == "tool.finished"))[0].block.content | contains("sent at " + $at)')"
sound

late_call 20000 'logs: false'
submit "cut at the end of the grace" "toolkits: [linear]"
settings <<END
time_limits: { settle: 3600 }
worker: { grace: 0.1 }
END
worker
check "a call is sent" await 10 intended
end TERM "$WORKER"
work
same "until its settle time is over, the task waits" "waiting time: call" \
	"$(get state) $(get reason | cut -c 1-10)"
same "without a worker" "" "$(get worker)"
same "until then" 3600 "$(events '(map(select(.type == "waiting"))[0].until[:19] + "Z" | fromdate) -
	(map(select(.type == "tool.started"))[0].at[:19] + "Z" | fromdate)')"
check "it can be cancelled" agent-signal cancel "$ID"
work
same "at once" "cancelled 1" "$(get state) $(get calls_unknown)"

# ---- the service's log ----
# Temporal notes a call as unknown before anybody asks.
noted=0
on lmdb || noted=1
one_call NOTES_WRITE "$answers_late"
settings <<END
time_limits: { settle: 3600 }
END
submit "executed, as the log says"
killed NOTES_WRITE
check "another worker goes on" work
same "what the log has is the outcome, long before the call has settled" \
	"completed $noted 1 All went well." \
	"$(get state) $(get calls_unknown) $(executed NOTES_WRITE) $(agent-status --result "$ID")"
evidence='map(select(.type == "tool.finished"))[0]'
same "the journal says where it is from" "true true" \
	"$(events "$evidence | \"\(.evidence) \(.log_id | startswith(\"log_\"))\"")"
# shellcheck disable=SC2016
name=$ID-$(events 'map(select(.type == "tool.started"))[0].call')-1
same "by the name of the request, which has the task and the call" 1 "$(curl -s -H 'x-api-key: k' \
	-d '{"filters":[{"field":"request_id","operator":"==","value":"'"$name"'"}]}' \
	"$COMPOSIO_BASE_URL/api/v3.1/logs/tool_execution" | jq '.logs | length')"
# shellcheck disable=SC2016
same "the model gets the result, and hears that it is the log's" true "$(events '
	map(select(.type == "tool.finished"))[0].block | (has("is_error") | not) and
	(.content | test("log \\(log_.*\\) says that it succeeded: \\{"))')"
sound

late_call 3000
settings <<END
time_limits: { settle: 3600 }
END
submit "under way, as the log does not say yet" "toolkits: [linear]"
worker
check "a call is sent" await 10 intended
end KILL "$WORKER"
check "another worker goes on" work
same "the log is asked until it has the call" "completed 1 It is there. $noted" \
	"$(get state) $(executed LINEAR_CREATE_LINEAR_ISSUE) $(agent-status --result "$ID") $(get calls_unknown)"
check "at growing intervals" test "$(count evidence)" -ge 1
check "few of them" test "$(count evidence)" -le 4

one_call NOTES_WRITE "kind: reset_before"
settings <<END
time_limits: { settle: 3 }
END
submit "never executed"
work
same "that the log has no such call is no proof" "completed 1 0 I was told." \
	"$(get state) $(get calls_unknown) $(executed NOTES_WRITE) $(agent-status --result "$ID")"
same "it is told when the call has settled, with what the log has" 1 "$(events '
	map(select(.type == "tool.finished").block.content |
		select(test("took effect before.*log has no execution of NOTES_WRITE"))) | length')"
check "the last time it was asked, it had settled" test "$(events '
	def at(f): map(select(f).at[:19] + "Z" | fromdate) | last;
	at(.type == "evidence") - at(.type == "tool.started")')" -ge 2

one_call NOTES_WRITE "kind: reset_before"
settings <<END
time_limits: { settle: 2 }
tools: { "NOTES_W*": { on_unknown: ask } }
END
submit "a person is asked"
work
get reason >"$T/reason"
says "a person is told, too" "decision: .*log has no execution" "$T/reason"
check "approve" agent-signal approve "$ID"
work
same "approved: it is run again" "completed 1 2" \
	"$(get state) $(executed NOTES_WRITE) $(count tool.started)"

one_call NOTES_WRITE "$answers_late" 'logs: false'
settings <<END
time_limits: { settle: 2 }
END
submit "a key that may not read the log"
killed NOTES_WRITE
work
same "it is not asked again" "completed 1 1 I was told." \
	"$(get state) $(executed NOTES_WRITE) $(count evidence) $(agent-status --result "$ID")"
same "the reason is there" 1 "$(events 'map(select(.type == "evidence").message |
	select(test("log could not be asked: .*observability"))) | length')"
sound

# ---- the answer does not come back ----
for fault in "reset_after 1" "reset_before 0" "status_after 1" "garbage -" "cut -"; do
	kind=${fault% *} wanted=${fault#* }
	one_call NOTES_WRITE "kind: $kind"
	submit "$kind"
	work
	same "$kind: in doubt, the model is told" "completed 1 I was told." \
		"$(get state) $(count tool.unknown) $(agent-status --result "$ID")"
	[ "$wanted" = - ] ||
		same "$kind: executed" "$wanted" "$(executed NOTES_WRITE)"
	same "$kind: asked for once" 1 "$(count tool.started)"
	same "$kind: not repeated" 0 "$(repeated)"
done

one_call NOTES_WRITE "kind: hang"
settings <<END
time_limits: { call: 1 }
END
submit "hang"
work
same "no answer in time: in doubt" "completed 1 I was told." \
	"$(get state) $(count tool.unknown) $(agent-status --result "$ID")"

one_call NOTES_READ "kind: reset_after"
submit "a read that is reset"
work
same "a read is run again" "completed All went well. 2" \
	"$(get state) $(agent-status --result "$ID") $(executed NOTES_READ)"

one_call NOTES_READ "kind: status, status: 500, message: the notebook is on fire"
sed -i 's/, at: 1, kind: status/, kind: status/' "$T/script.$scenes"
restart "$T/script.$scenes"
settings <<END
attempts: 2
END
submit "a read that fails"
work
same "a read that failed each time is told as such, in the service's words" 1 "$(events '
	map(select(.type == "tool.finished").block.content |
		select(test("^The call failed each of 2 times: .*the notebook is on fire.*status 500"))) | length')"

# On a reused connection an HTTP library repeats a request
# by itself: calls one after the other, each reset.
scene <<END
model:
  - when: { turn: { to: 4 } }
    reply: { calls: [ { tool: NOTES_READ, input: {} }, { tool: NOTES_WRITE, input: { text: 'note {{turn}}' } } ] }
  - reply: { text: Done. }
faults:
  - { on: NOTES_WRITE, at: [2, 4], kind: reset_after }
  - { on: NOTES_WRITE, at: 3, kind: reset_before }
END
submit "connections used before"
work
same "no call was made twice" "completed 3 3" \
	"$(get state) $(count tool.unknown) $(executed NOTES_WRITE)"
same "not one" 0 "$(repeated)"
sound
done_testing
