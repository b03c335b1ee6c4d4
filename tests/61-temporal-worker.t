#!/bin/sh
# SPDX-License-Identifier: ISC
# Tasks on a real Temporal server: one runs to its end, a worker is killed in the
# middle of a call, workers are killed at random, one is told to end.
# shellcheck disable=SC2016  # the dollars are jq's
. "$(dirname "$0")/lib.sh"

need jq
trap 'temporal_server stop --folder "$T/server"; finish' EXIT
obtain Temporal temporal_server start --folder "$T/server" --tuned
address=$(cat "$OUT")
AGENT_ENGINE=temporal://$address/default
XDG_RUNTIME_DIR=$T
export AGENT_ENGINE XDG_RUNTIME_DIR
cli=$(temporal_server build)

temporal() { # temporal COMMAND...: an official client
	"$cli" workflow "$@" --address "$address" 2>"$T/cli.err"
}
history() { temporal show -w "$1" -o json; }
closed() { # closed ID: prints how it ended
	temporal describe -w "$1" -o json | jq -er '.workflowExecutionInfo | select(.status !=
		"WORKFLOW_EXECUTION_STATUS_RUNNING") | .status | ltrimstr("WORKFLOW_EXECUTION_STATUS_")' | tee "$T/.closed"
	[ -s "$T/.closed" ]
}
submit() { # submit ID [USER]
	jq -cn --arg user "${2:-ana}" '{task: {user: $user, toolkits: ["gmail", "linear"],
		goal: "Go through my mail.", budget: {turns: 60}}}' >"$T/input"
	temporal start --type agent-task --task-queue agent-default --workflow-id "$1" \
		--input-file "$T/input" >/dev/null
}
worker() { # worker NAME OPTION...: $STARTED
	log=$T/$1.log
	shift
	start agent-worker "$@" >"$log" 2>&1
}
triage() { # triage TOOLS_MS
	sed "s/^  messages: .*/  messages: 0/; s/^  tools: .*/  tools: $1/" \
		"$TOP/scripts/examples/standin-triage.yaml" >"$T/script.yaml"
	rm -f "$T/ledger"
	standin "$T/script.yaml" --mailbox "$TOP/tests/data/mailbox-small.mbox"
}
twice() { # calls in the ledger that changed something and were made twice
	jq -cs '[.[] | select(.tool | test("CREATE")) | {tool, user_id: .user_id, arguments}]
		| group_by(.) | map(select(length > 1)) | length' "$T/ledger"
}

# --- a task, from another client ---
triage 0
submit one
worker one --exit-when-idle
one=$STARTED
await 30 closed one
same "a task runs to its end" COMPLETED "$(closed one)"
wait "$one"
same "a worker that is to end when idle ends in order" 0 $?
same "no call was made twice" 0 "$(twice)"
history one >"$T/one.json"
same "every payload is JSON" '["json/plain"]' "$(jq -c '[.. | .metadata?.encoding? // empty] |
	map(@base64d) | unique' "$T/one.json")"
same "the steps have words" 'turn 1' "$(jq -r '[.events[] | select(.eventType ==
	"EVENT_TYPE_ACTIVITY_TASK_SCHEDULED") | .userMetadata.summary.data | select(.) | @base64d |
	fromjson][1]' "$T/one.json")"
check "no secret is in the history" sh -c "! grep -q -e test-anthropic -e test-composio '$T/one.json'"

# --- one that is not a task ---
worker two
two=$STARTED
echo '{"task": {"user": "ana", "gaol": "x"}}' >"$T/input"
temporal start --type agent-task --task-queue agent-default --workflow-id bad \
	--input-file "$T/input" >/dev/null
await 20 closed bad
same "what is no task is refused" FAILED "$(closed bad)"
submit stop
temporal cancel -w stop >/dev/null
await 20 closed stop
says "a cancelled task ends" 'CANCELED|COMPLETED' "$T/.closed"
kill -TERM "$two"
wait "$two"
same "a worker that is told to go ends in order" 0 $?

# --- killed in the middle of a call ---
kill "$STANDIN"
triage 2000
submit doubt
worker three
three=$STARTED
await 30 grep -q LINEAR_LIST_LINEAR_TEAMS "$T/ledger"
await 30 sh -c "grep -c '\"activity.started\".*\"tool-' '$T/three.log' | grep -qx '[3-9]'"
died=$(date +%s%N)
kill -KILL "$three"
worker four
four=$STARTED
await 60 closed doubt
same "a task whose worker was killed in a call ends" COMPLETED "$(closed doubt)"
history doubt >"$T/doubt.json"
known=$(jq -r '[.events[] | select(.eventType == "EVENT_TYPE_ACTIVITY_TASK_FAILED")][0].eventTime // ""' \
	"$T/doubt.json")
known=$(($(date -d "${known:-1970-01-01}" +%s%N) - died))
echo "# known to be in doubt after $((known / 1000000)) ms"
[ $known -gt 0 ] && [ $known -lt 1000000000 ]
ok $? "the call is known to be in doubt at once"
same "no call was made twice" 0 "$(twice)"
kill -TERM "$four"
wait "$four"

# --- killed at random, and told to end, while others work ---
kill "$STANDIN"
triage 100
count=${LONG:+40}
count=${count:-8}
for n in $(seq "$count"); do submit "many-$n"; done
running=''
for n in 1 2 3; do
	worker "many-$n"
	running="$running $STARTED"
done
ended() { "$cli" workflow count --address "$address" \
	--query "WorkflowId STARTS_WITH 'many-' AND ExecutionStatus = 'Completed'" | grep -q ": $1\$"; }
n=3 round=0
while [ $round -lt 6 ] && ! ended "$count"; do
	round=$((round + 1)) n=$((n + 1))
	before=$(wc -l <"$T/ledger")
	await 20 sh -c "[ \$(wc -l <'$T/ledger') -ge $((before + 4)) ]"
	# shellcheck disable=SC2086  # a list of pids
	set -- $running
	if [ $((round % 2)) -eq 0 ]; then kill -TERM "$1"; else kill -KILL "$1"; fi
	shift
	worker "many-$n"
	running="$* $STARTED"
done
await 120 ended "$count"
ok $? "every task ends though workers die and go"
same "no call was made twice" 0 "$(jq -cs '[.[] | select(.tool | test("CREATE")) |
	{tool, arguments}] | group_by(.) | map(select(length > '"$count"')) | length' "$T/ledger")"
done_testing
