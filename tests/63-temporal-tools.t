#!/bin/sh
# SPDX-License-Identifier: ISC
# Other tools with our tasks: the command line of Temporal lists, shows,
# queries, signals and cancels them, and the answers that its web page uses can be
# read without our programs.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

need jq curl
ENGINE=temporal
engine
cli=$(temporal_server build)
temporal() { "$cli" workflow "$@" --address "$TEMPORAL"; }
standin "$TOP/scripts/examples/standin-triage.yaml" --mailbox "$TOP/tests/data/mailbox-small.mbox" || exit 1
submit() { # submit: a task; its id is $ID
	agent-preflight -f "$TOP/scripts/examples/mail-triage.yaml" | jq -c 'del(.key)' |
		agent-submit >"$T/submitted"
	ID=$(jq -r .id "$T/submitted")
}
state() { [ "$(agent-status "$ID" | jq -r .state)" = "$1" ]; }
text() { jq -r '[.events[] | select(.eventType == "EVENT_TYPE_'"$1"'")]'"$2" "$T/show.json"; }

submit
check "the command line describes a task" temporal describe -w "$ID"
says "by its goal" 'StaticSummary .*mail' "$OUT"
temporal describe -w "$ID" -o json >"$T/describe.json"
same "whose it is, and how urgent" "ana 5" "$(jq -r '.workflowExecutionInfo.memo.fields |
	[.user, .priority] | map(tostring) | join(" ")' "$T/describe.json")"
check "pauses it" temporal signal -w "$ID" --name pause --input '{"by":"eva"}'
start agent-worker 2>"$T/worker.log"
worker=$STARTED
check "so that it waits" await 20 state waiting
check "asks for its state" temporal query -w "$ID" --type state
says "and is told" 'waiting.*paused|paused.*waiting' "$OUT"
waits() { temporal list --query "AgentState = 'waiting' AND AgentUser = 'ana'" | grep -q "$ID"; }
check "lists what waits of a user" await 10 waits
check "goes on" temporal signal -w "$ID" --name resume --input '{"by":"eva"}'
check "to its end" await 30 state completed
same "who said so is in the journal" "pause eva resume eva" "$(agent-status --events "$ID" |
	jq -rs 'map(select(.type == "signal") | "\(.signal) \(.by)") | join(" ")')"

check "shows its steps" temporal show -w "$ID"
says "by their types" 'ActivityTaskScheduled' "$OUT"
says "and what came of it" 'Done|COMPLETED' "$OUT"
temporal show -w "$ID" -o json >"$T/show.json"
same "each activity has a line for people" 0 "$(text ACTIVITY_TASK_SCHEDULED \
	' | map(select(.userMetadata.summary == null)) | length')"
text ACTIVITY_TASK_SCHEDULED '[].userMetadata.summary.data' | while read -r line; do
	printf '%s' "$line" | base64 -d
	echo
done >"$T/lines"
says "a turn by its number" '^"turn 1"$' "$T/lines"
says "a call by its tool" 'GMAIL_' "$T/lines"
same "every value is JSON" json/plain "$(jq -r '[.. | .metadata?.encoding? // empty | @base64d] |
	unique | join(" ")' "$T/show.json")"

# The page in the browser uses this: the server's own HTTP API, which Temporal's
# web server passes on.
http=http://127.0.0.1:$((${TEMPORAL##*:} + 1))/api/v1/namespaces/default/workflows
check "the web page's list" curl -sf "$http" -o "$T/list.json"
same "has the task" completed "$(jq -r --arg id "$ID" '.executions[] | select(.execution.workflowId == $id) |
	.status | ltrimstr("WORKFLOW_EXECUTION_STATUS_") | ascii_downcase' "$T/list.json")"
check "the web page's task" curl -sf "$http/$ID" -o "$T/task.json"
same "has its memo as values" '["ana","default"]' "$(jq -c '.workflowExecutionInfo.memo |
	(.fields // .) | [.user, .queue] | map(.data? // .)' "$T/task.json")"
check "the web page's history" curl -sf "$http/$ID/history" -o "$T/history.json"
same "has the steps as values" '{"turn":1,"attempt":1}' "$(jq -c '[.history.events[] |
	.activityTaskScheduledEventAttributes | select(.activityType.name == "model.turn").input |
	(.payloads? // .)[0]][0] | {turn, attempt}' "$T/history.json")"
same "and what the model said" model.replied "$(jq -r '[.history.events[] |
	.activityTaskCompletedEventAttributes.result | select(.) | (.payloads? // .)[0] |
	select(.type == "model.replied")][0].type' "$T/history.json")"

submit
check "cancels a task" temporal cancel -w "$ID"
ended() { state cancelled || state completed; }
check "which ends" await 20 ended
kill -TERM "$worker"
wait "$worker"
same "the worker took no harm" 0 $?
done_testing
