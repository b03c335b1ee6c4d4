#!/bin/sh
# SPDX-License-Identifier: ISC
# A service that takes fewer requests than there are tasks: all are done, and few
# requests are refused, by one worker and by two. LIMIT_TASKS and LIMIT_RATE make
# it larger: 64 tasks and 3 requests a second take some five minutes. A task has three
# turns: before the first refusal is there, as many requests may leave as there are tasks.
# shellcheck disable=SC2119,SC2016 # options may be left out; await evaluates
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

tasks=${LIMIT_TASKS:-16} rate=${LIMIT_RATE:-6}
answers=$((3 * tasks))
seconds=$((20 + 4 * answers / rate))

limited() {
	scene <<-END
	model:
	  - when: { turn: { from: 1, to: 2 } }
	    reply: { text: Wait., stop: max_tokens }
	  - reply: { text: Done. }
	faults:
	  - { on: messages, above: $rate, status: 429, headers: { retry-after: 1 } }
	END
	for i in $(seq "$tasks"); do
		echo "{\"user\":\"u$i\",\"goal\":\"g\",\"toolkits\":[]}"
	done | agent-submit --no-preflight >/dev/null
}

completed() {
	[ "$(agent-status --state completed --limit 200 | wc -l)" = "$tasks" ]
}

reached() { # reached WHO
	check "$1: all tasks are done" await "$seconds" completed
	agent-status --limit 200 | jq -r .id >"$T/ids"
	while read -r id; do agent-status --events "$id"; done <"$T/ids" >"$T/events"
	sent=$(jq -c 'select(.type == "model.replied" or .error.status == 429)' \
		"$T/events" | wc -l)
	same "$1: all turns were taken" $answers \
		"$(jq -c 'select(.type == "model.replied")' "$T/events" | wc -l)"
	echo "# $sent requests for $answers answers"
	check "$1: at most three requests for two answers" [ $((2 * sent)) -le $((3 * answers)) ]
	same "$1: a limit is no attempt" 0 \
		"$(jq -c 'select(.type == "model.failed" and .wait == null)' "$T/events" | wc -l)"
}

limited
worker
reached "one worker"
end TERM "$WORKER"

limited
worker
first=$WORKER
worker
reached "two workers"
end TERM "$first"
end TERM "$WORKER"
sound
done_testing
