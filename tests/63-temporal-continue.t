#!/bin/sh
# SPDX-License-Identifier: ISC
# A task on a Temporal server that goes on from run to run: its journal is one,
# whatever happens in between, and every program shows it as one task.
# shellcheck disable=SC2119 # options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
ENGINE=temporal XDG_RUNTIME_DIR=$T
export XDG_RUNTIME_DIR
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"
cli=$(temporal_server build)

temporal() { "$cli" workflow "$@" --address "$TEMPORAL" --namespace "${AGENT_ENGINE##*/}" 2>"$T/cli.err"; }
runs() { # how many runs the task had so far
	temporal list --query "WorkflowId = '$ID'" -o json | jq length
}
begun() { [ "$(runs)" -eq 1 ]; }
whole() { # its journal is one, from 1 on without a gap
	events 'map(.seq) == [range(1; length + 1)]'
}
notes() { # the notes in the ledger, in order
	jq -r 'select(.tool == "NOTES_WRITE") | .arguments.text' "$T/ledger"
}

scene <<'END'
model:
  - when: { goal: 'write', calls: { NOTES_WRITE: { to: 29 } } }
    reply: { text: 'Turn {{turn}}.', calls: [ { tool: NOTES_WRITE, input: { text: 'note {{turn}}' } } ] }
  - reply: { text: All is written. }
latency: { tools: 20 }
END
settings <<'END'
limits: { run_events: 60 }
END

# --- to its end, watched, with workers that die ---
submit "write thirty notes" "key: triage" "budget: {turns: 100}"
agent-status --follow "$ID" >"$T/followed" 2>"$T/follow.log" &
follower=$!
for n in 5 12 19; do
	worker
	await 30 executes NOTES_WRITE $n
	end KILL "$WORKER"
done
worker
await 60 is completed
same "a task passes through many runs" "completed All is written." "$(get state) $(get result)"
[ "$(runs)" -ge 5 ]
ok $? "there were $(runs) runs"
wait "$follower"
same "who followed it has seen it end" 0 $?
same "its journal is one" true "$(whole)"
agent-status --events "$ID" >"$T/events"
check "who followed it has seen all of it" cmp "$T/events" "$T/followed"
sed -n '41,$p' "$T/events" >"$T/rest"
agent-status --events --after 40 "$ID" >"$T/after" 2>"$ERR"
check "and from any place on" cmp "$T/rest" "$T/after"
same "every note was asked for once, in order" "$(seq 1 30 | sed 's/^/note /')" \
	"$(events '[.[] | select(.type == "model.replied") | .content[] | select(.type == "tool_use") | .input.text] | .[]')"
same "none was written twice" 0 "$(repeated)"
same "what is written is in order" "$(notes | sort -t ' ' -k 2n -u)" "$(notes)"

# --- the new run is like the first one ---
temporal describe -w "$ID" -o json >"$T/last.json"
same "memo and attributes go with it" '["ana","write thirty notes","\"ana\""]' \
	"$(jq -c '.workflowExecutionInfo | [.memo.fields.user, .memo.fields.title,
		(.searchAttributes.indexedFields.AgentUser.data | @base64d)]' "$T/last.json")"
check "its key is still its own" agent-submit -f "$T/passed"
end KILL "$WORKER"

# --- signals that arrive meanwhile ---
scene <<'END'
model:
  - when: { goal: 'read', calls: { NOTES_READ: { to: 29 } } }
    reply: { calls: [ { tool: NOTES_READ, input: { text: 'note {{turn}}' } } ] }
  - when: { goal: 'doubt', turn: 1 }
    reply: { calls: [ { tool: NOTES_WRITE, input: { text: once } } ] }
  - reply: { text: All went well. }
faults:
  - { on: NOTES_WRITE, at: 1, kind: slow, delay: 60000 }
END
settings <<'END'
limits: { run_events: 24 }
tools:
  NOTES_WRITE: { on_unknown: ask }
END
noise() { # noise: sends unknown signals until the task is in a new run
	before=$(runs)
	for _ in 1 2 3 4 5 6; do
		for n in 1 2 3 4 5 6; do
			temporal signal -w "$ID" --name nothing >/dev/null
		done
		[ "$(runs)" -eq "$before" ] || return 0
	done
	return 1
}
worker
submit "read and be told"
sent=0
for n in $(seq 40); do
	for signal in pause resume; do
		agent-signal $signal "$ID" >"$OUT" 2>"$ERR" || break 2
		sent=$((sent + 1))
	done
done
says "signals are taken as long as there is somebody to take them" '"id"|task_ended' "$OUT"
await 30 is completed
same "and none is lost" "completed $sent true" "$(get state) $(count signal) $(whole)"
[ $sent -ge 4 ]
ok $? "of $sent"
[ "$(runs)" -ge 5 ]
ok $? "in $(runs) runs"

# started by another client, so that the task waits by a timer of its own
ID=read-later
jq -cn --arg at "$(date -u -d '+6 seconds' +%Y-%m-%dT%H:%M:%SZ)" \
	'{task: {user: "ana", goal: "read later", toolkits: ["notes"], not_before: $at}}' >"$T/input"
temporal start --type agent-task --task-queue agent-default --workflow-id "$ID" \
	--input-file "$T/input" >/dev/null
await 10 begun
noise
ok $? "a task that waits for its time goes on in a new run"
await 30 is completed
same "and begins when it has come" "completed true" "$(get state) $(whole)"

submit "read and pause"
agent-signal pause "$ID" >"$OUT"
noise
ok $? "a paused task goes on in a new run"
same "paused" "waiting paused" "$(get state) $(get reason)"
agent-signal cancel "$ID" >"$OUT"
await 10 is cancelled
same "and can be cancelled there" "cancelled true" "$(get state) $(whole)"

submit "doubt"
await 10 executes NOTES_WRITE 1
end KILL "$WORKER"
worker
await 20 is waiting
noise
ok $? "a task with a call in doubt goes on in a new run"
same "in doubt" "1 1" "$(count tool.unknown) $(executed NOTES_WRITE)"
agent-signal approve "$ID" >"$OUT"
await 30 is completed
same "until a person says that it is to be made again" "2 true" "$(executed NOTES_WRITE) $(whole)"
end KILL "$WORKER"
done_testing
