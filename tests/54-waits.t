#!/bin/sh
# SPDX-License-Identifier: ISC
# A key that is refused: nothing fails, one line says so, and when the key's file
# changes what waits for it goes on.
# shellcheck disable=SC2119,SC2016 # options may be left out; await evaluates
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

scene <<-END
keys: { anthropic: [good-key], composio: [k] }
model:
  - reply: { text: Done. }
END
unset ANTHROPIC_API_KEY
goals() { # goals N [MEMBERS]
	for _ in $(seq "$1"); do echo "{\"user\":\"ana\",\"goal\":\"g\"${2:+,$2}}"; done |
		agent-submit --no-preflight >/dev/null
}
started() { # how many of those that wait
	agent-status --state waiting | jq -r .id |
		while read -r id; do agent-status --events "$id"; done |
		jq -c 'select(.type == "started")' | wc -l
}
refused() { # how many requests
	agent-status --limit 300 | jq -r .id |
		while read -r id; do agent-status --events "$id"; done |
		jq -c 'select(.error.status == 401)' | wc -l
}
COMPOSIO_API_KEY=k
export COMPOSIO_API_KEY
export ANTHROPIC_API_KEY_FILE="$T/key"
echo wrong >"$T/key"
if on lmdb; then
	goals 200
	work
	same "200 tasks under a wrong key: none has ended" 200 \
		"$(agent-status --limit 300 | jq -r .state | grep -c 'queued\|waiting')"
	same "one line says why" 1 "$(grep -c '"level":"error"' "$LOG")"
	same "what waits says for what" key \
		"$(agent-status --state waiting | jq -r .waiting.for | sort -u)"
	goals 3
	same "the scale number counts one, to try it again" 1 "$(agent-scale-probe --plain)"
	asked=$(refused)
	worker
	check "another worker knows it, too" await 10 eval \
		'[ "$(grep -c key.refused "$LOG")" = 2 ]'
	same "and does not ask for itself" "$asked" "$(refused)"
	agent-signal resume "$(agent-status --state waiting --limit 1 | jq -r .id)" >/dev/null
	check "a person may have it tried" await 10 eval '[ "$(refused)" -gt "$asked" ]'
	echo good-key >"$T/key"
	check "the file changes, and all go on" await 30 eval \
		'[ "$(agent-status --state completed --limit 300 | wc -l)" = 203 ]'
	end TERM "$WORKER"
	check "the store is sound" agent-store check

	# the key of the tools
	echo wrong >"$T/tools.key"
	unset COMPOSIO_API_KEY
	export COMPOSIO_API_KEY_FILE="$T/tools.key"
	goals 20 '"toolkits":["notes"]'
	work
	same "a wrong key of the tools: all that need one wait for it" "20 key" \
		"$(agent-status --state waiting | jq -r .waiting.for | uniq -c | xargs)"
	goals 20 '"toolkits":["notes"]'
	goals 5 '"tools":[]'
	work
	same "another worker does not begin what needs one" 20 "$(started)"
	same "and does what needs none" 208 \
		"$(agent-status --state completed --limit 300 | wc -l)"
	same "what waits counts nothing" 0 "$(agent-scale-probe --plain)"
	worker
	echo k >"$T/tools.key"
	check "and the others when the key is another one" await 30 eval \
		'[ "$(agent-status --state completed --limit 300 | wc -l)" = 248 ]'
	end TERM "$WORKER"
	check "the store is sound" agent-store check

	# a worker that is started with another key
	unset ANTHROPIC_API_KEY_FILE COMPOSIO_API_KEY_FILE
	export COMPOSIO_API_KEY=k ANTHROPIC_API_KEY=wrong
	goals 20
	work
	same "a wrong key again: none has ended" 20 \
		"$(agent-status --limit 300 | jq -r .state | grep -c 'queued\|waiting')"
	export ANTHROPIC_API_KEY=good-key
	worker
	check "with another key a worker lets all go on" await 20 eval \
		'[ "$(agent-status --state completed --limit 300 | wc -l)" = 268 ]'
	end TERM "$WORKER"
	goals 2
	same "and all count again" 2 "$(agent-scale-probe --plain)"
	check "the store is sound" agent-store check
fi
if on temporal; then
	goals 20
	worker
	waits() { # waits N: tasks for a key
		[ "$(agent-status --state waiting | jq -c 'select(.waiting.for == "key")' | wc -l)" = "$1" ]
	}
	check "tasks under a wrong key wait for another one" await 30 waits 20
	same "one line says why" 1 "$(grep -c key.refused "$LOG")"
	same_soon "they count nothing" 0 agent-scale-probe --plain
	ID=$(agent-status --state waiting --limit 1 | jq -r .id)
	agent-signal pause "$ID" >/dev/null
	check "one of them is paused" await 10 eval '[ "$(get waiting.for)" = paused ]'
	echo good-key >"$T/key"
	check "the file changes, and the others go on at once" await 20 eval \
		'[ "$(agent-status --state completed --limit 300 | wc -l)" = 19 ]'
	same "what is paused stays so" paused "$(get waiting.for)"
	end TERM "$WORKER"
fi
done_testing
