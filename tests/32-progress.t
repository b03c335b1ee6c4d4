#!/bin/sh
# SPDX-License-Identifier: ISC
# The text so far of a slow reply is shown; that of a quick one is never written.
. "$(dirname "$0")/lib.sh"

cat >"$T/script.yaml" <<'END'
model:
  - name: slow
    when: { goal: slowly }
    reply: { text: 'one two three four five six seven eight nine ten', drip: 300 }
  - name: quick
    reply: { text: 'done' }
END
check "the stand-in starts" standin "$T/script.yaml"

submit() { # submit GOAL: the task's id
	printf '{"user":"ana","goal":"%s"}' "$1" | agent-preflight | agent-submit |
		sed 's/.*"id":"\([^"]*\)".*/\1/'
}

id=$(submit "count slowly")
start agent-worker --exit-when-idle 2>"$T/worker.log"
worker=$STARTED
sees() { agent-status "$id" | grep -q "$1"; }
check "the text so far is seen" await 10 sees '"progress":"[^"]*one'
check "and grows" await 10 sees '"progress":"one two three'
wait "$worker"
check "the task completes" sees '"state":"completed"'
same "its progress file is gone" "" "$(ls "$T/store/progress")"

# Writing there changes the folder. On a busy machine even a quick reply
# can take long, so it is enough if one of five writes nothing.
quick() {
	for try in 1 2 3 4 5; do
		submit "count $try" >/dev/null
		before=$(stat -c %y "$T/store/progress")
		agent-worker --exit-when-idle || return 1
		[ "$before" != "$(stat -c %y "$T/store/progress")" ] || return 0
	done
	return 1
}
check "a quick reply is not written" quick
done_testing
