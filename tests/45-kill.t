#!/bin/sh
# SPDX-License-Identifier: ISC
# SIGKILL at random instants: two workers, and every third agent-submit, while
# tasks come in all the time. SEED=n repeats a choice of instants. At the end
# every task that was acknowledged is there and completed, each has made its
# drafts and its ticket, and none of them twice.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/triage.sh
. "$TOP/tests/triage.sh"

SEED=${SEED:-$(($(date +%s) % 100000 + $$))}
KILLS=${LONG:+200}
KILLS=${KILLS:-40}
echo "# $KILLS kills, SEED=$SEED"
: >"$T/cut"

triage_standin 30 15 --state "$T/state" || exit 1
i=0
while [ $i -lt "$KILLS" ]; do
	i=$((i + 1))
	checked "u$i" >"$T/task.$i" || exit 1
done

# A line for each kill: when, which worker, and how long its submit may live.
awk -v seed="$SEED" -v kills="$KILLS" 'BEGIN {
	srand(seed)
	for (i = 1; i <= kills; i++)
		printf "%d %.3f %s %s\n", i, 0.02 + rand() * 0.18,
			rand() < 0.2 ? "both" : rand() < 0.5 ? "first" : "second",
			i % 3 ? "-" : sprintf("%.4f", rand() * 0.006)
}' >"$T/plan"

: >"$T/self"
dead() { # dead PID LOG: it died of SIGKILL and not otherwise
	ended "$1"
	[ "$STATUS" -eq 137 ] || { echo "$STATUS" && tail -n 2 "$2"; } >>"$T/self"
}
spawn_first() {
	worker "$T/first.log" --concurrency 4
	first=$WORKER
}
spawn_second() {
	worker "$T/second.log" --concurrency 4
	second=$WORKER
}
spawn_first
spawn_second
while read -r i delay victim life; do
	start agent-submit -f "$T/task.$i" >"$T/ack.$i" 2>/dev/null
	submitter=$STARTED
	[ "$life" = - ] || {
		sleep "$life"
		kill -KILL "$submitter" 2>/dev/null
	}
	sleep "$delay"
	ended "$submitter"
	[ "$STATUS" -eq 0 ] || echo "$i" >>"$T/cut"
	case $victim in
	first | both) kill -KILL "$first" 2>/dev/null ;;
	esac
	case $victim in
	second | both) kill -KILL "$second" 2>/dev/null ;;
	esac
	case $victim in
	first | both)
		dead "$first" "$T/first.log"
		spawn_first
		;;
	esac
	case $victim in
	second | both)
		dead "$second" "$T/second.log"
		spawn_second
		;;
	esac
done <"$T/plan"
echo "# $(wc -l <"$T/cut") submits cut off," \
	"$(count_state completed) tasks completed meanwhile"

same "no worker ended by itself" '' "$(cat "$T/self")"
cat "$T"/ack.* >"$T/acks"
ids "$T/acks" >"$T/acknowledged"
missing=0
while read -r id; do
	[ -n "$(state_of "$id")" ] || missing=$((missing + 1))
done <"$T/acknowledged"
same "every acknowledged task is there" 0 "$missing"
check "enough were acknowledged to mean something" \
	test "$(wc -l <"$T/acknowledged")" -ge $((KILLS / 2))
i=0 refused=0
while [ $i -lt "$KILLS" ]; do
	i=$((i + 1))
	agent-submit -f "$T/task.$i" >"$T/again.$i" || refused=$((refused + 1))
done
same "every task can be submitted again by its key" 0 $refused
cat "$T"/again.* | grep '"existing":true' >"$T/existing"
ids "$T/existing" | sort >"$T/existing.ids"
same "what was acknowledged is the same task" '' \
	"$(sort "$T/acknowledged" | comm -23 - "$T/existing.ids")"

check "all of them complete" await 120 counted completed "$KILLS"
killed "$first" TERM
same "a worker drains" 0 "$STATUS"
killed "$second" TERM
same "so does the other" 0 "$STATUS"
check "there are no others" test "$(agent-status --limit 1000 | wc -l)" -eq "$KILLS"
done_once "after $KILLS kills" "$KILLS"
sound "after $KILLS kills"
left=$T/store/workers
on lmdb || left=$T/store/temporal-workers # their notes for each other
same "nobody is left in the store's workers" '' "$(ls "$left")"
agent-status --limit 1000 | grep -o '"calls_unknown":[0-9]*' |
	awk -F: '{ n += $2 } END { print "# " n " calls were in doubt" }'
done_testing
