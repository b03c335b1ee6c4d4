#!/bin/sh
# SPDX-License-Identifier: ISC
# The clock is set forward or back by a day or a year while a worker is at work:
# tasks end as they would have.
# shellcheck disable=SC2119 # options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"
PRELOAD=$BUILD/fault/clock.so
ldd "$BIN/agent-worker" | grep -q libasan &&
	PRELOAD="$(cc -print-file-name=libasan.so) $PRELOAD"
[ -r "$BUILD/fault/clock.so" ] || { echo "Bail out! no clock.so: make fault"; exit 1; }

clock() { # clock SECONDS: so far is the clock off from now on
	echo "$1" >"$T/clock.new"
	mv "$T/clock.new" "$T/clock"
}
clocked() { # a worker whose clock that is
	start env CLOCK_FILE="$T/clock" LD_PRELOAD="$PRELOAD" agent-worker 2>>"$LOG"
	WORKER=$STARTED
}
asked() { [ "$(count model.started)" = "$1" ]; }
day=86400
year=$((365 * day))

for step in $day $year -$day -$year; do
	scene <<-END
	model:
	  - when: { turn: { to: 3 } }
	    reply: { delay: 700, text: 'Note {{turn}}.', calls: [ { tool: NOTES_WRITE, input: { text: 'a {{turn}}' } } ] }
	  - reply: { text: 'Done.' }
	faults:
	  - { on: NOTES_WRITE, at: 2, status: 429, headers: { retry-after: 16 } }
	END
	clock 0
	submit "write" "budget: { seconds: 300 }"
	clocked
	await 10 asked 1
	clock "$step"
	check "$step: in the middle of a turn" await 10 executes NOTES_WRITE 1
	# the second call waits, and meanwhile the clock is right again
	check "$step: while it waits" await 10 is waiting
	clock 0
	check "$step: it ends" await 60 is completed
	same "$step: with all it had to do" "3 0" "$(executed NOTES_WRITE) $(repeated)"
	end TERM "$WORKER"
	sound
done

# ---- a budget of seconds is over when it would have been ----
scene <<-END
model:
  - reply: { delay: 300, text: 'Note {{turn}}.', calls: [ { tool: NOTES_WRITE, input: { text: 'a {{turn}}' } } ] }
END
clock 0
submit "never stops" "budget: { seconds: 4 }"
clocked
await 10 asked 1
began=$(date +%s%N)
clock $year
check "a budget of seconds is used up" await 20 is failed
took=$((($(date +%s%N) - began) / 1000000))
check "but not before ($took ms)" test $took -ge 3000
same "for that reason" budget_exceeded "$(get error.type)"
! on lmdb || same "the journal has the step" 1 "$(count clock)"
end TERM "$WORKER"
sound
done_testing
