#!/bin/sh
# SPDX-License-Identifier: ISC
# agent-status, agent-signal and agent-scale-probe without a worker.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

engine
nobody=0197a3c4-52f0-7e1b-9d3a-5f6b7c8d9e0f
listed() { agent-status "$@" >"$T/listed"; id_of "$T/listed" | tr '\n' ' ' | sed 's/ $//'; }
probed() { agent-scale-probe | grep -o '"value":2,"pending":2\|"cancelled":2' | tr '\n' ' '; }
id_of() { sed -n 's/.*"id":"\([^"]*\)".*/\1/p' "$1"; }
terminal() { script -qec "$*" /dev/null </dev/null >"$OUT" 2>"$ERR"; }

# no store: a folder that does not exist yet, or a namespace that does not exist
on lmdb || AGENT_ENGINE=temporal://$TEMPORAL/nowhere
status 100 "no store: status" agent-status
status 100 "no store: signal" agent-signal cancel $nobody
status 100 "no store: probe" agent-scale-probe --plain
check "and no number is printed for it" sh -c "! grep -q '^[0-9]' $OUT"
on lmdb || AGENT_ENGINE=temporal://$TEMPORAL/default

for i in 1 2 3; do
	echo "{\"user\":\"ann\",\"goal\":\"task $i\",\"queue\":\"q$i\"}"
done | agent-submit --no-preflight >"$T/ids"
one=$(id_of "$T/ids" | sed -n 1p) two=$(id_of "$T/ids" | sed -n 2p)
three=$(id_of "$T/ids" | sed -n 3p)

same_soon "the list is newest first" "$three $two $one" listed
same "--limit" "$three" "$(listed --limit 1)"
same "--before" "$one" "$(listed --before "$two")"
same "--queue" "$two" "$(listed --queue q2)"
same "--user" "" "$(agent-status --user bob)"
same "--state" "" "$(agent-status --state failed)"
status 100 "no such state" agent-status --state "done"
status 1 "an unknown id" agent-status $nobody
says "says so" '"type":"no_task"' "$OUT"
for bad in ../../etc/passwd "$one/" x ''; do
	status 100 "not an id: '$bad'" agent-status "$bad"
done
status 100 "two ids" agent-status "$one" "$two"
status 100 "--follow without an id" agent-status --follow
check "one task" agent-status "$one"
says "is an object with the task in it" '^\{"id":"'"$one"'".*"task":\{"user":"ann"' "$OUT"
check "its journal" agent-status --events "$one"
says "begins with its submission" '^\{"v":1,"seq":1,.*"type":"submitted"' "$OUT"
same "--after leaves out" "" "$(agent-status --events --after 1 "$one")"
status 1 "no result yet" agent-status --result "$one"

check "on a terminal there is a table" terminal agent-status
says "with a line for each" "queued +$two .* task 2" "$OUT"
check "and a card" terminal agent-status "$one"
says "with the goal" '^goal +task 1' "$OUT"
printf '{"user":"ann","goal":"red \\u001b[31m and \\u009b31m"}' |
	agent-submit --no-preflight --queue paint >"$T/l"
same_soon "a task to paint with" "$(id_of "$T/l")" listed --queue paint
terminal agent-status --queue paint
check "a goal cannot steer the terminal" sh -c "! grep -q '$(printf '\033')' '$OUT'"
terminal agent-status --events "$(id_of "$T/l")"
check "nor can an event" sh -c "! grep -q '$(printf '\033')' '$OUT'"

check "pause" agent-signal pause "$one" "$two"
same "answers for each" "waiting waiting" \
	"$(sed 's/.*"state":"\([a-z]*\)".*/\1/' "$OUT" | tr '\n' ' ' | sed 's/ $//')"
status 1 "pause a paused one" agent-signal pause "$one"
check "resume" agent-signal resume "$one"
says "makes it ready" '"state":"queued"' "$OUT"
check "cancel, with words" agent-signal --by ann --message 'no "more"' cancel "$two"
agent-status --events "$two" >"$T/events"
says "which are in the journal" '"by":"ann","message":"no \\"more\\""' "$T/events"
status 1 "cancel a cancelled one" agent-signal cancel "$two"
status 1 "an unknown one, and one that is fine" agent-signal cancel $nobody "$three"
says "is cancelled all the same" "\"id\":\"$three\",\"signal\":\"cancel\",\"state\":\"cancelled\"" "$OUT"
status 100 "no such signal" agent-signal resum "$one"
says "names the nearest" 'did you mean resume' "$ERR"
status 100 "no id" agent-signal pause
status 1 "--follow ends when the task has" agent-status --follow "$two"

same_soon "the probe counts" '"value":2,"pending":2 "cancelled":2 ' probed
same_soon "for one queue" 1 agent-scale-probe --plain --queue q1
same "for a queue that never was" 0 "$(agent-scale-probe --plain --queue never)"

# a reader that goes away; a server takes its time for 3000
many=3000
on lmdb || many=300
seq 1 $many | sed 's/.*/{"user":"ann","goal":"many &"}/' |
	agent-submit --no-preflight >"$T/l"
{
	agent-status --limit $many 2>"$ERR"
	echo $? >"$T/code"
} | head -n 1 >"$OUT"
same "stdout closed early ends quietly" "0 0" "$(cat "$T/code") $(wc -c <"$ERR")"
status 111 "a full stdout does not" sh -c 'agent-status >/dev/full'
done_testing
