#!/bin/sh
# SPDX-License-Identifier: ISC
# Three hundred calls with 5 KB of result each: what a Temporal server stores of
# the task is little more than its journal, since no turn of the
# model has the conversation in its input. The same through several runs, with a
# worker that dies. STEPS=single makes a turn of each call.
# shellcheck disable=SC2119 # options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
ENGINE=temporal XDG_RUNTIME_DIR=$T
export XDG_RUNTIME_DIR
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"
cli=$(temporal_server build)
CALLS=300

temporal() { "$cli" workflow "$@" --address "$TEMPORAL" --namespace "${AGENT_ENGINE##*/}" 2>"$T/cli.err"; }
follow() { timeout 100 agent-status --follow "$ID" >"$T/followed"; }
results() { # what the model was given
	events '.[] | select(.type == "tool.finished") | .block.content | tostring' | sort
}

{
	cat <<'END'
  - slug: NOTES_LONG
    toolkit: notes
    description: Reads a long note.
    read_only: true
    input_parameters: { type: object, properties: { text: { type: string } } }
END
	printf "    result: { note: '"
	for n in $(seq 245); do printf '{{arguments.text}} line %d, word. ' "$n"; done
	echo "' }"
	if [ "${STEPS-}" = single ]; then set -- one; else set -- one two three; fi
	cat <<END
model:
  - when: { calls: { NOTES_LONG: { to: $((CALLS - 1)) } } }
    reply:
      text: I read on.
      calls:
END
	for part in "$@"; do
		echo "        - { tool: NOTES_LONG, input: { text: '$part {{turn}}' } }"
	done
	echo '  - reply: { text: All is read. }'
} >"$T/long.yaml"
scene <"$T/long.yaml"

# --- in one run ---
worker
submit "read on" "budget: {turns: 1000}"
follow
same "a task of $CALLS calls ends" "completed $CALLS" "$(get state) $(get calls)"
results >"$T/results"
[ "$(wc -c <"$T/results")" -ge $((CALLS * 5000)) ]
ok $? "each with 5 KB of result"
temporal describe -w "$ID" -o json >"$T/last.json"
same "in one run" true "$(jq '.workflowExecutionInfo |
	.firstRunId == .execution.runId' "$T/last.json")"
stored=$(jq -r '.workflowExecutionInfo.historySizeBytes' "$T/last.json")
unique=$(agent-status --events "$ID" | wc -c)
echo "# $CALLS calls: $stored bytes are stored, $unique are the journal: $((stored * 1000 / unique)) per mille"
[ "$stored" -gt "$unique" ] && [ $((stored * 10)) -le $((unique * 12)) ]
ok $? "the server stores at most 1.2 times the journal"
temporal show -w "$ID" -o json >"$T/history.json"
inputs=$(jq '[.events[].activityTaskScheduledEventAttributes.input.payloads // [] | .[].data | @base64d |
	utf8bytelength] | add' "$T/history.json")
echo "# inputs of activities: $inputs bytes"
[ "$inputs" -gt 0 ] && [ $((inputs * 20)) -le "$stored" ]
ok $? "what activities are given is no twentieth of it"

curl -sf "http://127.0.0.1:$((${TEMPORAL##*:} + 2))/metrics" >"$T/metrics"
calls() { # calls METHOD: how often the server was asked
	awk -v name="operation=\"$1\"" '/^service_requests/ && /service_name="frontend"/ && index($0, name) { n += $NF }
		END { print n + 0 }' "$T/metrics"
}
echo "# asked for history: $(calls GetWorkflowExecutionHistory) forwards," \
	"$(calls GetWorkflowExecutionHistoryReverse) backwards"
[ "$(calls GetWorkflowExecutionHistoryReverse)" -gt 20 ]
ok $? "what is new in it is read from its end"

# --- in several, with a worker that dies ---
cp "$T/results" "$T/first"
settings <<'END'
limits: { run_bytes: 400000 }
END
end KILL "$WORKER"
: >"$T/ledger"
worker
submit "read on" "budget: {turns: 1000}"
await 60 executes NOTES_LONG 150
end KILL "$WORKER"
worker
follow
same "it ends in several runs, too" "completed $CALLS" "$(get state) $(get calls)"
temporal list --query "WorkflowId = '$ID'" -o json >"$T/runs.json"
[ "$(jq length "$T/runs.json")" -ge 3 ]
ok $? "in $(jq length "$T/runs.json") runs"
same "its journal is one" true "$(events 'map(.seq) == [range(1; length + 1)]')"
results >"$T/results"
check "the model was given the same" cmp "$T/first" "$T/results"
agent-status --events "$ID" >"$T/events"
check "who followed it has seen it all" cmp "$T/events" "$T/followed"
same "nothing that changes something was repeated" 0 "$(repeated)"
done_testing
