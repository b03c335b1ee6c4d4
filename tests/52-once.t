#!/bin/sh
# SPDX-License-Identifier: ISC
# agent-worker --once, as a Job of Kubernetes runs it: one task, whatever its
# outcome; having nothing to do is not a failure and takes no time.
# shellcheck disable=SC2016,SC2119  # the dollars are jq's; options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

value() { agent-scale-probe --plain; }
once() { timeout 60 agent-worker --once 2>>"$LOG"; }
talk() { # talk TOOLS_MS: the model makes one call, and is done
	scene <<-END
	latency: { tools: { NOTES_WRITE: $1 } }
	model:
	  - when: { calls: { NOTES_WRITE: 0 } }
	    reply: { calls: [{ tool: NOTES_WRITE, input: { text: note } }] }
	  - reply: { text: done }
	END
}

# ---- nothing to do ----
talk 0
once
same "no store and no task is no failure" 0 $?
same "and nobody is left in it" 0 "$(agent-scale-probe | jq .workers)"
once
same "no task is none either" 0 $?

# ---- one of many ----
submit one
first=$ID
submit two
once
same "a task that completes is success" 0 $?
same "one is done, and the other one waits" "completed queued 1" "$(get state "$first") $(get state) $(value)"
once
same "that one is the next one's" "0 completed 0" "$? $(get state) $(value)"

# ---- another worker has the only one ----
talk 3000
submit held
worker
check "a worker has the only task" await 10 is running
once
same "for another one there is nothing to do" "0 running" "$? $(get state)"
check "the task completes" await 20 is completed
same "with who began it" 1 "$(count started)"
end TERM "$WORKER"

# ---- many at once ----
talk 50
pids=''
for n in 1 2 3 4 5 6; do submit "many $n"; done
same "the number is of Jobs to be made" 6 "$(value)"
for n in 1 2 3 4 5 6 7 8; do
	start timeout 60 agent-worker --once 2>>"$LOG"
	pids="$pids $STARTED"
done
codes=''
for pid in $pids; do
	wait "$pid"
	codes="$codes $?"
done
same "two too many have nothing to do" " 0 0 0 0 0 0 0 0" "$codes"
same "and six do a task each" "6 6" "$(agent-status --state completed --limit 99 | wc -l) $(agent-status --limit 99 |
	jq -r .id | while read -r id; do events '.[] | select(.type == "started") | .worker' "$id"; done | sort -u | wc -l)"
same "nothing was done twice" 6 "$(executed NOTES_WRITE)"

# ---- told to end ----
talk 1500
submit drained
worker --once
check "a Job makes a call" await 10 sh -c 'agent-status --events "$1" | grep -q tool.started' sh "$ID"
end TERM "$WORKER"
same "told to go it ends in order" 0 $?
same "with the task given back, for another Job" "queued 1" "$(get state) $(value)"
once
same "which completes it" "0 completed" "$? $(get state)"
same "and makes no call twice" 1 "$(executed NOTES_WRITE)"

# ---- tasks that do not complete ----
scene <<-END
	model:
	  - reply: { text: never }
	faults:
	  - { on: messages, at: 1, status: 429, headers: { retry-after: 1000 } }
END
submit waits
once
same "a task that waits is no failure" "0 waiting 0" "$? $(get state) $(value)"
submit "waits, too"
once
same "nor is one that another worker's limit holds back" "0 waiting 0" "$? $(get state) $(value)"
scene <<-END
	model:
	  - reply: { text: never }
	faults:
	  - { on: messages, status: 400, type: invalid_request_error, message: no }
END
submit fails
once
same "one that fails is" "1 failed 0" "$? $(get state) $(value)"
sound
done_testing
