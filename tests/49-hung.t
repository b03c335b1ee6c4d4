#!/bin/sh
# SPDX-License-Identifier: ISC
# Workers that die, and workers that seem dead: another one takes
# over at once, and one that goes on after a stop changes nothing any more.
# shellcheck disable=SC2119 # their options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

name() { # name N: of the Nth worker that began
	jq -rs "map(select(.event == \"ready\").worker)[$1 - 1]" "$LOG"
}
# On Temporal no worker has a task; another worker begins the turn of the model.
start=started
on lmdb || start=model.started
starts() { [ "$(count $start)" -ge "$1" ]; }
is_fenced() { # in the log: it knows that it no longer has the task, or the step
	on lmdb && { logged fenced; return; }
	logged activity.lost || logged activity.refused
}
workers() { [ "$(agent-scale-probe | jq .workers)" = "$1" ]; }
script() { # script FAULT: a note, then the end
	scene <<-END
	model:
	  - when: { turn: 1 }
	    reply: { calls: [ { tool: NOTES_WRITE, input: { text: '{{goal}}' } } ] }
	  - reply: { text: Done. }
	faults:
	  - { $1 }
	END
}

# ---- dead: noticed at once ----
# The poll is every 5 seconds and the lease 60: deaths, each noticed in less
# than one.
slow=0
for round in 1 2 3; do
	script "on: messages, at: 1, kind: hang"
	submit "dies $round"
	worker
	dies=$WORKER
	await 10 starts 1
	worker
	await 10 logged ready 2 || echo "# no other worker"
	killed=$(date +%s%N)
	kill -KILL "$dies"
	await 20 starts 2 || echo "# not taken over"
	began=$(events "map(select(.type == \"$start\"))[1].at")
	took=$(($(date -d "$began" +%s%N) / 1000000 - killed / 1000000))
	echo "# from kill -9 to the start by the other: $took ms"
	[ $took -lt 300 ] || slow=$((slow + 1))
	await 20 is completed || slow=9
	end TERM "$WORKER"
done
check "a dead worker's task is taken over at once" test $slow -le 1
sound

# ---- stopped past its lease ----
script "on: NOTES_WRITE, at: 1, kind: slow, delay: 1500"
settings <<END
worker: { lease: 1 }
END
submit "is stopped"
stopped_task=$ID
worker
stopped=$WORKER
await 10 executes NOTES_WRITE 1
kill -STOP "$stopped"
worker
check "another worker finishes the task of a stopped one" \
	await 40 is completed
same "it did not repeat the call" "1 1" \
	"$(executed NOTES_WRITE) $(count tool.unknown)"
ends=$(get seq)
kill -CONT "$stopped"
check "the stopped one goes on, and is fenced off" await 20 is_fenced
same "nothing was appended" "$ends completed" "$(get seq) $(get state)"
on temporal || same "the log says whose" "$stopped_task $(name 1)" \
	"$(jq -rs 'map(select(.event == "fenced"))[0] | "\(.task) \(.worker)"' "$LOG")"
end TERM "$WORKER"
same "the other one leaves" 0 $?
submit "afterwards"
check "the one that was stopped does other work" await 20 is completed
self=$(name 1)
on lmdb || self=$stopped@$(hostname) # as the server knows it
same "it did" "$self" "$(events 'map(select(.type == "started"))[0].worker')"
end TERM "$stopped"
same "and ends in order" 0 $?
on temporal || check "nobody is left" workers 0 # remembered for a minute
same "nothing was repeated" "2 0" "$(executed NOTES_WRITE) $(repeated)"
sound

# ---- stopped past its lease, with another one that keeps looking ----
if on lmdb; then # which has no leases
script "on: messages, at: 1, kind: hang"
settings <<END
worker: { lease: 1 }
END
worker
stopped=$WORKER
await 10 logged ready
submit "of the stopped"
await 10 starts 1
kill -STOP "$stopped"
worker
check "the task is taken over" await 20 is completed
check "the stopped one is forgotten" await 20 workers 1
kill -CONT "$stopped"
check "it comes back" await 20 workers 2
check "is fenced off" await 20 logged fenced
kill -STOP "$WORKER"
await 20 workers 1
submit "while the other is stopped"
check "and works" await 20 is completed
same "not as a dead one" "1 0" \
	"$(count started) $(events 'map(select(.type == "released")) | length')"
kill -CONT "$WORKER"
end TERM "$WORKER"
end TERM "$stopped"
same "both leave in order" "0 0" \
	"$? $(find "$AGENT_STORE/workers" -type f | wc -l)"
sound
fi

# ---- a signal while the worker is stopped ----
script "on: messages, at: 1, kind: hang"
submit "cancelled while its worker is stopped"
worker
await 10 starts 1
kill -STOP "$WORKER"
check "cancel is taken" agent-signal cancel "$ID"
kill -CONT "$WORKER"
check "and done when the worker goes on" await 20 is cancelled
end TERM "$WORKER"
sound
# ---- a dead worker of a newer version: its event is not for this one ----
if on lmdb; then
script "on: messages, at: 9, kind: hang"
submit "begun by a newer version"
"$BUILD/unit/store/store_tool" newer "$AGENT_STORE"
work
check "what cannot be read is set aside" is waiting
check "and the task says why" test -n "$(get reason)"
check "and so does the log" logged unreadable
unread=$ID
submit "begun by this version"
work
same "other tasks are done and listed beside it" "completed waiting" \
	"$(agent-status | jq -r .state | paste -sd ' ')"
check "it can be cancelled" agent-signal cancel "$unread"
same "and is" cancelled "$(get state "$unread")"
status 1 "once" agent-signal cancel "$unread"
fi
done_testing
