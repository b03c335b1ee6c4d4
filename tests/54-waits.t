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
COMPOSIO_API_KEY=k
export COMPOSIO_API_KEY
export ANTHROPIC_API_KEY_FILE="$T/key"
echo wrong >"$T/key"
if on lmdb; then
	for i in $(seq 200); do echo "{\"user\":\"u$i\",\"goal\":\"g\"}"; done |
		agent-submit --no-preflight >/dev/null
	work
	same "200 tasks under a wrong key: none has ended" 200 \
		"$(agent-status --limit 300 | jq -r .state | grep -c 'queued\|waiting')"
	same "one line says why" 1 "$(grep -c '"level":"error"' "$LOG")"
	same "what waits says for what" key \
		"$(agent-status --state waiting | jq -r .waiting.for | sort -u)"
	worker
	check "another worker meets it, too" await 10 eval \
		'[ "$(grep -c key.refused "$LOG")" = 2 ]'
	echo good-key >"$T/key"
	check "the file changes, and all go on" await 30 eval \
		'[ "$(agent-status --state completed --limit 300 | wc -l)" = 200 ]'
	end TERM "$WORKER"
	check "the store is sound" agent-store check
fi
done_testing
