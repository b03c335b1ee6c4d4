#!/bin/sh
# SPDX-License-Identifier: ISC
# Values larger than a Temporal server accepts (2 MiB) are refused
# early or cut, and not tried for ever: results, replies, the result of a task,
# signals.
# shellcheck disable=SC2119 # options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
ENGINE=temporal XDG_RUNTIME_DIR=$T
export XDG_RUNTIME_DIR
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"
cli=$(temporal_server build)

temporal() { "$cli" workflow "$@" --address "$TEMPORAL" --namespace "${AGENT_ENGINE##*/}" 2>"$T/cli.err"; }
ended() { case $(get state) in completed | failed) ;; *) return 1 ;; esac; }
repeat() { # repeat N TEXT: TEXT N times
	awk -v n="$1" -v text="$2" 'BEGIN { while (n--) printf "%s", text }'
}
refused() { # calls of the worker that the server refused
	temporal show -w "$ID" -o json | jq '[.events[] | select(.eventType | test("TASK_FAILED|TIMED_OUT|TERMINATED"))] | length'
}

{
	cat <<'END'
  - slug: NOTES_HUGE
    toolkit: notes
    description: Reads huge notes.
    read_only: true
    input_parameters: { type: object, properties: { text: { type: string } } }
END
	echo "    result: { note: '$(repeat 30 '{{arguments.text}}')' }"
	cat <<END
model:
  - when: { goal: 'huge result', turn: 1 }
    reply: { calls: [ { tool: NOTES_HUGE, input: { text: '$(repeat 10000 'word and ')' } } ] }
  - when: { goal: 'huge reply', turn: 1 }
    reply: { text: '$(repeat 600 '{{goal}}')' }
  - when: { goal: 'long reply', turn: 1 }
    reply: { text: '$(repeat 92 '{{goal}}')', stop: pause_turn }
  - when: { goal: 'long reply' }
    reply: { text: '$(repeat 92 '{{goal}}')' }
  - when: { goal: 'quotes', turn: 1 }
    reply: { calls: [ { tool: NOTES_READ, input: { text: '$(repeat 200 '""\\"\\é')' } } ] }
  - reply: { text: All went well. }
END
} >"$T/large.yaml"
scene <"$T/large.yaml"
worker

submit "a huge result"
await 40 ended
same "a result over the limit does not hold up the task" "completed 1" "$(get state) $(get calls)"
same "the model has what it is shown of it" "true null true" "$(events '.[] | select(.type == "tool.finished") |
	[(.block.content | tostring | length > 90000), .whole, (.whole_bytes > 2400000)] | map(tostring) | join(" ")')"
same "the server was asked to take nothing that it does not" 0 "$(refused)"

long="$(repeat 900 'words ')"
submit "a huge reply $long and on"
await 40 ended
same "a reply over the limit fails the task" "failed too_large" "$(get state) $(get error.type)"
get error.message >"$T/message"
says "and says why" '[0-9]+ bytes, and Temporal takes' "$T/message"
same "the server was asked to take nothing that it does not" 0 "$(refused)"

submit "a long reply $(repeat 2000 'words ')"
await 40 ended
same "a task whose replies together are over the limit ends" completed "$(get state)"
get result | tail -n 1 >"$T/message"
says "with as much of them as it takes" 'cut: it has [0-9]{7,} bytes' "$T/message"
same "all of it is in the replies" 2 "$(count model.replied)"
same "the server was asked to take nothing that it does not" 0 "$(refused)"

submit "quotes"
await 40 ended
same "words that are long in quotes are cut" "completed 0" "$(get state) $(refused)"

# --- signals ---
submit "be signalled" "not_before: 2099-01-01T00:00:00Z"
head -c 3000000 /dev/zero | tr '\0' x | jq -Rc '{by: "me", message: .}' >"$T/huge"
head -c 1900000 "$T/huge" | sed 's/$/"}/' >"$T/large"
status 1 "a signal over the limit is refused by the server" \
	temporal signal -w "$ID" --name pause --input-file "$T/huge"
check "one under it is taken" temporal signal -w "$ID" --name pause --input-file "$T/large"
message=$(repeat 12000 'message ')
check "so is our own" agent-signal cancel "$ID" --message "$message"
await 20 is cancelled
same "and acts" "cancelled" "$(get state)"
same "with every word" "$message" "$(events '[.[] | select(.signal == "cancel")][0].message')"
done_testing
