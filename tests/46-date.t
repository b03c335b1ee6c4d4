#!/bin/sh
# SPDX-License-Identifier: ISC
# The model is told the day, in the time zone of the task's user where it is known,
# and the next one when a task lasts that long.
# shellcheck disable=SC2016,SC2119 # await evaluates; options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"
PRELOAD=$BUILD/fault/clock.so
ldd "$BIN/agent-worker" | grep -q libasan &&
	PRELOAD="$(cc -print-file-name=libasan.so) $PRELOAD"

told() { # the days that the model was told
	events 'map(.date.text // empty) | join("\n")'
}
today() { # today ZONE [WHEN]: as the model is told it
	TZ=$1 LC_ALL=C date -d "${2-now}" '+Today is %A, %-d %B %Y'
}

scene <<-END
model:
  - when: { turn: 1 }
    reply: { text: '{{said}}', calls: [ { tool: NOTES_WRITE, input: { text: a } } ] }
  - reply: { text: '{{goal}}. {{said}}' }
faults:
  - { on: NOTES_WRITE, at: 3, status: 429, headers: { retry-after: 1000 } }
END

# ---- the name of the zone ----
task='{"user":"ana","goal":"g","timezone":"%s"}'
for zone in Europe/Berlni ../../etc/passwd /etc/localtime Europe; do
	# shellcheck disable=SC2059 # the task is the format
	printf "$task" "$zone" >"$T/task"
	status 100 "$zone is no time zone" agent-submit --no-preflight -f "$T/task"
	says "which is said" '"invalid_task".*time.?zone' "$OUT"
	status 100 "nor for agent-preflight" agent-preflight -f "$T/task"
done
check "and nothing was queued" eval \
	'! agent-status | grep "user"'
echo 'timezone: Mars/Olympus' >"$T/wrong.yaml"
status 100 "a setting that is none" agent-status --config "$T/wrong.yaml"
says "is named" '"invalid_config".*wrong.yaml.*timezone|"invalid_config".*timezone' "$OUT"

# ---- a zone ----
submit zoned 'timezone: Pacific/Kiritimati'
work
check "a task with a zone" is completed
told >"$T/told"
says "is told its day" "$(today Pacific/Kiritimati) in Pacific/Kiritimati \(UTC\+14:00\)" "$T/told"
same "once" 1 "$(wc -l <"$T/told")"
echo 'timezone: America/St_Johns' | settings
submit 'by default'
work
told >"$T/told"
says "a setting gives the zone of those that name none" \
	'in America/St_Johns \(UTC-0[23]:30\), the time zone of the person' "$T/told"
same "the task keeps it" America/St_Johns \
	"$(events '.[0].task.timezone')"
settings </dev/null

# ---- the first day ----
submit plain
before=$(today UTC)
work
after=$(told | head -1)
[ "$before" = "$(today UTC)" ] || before=$(today UTC) # midnight
same "without a zone: UTC, and that it is not known" \
	"$before in UTC. The time zone of the person you work for is not known." "$after"
same "the model is told it in a message of its own" "$after" \
	"$(events 'map(select(.type == "model.replied"))[0].content[] | select(.type == "text").text')"
check "the task waits" is waiting

# ---- a later day ----
# (On Temporal the time is the server's.)
! on lmdb || {
	check "a day later it goes on" agent-signal resume "$ID"
	CLOCK_OFFSET=86400 LD_PRELOAD=$PRELOAD work
	same "to its end" completed "$(get state)"
	told >"$T/told"
	same "and has been told two days" 2 "$(wc -l <"$T/told")"
	same "the second behind the results" "plain. $(tail -1 "$T/told")" "$(get result)"
}
sound
done_testing
