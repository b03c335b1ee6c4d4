#!/bin/sh
# SPDX-License-Identifier: ISC
# Mistakes of people and machines while a worker runs: the same key
# twice at once, bad ids, stores that cannot be written, outputs without a
# reader. And the services' keys appear nowhere.
# shellcheck disable=SC2119 # options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

script() { # script FAULT: one note, then the end
	scene <<-END
	model:
	  - when: { turn: 1 }
	    reply: { text: I write., calls: [ { tool: NOTES_WRITE, input: { text: '{{goal}}' } } ] }
	  - reply: { text: Done. }
	faults:
	  - { $1 }
	END
}
tasks() { agent-status --limit 1000 | wc -l; }

# ---- one key, many submits ----
script "on: nothing"
submit keyed
jq -c '.key = "k"' "$T/passed" >"$T/keyed"
jq -c '.key = "k" | .goal = "something else"' "$T/passed" >"$T/other"
worker
round=0 wrong=0
while [ $round -lt 10 ]; do
	round=$((round + 1))
	pids=
	sed "s/\"key\":\"k\"/\"key\":\"k$round\"/" "$T/keyed" >"$T/one"
	for i in 1 2 3 4; do
		agent-submit <"$T/one" >"$T/answer.$i" 2>>"$ERR" &
		pids="$pids $!"
	done
	for pid in $pids; do wait "$pid" || wrong=$((wrong + 1)); done
	[ "$(cat "$T"/answer.? | jq -r .id | sort -u | wc -l)" = 1 ] || wrong=$((wrong + 1))
	[ "$(cat "$T"/answer.? | jq -s 'map(select(.existing | not)) | length')" = 1 ] ||
		wrong=$((wrong + 1))
done
same "submits with one key at the same instant: one task" 0 $wrong
same "of each key" 11 "$(tasks)"
check "with no key left alone" agent-submit -f "$T/keyed"
status 1 "one key with another task" agent-submit -f "$T/other"
says "is refused" '"key_conflict"' "$OUT"
idle() { [ "$(agent-scale-probe --plain)" = 0 ]; }
check "each is done" await 30 idle
same "each once" "12 12" "$(tasks) $(executed NOTES_WRITE)"
check "a key of a task that has ended is the same task" agent-submit -f "$T/keyed"
says "existing" '"existing":true' "$OUT"
same "it is not done again" "12 12" "$(tasks) $(executed NOTES_WRITE)"

# ---- bad ids ----
none=0197a3c4-52f0-7e1b-9d3a-5f6b7c8d9e0f
for command in "agent-status" "agent-status --events" "agent-status --result" \
	"agent-status --follow" "agent-signal cancel"; do
	# shellcheck disable=SC2086 # words
	{
		status 1 "$command: an unknown id" $command $none
		says "$command: is said" '"no_task"|there is no task' "$OUT"
		accepted=
		for id in ../../etc/passwd /etc/passwd "$none/../x" "" x \
			"$(head -c 5000 /dev/zero | tr '\0' a)"; do
			$command "$id" >"$OUT" 2>"$ERR"
			[ $? -eq 100 ] || accepted="$accepted $id"
		done
		same "$command: what is no id is bad usage" "" "$accepted"
	}
done
end TERM "$WORKER"
sound

# ---- stores: of one machine only ----
if on lmdb; then
gone=$T/gone
for command in "agent-status" "agent-status $none" "agent-signal cancel $none" \
	"agent-scale-probe"; do
	# shellcheck disable=SC2086 # words
	status 100 "no store: $command" $command --store "$gone"
	says "is said" '"no_store"' "$OUT"
done
check "none was made" test ! -e "$gone"
echo text >"$T/file"
for command in "agent-status" "agent-scale-probe" "agent-worker --once" \
	"agent-submit -f $T/keyed"; do
	# shellcheck disable=SC2086 # words
	status 100 "a file for a store: $command" $command --store "$T/file"
done
status 111 "a folder that cannot be" agent-worker --once --store /proc/none/store
if [ "$(id -u)" -eq 0 ] && unshare --mount true 2>/dev/null; then
	read_only() { # read_only PROGRAM...: with the store on a read-only disk
		# shellcheck disable=SC2016 # of the other shell
		unshare --mount --propagation private sh -c '
			mount --bind "$AGENT_STORE" "$AGENT_STORE" &&
			mount -o remount,ro,bind "$AGENT_STORE" && exec "$@"' - "$@"
	}
	status 0 "read-only: agent-status" read_only agent-status --limit 1
	status 0 "read-only: agent-scale-probe" read_only agent-scale-probe
	for command in "agent-worker --once" "agent-submit -f $T/keyed" \
		"agent-signal cancel $ID"; do
		# shellcheck disable=SC2086 # words
		read_only $command >"$OUT" 2>"$ERR"
		case $? in 100 | 111) ok 0 "read-only: $command fails" ;;
		*) ok 1 "read-only: $command fails" ;; esac
		says "and says on what and why" 'store.*[Rr]ead-only' "$OUT"
	done
else
	skip "a read-only disk" "mounts: they take root"
fi

# ---- a store that is removed while a worker runs ----
script "on: NOTES_WRITE, at: 1, kind: slow, delay: 500"
submit "the folder is removed"
worker --once >"$T/worker.out"
await 10 executes NOTES_WRITE 1
rm -rf "$AGENT_STORE"
wait "$WORKER"
code=$?
check "the store is removed under a worker: it ends" test $code -ne 137
fi

# ---- outputs without a reader ----
script "on: nothing"
submit quiet
count=3000
on lmdb || count=300 # each is a call of the server
seq 1 $count | sed 's/.*/{"user":"ann","goal":"many &"}/' >"$T/many"
AGENT_STORE=$T/many.store
on lmdb || AGENT_ENGINE=temporal://$TEMPORAL/scene80
early() { # early NAME PROGRAM...: a reader that is gone after a line
	early=$1
	shift
	{
		timeout 20 "$@" 2>"$T/early.err"
		echo $? >"$T/code"
	} | head -n 1 >"$T/early"
	echo "# $early: exit status $(cat "$T/code")"
	check "$early, one line is read: it ends by itself" \
		test "$(cat "$T/code")" -lt 124
	same "$early: the line is whole" true "$(jq -c 'type == "object"' "$T/early")"
}
early "agent-submit" agent-submit --no-preflight -f "$T/many"
on temporal || status 0 "the store is sound" agent-store check
agent-submit --no-preflight -f "$T/many" >"$T/ids"
early "agent-status" agent-status --limit 3000
# shellcheck disable=SC2046 # ids
early "agent-signal" agent-signal pause $(head -n 1000 "$T/ids" | jq -r .id)
same "agent-signal does not say that all have it" 111 "$(cat "$T/code")"
on temporal || early "agent-store export" agent-store export
AGENT_STORE=$T/store.$scenes
on lmdb || AGENT_ENGINE=temporal://$TEMPORAL/scene$scenes
early "agent-status --events" agent-status --events "$ID"
early "agent-scale-probe" agent-scale-probe
early "agent-preflight" agent-preflight -f "$T/task"
closed() { # closed PROGRAM...: without a standard output
	timeout 20 "$@" >&- 2>"$T/closed"
}
for command in "agent-status" "agent-status $ID" "agent-status --events $ID" \
	"agent-scale-probe" "agent-store check" "agent-store export" \
	"agent-preflight -f $T/task" "agent-submit -f $T/passed"; do
	on lmdb || [ "${command#agent-store}" = "$command" ] || continue
	# shellcheck disable=SC2086 # words
	closed $command
	same "stdout closed: ${command%% "$T"*}" 111 $?
	says "it says why" "output" "$T/closed"
done
sound "and none of it wrote into the store"
(exec timeout 60 agent-worker --once 2>&- >&-)
same "a worker without outputs works" 0 $?
sound

# ---- secrets ----
script "on: messages, at: [1, 3], status: 529, headers: { retry-after-ms: 10 }"
ANTHROPIC_API_KEY=secret-of-claude-4711 COMPOSIO_API_KEY=secret-of-composio-4712
submit "secrets"
worker --verbose
seen() { # seen FILE...: whether one of them has a key
	grep -rqE 'secret-of-(claude|composio)' "$@" 2>/dev/null
}
await 20 is completed
hidden() { # hidden NAME FILE...
	if seen_name=$1 && shift && seen "$@"; then ok 1 "$seen_name"; else ok 0 "$seen_name"; fi
}
rm -f "$OUT" "$ERR"
check "the worker has its command line" grep -q verbose "/proc/$WORKER/cmdline"
hidden "no key in it" "/proc/$WORKER/cmdline"
end TERM "$WORKER"
agent-status --events "$ID" >"$T/shown"
agent-status "$ID" >>"$T/shown"
if on lmdb; then
	agent-store export >>"$T/shown"
	hidden "no key in the store" "$AGENT_STORE"
else
	"$(temporal_server build)" workflow show -w "$ID" -o json -n "scene$scenes" \
		--address "$TEMPORAL" | jq -c '., (.. | .data? // empty | @base64d)' >"$T/history"
	check "the history is there" grep -q NOTES_WRITE "$T/history"
	hidden "no key in the history" "$T/history" "$T/temporal"
fi
hidden "no key in the log" "$LOG"
hidden "no key in what is shown" "$T/shown" "$T/passed" "$T/submitted"
cat >>"$T/script.$scenes" <<END
keys: { anthropic: [another], composio: [another] }
END
sed -i '/^faults:/,/^  - /d' "$T/script.$scenes"
restart "$T/script.$scenes"
ANTHROPIC_API_KEY=secret-of-claude-4711 COMPOSIO_API_KEY=secret-of-composio-4712
agent-submit <"$T/passed" >"$T/submitted"
ID=$(jq -r .id "$T/submitted")
status 100 "a wrong key at the pre-flight" agent-preflight -f "$T/task"
hidden "is not shown" "$OUT" "$ERR"
work
same "a wrong key at work is waited for" "waiting key" "$(get state) $(get waiting.for)"
agent-status "$ID" >"$T/shown"
hidden "is not shown either" "$T/shown" "$LOG" "$AGENT_STORE" # no such folder on Temporal
# curl's message about a broken key must not have it either
ANTHROPIC_API_KEY=$(printf 'secret-of-claude\r\nx: y')
agent-worker --once >"$T/shown" 2>&1
same "a key with a line break is bad" 100 $?
hidden "and not shown" "$T/shown"
# ---- services that quote the key ----
quoted="Bearer secret-of-claude/4711+=, secret-of-composio/4712+="
quoting() { # quoting ON FAULT
	quoting="the keys are quoted by $1, $2"
	script "on: $1, $2"
	keys
	submit "quote"
	work --verbose
	agent-status --events "$ID" >"$T/shown"
	agent-status "$ID" >>"$T/shown"
	agent-status --result "$ID" >>"$T/shown" 2>&1
	on temporal || agent-store export >>"$T/shown"
	says "$quoting" '\[secret\]' "$T/shown"
	hidden "they are not kept" "$T/shown" "$LOG" "$AGENT_STORE"
}
keys() {
	ANTHROPIC_API_KEY=secret-of-claude/4711+=
	COMPOSIO_API_KEY=secret-of-composio/4712+=
}
for on in messages NOTES_WRITE; do
	for status in 400 401 403 500; do
		quoting $on "at: 1, status: $status, headers: { request-id: '$quoted' }, message: '$quoted'"
	done
	quoting $on "at: 1, status: 502, body: '<html>$quoted</html>'"
done
quoting messages "at: 1, kind: error_event, type: invalid_request_error, message: '$quoted'"
quoting NOTES_WRITE "status: 200, body: '{\"successful\":true,\"data\":{\"a\":\"$quoted\"}}'"
printf 'user: ana\ngoal: g\ntoolkits: [notes]\n' >"$T/task"
for status in 400 401 403; do
	script "on: '/api/*', status: $status, message: '$quoted'"
	COMPOSIO_API_KEY=$quoted # the only one that is sent
	for command in "agent-preflight -f $T/task" "agent-connections --user ana notes"; do
		# shellcheck disable=SC2086 # words
		$command >"$OUT" 2>"$ERR"
		cat "$ERR" >>"$OUT"
		says "$status, with the key: ${command%% *}" '\[secret\]' "$OUT"
		hidden "it is not shown" "$OUT"
	done
done
# The check itself finds a key when there is one.
echo secret-of-claude >"$T/with"
check "a key would be found" seen "$T/with"
done_testing
