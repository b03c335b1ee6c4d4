#!/bin/sh
# The main job with its worker killed: at random instants, two workers at a
# time; and at every synced write, every write and every send. Whatever
# happens, all is done in the end, and nothing twice. LONG=1 does more of it;
# SEED=N repeats a run.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

kills=40 together=6
[ -z "${LONG-}" ] || kills=200
SEED=${SEED-$(date +%N | sed 's/^0*//')}
echo "# SEED=$SEED"

triage() { # triage MAILBOX MESSAGES TOOLS: the rehearsal, for every user
	sed "s/^  messages: .*/  messages: $2/; s/^  tools: .*/  tools: $3/
		s/{ user: ana,/{ user: '*',/" \
		"$TOP/scripts/examples/standin-triage.yaml" >"$T/triage"
	scenes=$((scenes + 1))
	: >"$T/ledger"
	restart "$T/triage" --mailbox "$DATA/$1"
	: >"$LOG"
}
users=0
triage_task() {
	users=$((users + 1))
	submit "Go through my mail of the last three days." \
		"user: user$users" "toolkits: [gmail, linear]"
}
made() { # what each user has: how many users, and the least and the most
	jq -rs --arg tool "$1" 'map(select(.tool == $tool)) | group_by(.user)
		| "\(length) \(map(length) | min) \(map(length) | max)"' "$T/ledger"
}
none_open() {
	[ "$(agent-scale-probe | jq '.value + .scheduled + .waiting')" = 0 ]
}

# ---- at random instants ----
triage mailbox.mbox 30 10
for i in $(seq $together); do triage_task; done
worker
one=$WORKER
worker
two=$WORKER
# A number for each kill: which worker, and after how many milliseconds.
awk -v seed="$SEED" -v n=$kills 'BEGIN { srand(seed); for (i = 0; i < n; i++)
	print int(rand() * 2), int(5 + rand() * rand() * 300) }' >"$T/kills"
bad=0
while read -r which after; do
	sleep "$(printf '0.%03d' "$after")"
	if [ "$which" = 0 ]; then victim=$one; else victim=$two; fi
	kill -KILL "$victim"
	wait "$victim" 2>/dev/null
	worker
	if [ "$which" = 0 ]; then one=$WORKER; else two=$WORKER; fi
	# Enough work that no kill hits an idle pair for long.
	[ "$(agent-scale-probe --plain)" -ge 3 ] || triage_task
	[ $((after % 7)) -ne 0 ] || agent-store check >"$OUT" 2>"$ERR" || bad=1
done <"$T/kills"
check "the store was sound all the time" test $bad -eq 0
check "everything is done in the end" await 60 none_open
kill -TERM "$one" "$two"
wait "$one" "$two"
same "every task completed" "$users" "$(agent-scale-probe | jq .completed)"
agent-status --limit 1000 | jq -r .id | while read -r id; do
	agent-status --result "$id" | head -n 1
done | sort | uniq -c | sed 's/^ *//' >"$T/results"
same "with the same result" "$users Done. I read 12 messages of the last three days." \
	"$(cat "$T/results")"
same "a draft for each urgent mail of each user" "$users 3 3" \
	"$(made GMAIL_CREATE_EMAIL_DRAFT)"
same "a ticket for each engineering one" "$users 4 4" \
	"$(made LINEAR_CREATE_LINEAR_ISSUE)"
same "nothing was repeated" 0 "$(repeated)"
sound
echo "# $kills kills, $users tasks, $(agent-store export |
	grep -o '"type":"tool.unknown"' | wc -l) calls in doubt, $(
	grep -c '"event":"worker.lost"' "$LOG") times taken over"

# ---- at every call of a kind ----
# A sanitizer wants to be loaded first, and does without it.
ASAN_OPTIONS=${ASAN_OPTIONS-}:verify_asan_link_order=0
export ASAN_OPTIONS
triage mailbox-small.mbox 0 0
triage_task
work
wanted="$(executed GMAIL_CREATE_EMAIL_DRAFT) $(executed LINEAR_CREATE_LINEAR_ISSUE)"
check "the small mailbox has something to do" test "$wanted" != "0 0"
faults() { # faults FUNCTION KIND STEP: at the 1st, 1+STEP-th, ... call
	at=1 missed=
	while [ $at -lt 1000 ]; do
		: >"$T/ledger"
		rm -f "$T/fired"
		triage_task
		FAULT=$1:$at:$2 FAULT_FIRED=$T/fired LD_PRELOAD=$BUILD/fault/fault.so \
			timeout 60 agent-worker --exit-when-idle >"$OUT" 2>>"$LOG"
		code=$?
		[ -e "$T/fired" ] || break
		case $2:$code in
		kill:137 | after:137 | E*:0) ;;
		E*:111) grep -q '"retryable":true' "$OUT" || missed="$missed $at:said" ;;
		*) missed="$missed $at:exit=$code" ;;
		esac
		[ "$(get state)" = completed ] || work
		is completed || agent-signal resume "$ID" >"$OUT" 2>&1 && work
		now="$(executed GMAIL_CREATE_EMAIL_DRAFT) $(executed LINEAR_CREATE_LINEAR_ISSUE)"
		[ "$(get state) $now $(repeated)" = "completed $wanted 0" ] ||
			missed="$missed $at:$(get state):$now:$(repeated)"
		at=$((at + $3))
	done
	same "$2 at every $([ "$3" = 1 ] || echo "$3. ")$1: done once, $at of them" "" "$missed"
	[ $at -gt 3 ] || ok 1 "$1 was called"
}
few=3 some=9
[ -z "${LONG-}" ] || few=1 some=1
faults fdatasync kill 1
faults fdatasync after $few
faults pwrite kill $some
faults pwrite after $some
faults send kill 1
faults send after $few
faults fdatasync EIO $few
faults pwrite ENOSPC $some
faults send ECONNRESET $few
sound "the store is sound after all that"
done_testing
