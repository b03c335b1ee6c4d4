#!/bin/sh
# SPDX-License-Identifier: ISC
# agent-submit: what it accepts, what it refuses, and the order of its answers.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

engine
submit() { agent-submit --no-preflight "$@"; }
given() { # given TEXT: into a file, as printf says; its name is $GIVEN
	GIVEN=$T/given
	# shellcheck disable=SC2059 # the text is a format
	printf "$1" >"$GIVEN"
}
pending() { agent-scale-probe --plain "$@"; }
titles() { agent-status | sed 's/.*"title":"\([^"]*\)".*/\1/' | tr '\n' ' ' | sed 's/ $//'; }
ids() { sed -n 's/.*"id":"\([^"]*\)".*/\1/p' "$1"; }

given '{"user":"ann","goal":"one"}'
status 100 "a task that was not checked is refused" agent-submit -f "$GIVEN"
says "and is told what to do" '"type":"not_checked".*agent-preflight' "$OUT"
check "and no store is made for it" test ! -e "$AGENT_STORE"

given '{"error":{"type":"refused","message":"no","retryable":false,"exit":1,"reasons":[1]}}'
status 1 "an error from upstream gives its own exit status" submit -f "$GIVEN"
same "and is passed on unchanged" "$(cat "$GIVEN")" "$(cat "$OUT")"
given '{"error":{"type":"upstream","message":"later","retryable":true,"exit":111}}'
status 111 "also when it is one to try again" submit -f "$GIVEN"
check "and no store is made for it either" test ! -e "$AGENT_STORE"

given '{"user":"ann","goal":"one"}'
check "one task" submit -f "$GIVEN"
same "is answered in one line" '{"id":"ID","state":"queued","existing":false}' \
	"$(sed 's/"id":"[0-9a-f-]*"/"id":"ID"/' "$OUT")"
check "an object over several lines" sh -c \
	'printf "{\n \"user\": \"ann\",\n \"goal\": \"two\"\n}\n" | agent-submit --no-preflight'
check "YAML" sh -c \
	'printf "user: ann\ngoal: |\n  three\n  lines\n" | agent-submit --no-preflight'
same_soon "are three tasks" 3 pending
same_soon "and the goal of each is the title" "three two one" titles

given '{"user":"ann","goal":"a"}\n{oops}\n\n{"user":"ann"}\n{"user":"ann","goal":"d"}'
status 100 "lines with broken ones among them" submit -f "$GIVEN"
same "each is answered in its place" "id error error id" \
	"$(sed 's/^{"\([a-z]*\)".*/\1/' "$OUT" | tr '\n' ' ' | sed 's/ $//')"
says "and an error names its line" 'line 4: goal' "$OUT"
given '{"user":"ann",\n{"user":"ann","goal":"d"}\n'
status 100 "lines of which the first does not end" submit -f "$GIVEN"
same "the others go on" 1 "$(ids "$OUT" | wc -l)"

given '{"user":"ann","goal":"k"}'
check "a key" submit --key k -f "$GIVEN"
first=$(ids "$OUT")
check "the same key again" submit --key k -f "$GIVEN"
says "is the same task" "\"id\":\"$first\",\"existing\":true" "$OUT"
given '{"user":"ann","goal":"other"}'
status 1 "with another task it is refused" submit --key k -f "$GIVEN"
says "and says which task has it" "key_conflict.*$first" "$OUT"
given '{"user":"bob","goal":"other"}'
check "each user has keys of their own" submit --key k -f "$GIVEN"

given '{"user":"ann","goal":"same instant","key":"i","queue":"instant"}'
for i in 1 2 3 4 5 6 7 8; do
	submit -f "$GIVEN" >"$T/same.$i" 2>&1 &
	same_pids="${same_pids-} $!"
done
# shellcheck disable=SC2086 # a list of pids
wait $same_pids
same "eight submits with one key at the same instant have one id" 1 \
	"$(cat "$T"/same.* | sed 's/.*"id":"\([^"]*\)".*/\1/' | sort -u | wc -l)"
same_soon "and are one task" 1 pending --queue instant

given '{"user":"ann","goal":"later"}'
check "options win over the task" submit --at 2036-01-01T00:00:00+01:00 \
	--priority 9 --queue night -f "$GIVEN"
agent-status "$(ids "$OUT")" >"$T/task"
says "the time" '"due":"2035-12-31T23:00:00.000Z"' "$T/task"
says "the rest" '"queue":"night","priority":9' "$T/task"
status 100 "a time that is none" submit --at tomorrow -f "$GIVEN"
status 100 "a priority that is none" submit --priority 10 -f "$GIVEN"

pins='{"request":{"model":"m","n":1.50,"s":"\\u00e4"},"tools":[ ]}'
given "{\"user\":\"ann\",\"goal\":\"g\",\"preflight\":{\"accounts\":{},\"pins\":$pins}}"
check "a checked task" agent-submit -f "$GIVEN"
agent-status --events "$(ids "$OUT")" >"$T/events"
same "keeps what was pinned, byte for byte" \
	'"request":{"model":"m","n":1.50,"s":"\u00e4"},"tools":[ ]}' \
	"$(sed -n '2s/.*"type":"pinned",//p' "$T/events")"
check "with the request that it came with" agent-submit --request req-7 -f "$GIVEN"
agent-status --events "$(ids "$OUT")" >"$T/events"
says "which its journal keeps" '"type":"pinned",.*"tools":\[ \],"request_id":"req-7"}$' "$T/events"
given '{"user":"ann","goal":"g","preflight":{"pins":{"request":{},"tools":[]}}}'
status 100 "a preflight member that is not one" agent-submit -f "$GIVEN"

given ''
status 100 "nothing at all" submit -f "$GIVEN"
status 100 "a file that is not there" submit -f "$T/missing"
status 100 "a folder" submit -f "$T"
given '[1,2]'
status 100 "no object" submit -f "$GIVEN"
given '{"user":"ann","goal":"g","gaol":1}'
status 100 "an unknown member" submit -f "$GIVEN"
says "names the nearest" 'goal' "$OUT"
given '{"user":"ann","goal":"a\\u0000b"}'
status 100 "a NUL" submit -f "$GIVEN"
given '{"user":"ann","goal":"\377"}'
status 100 "invalid UTF-8" submit -f "$GIVEN"
given '{"user":"ann","user":"bob","goal":"g"}'
status 100 "a member twice" submit -f "$GIVEN"
given '{"user":"ann","goal":"g"'
status 100 "cut off" submit -f "$GIVEN"
head -c 100000 /dev/zero | tr '\0' '[' >"$T/deep"
status 100 "100000 levels deep" submit -f "$T/deep"
head -c 104857600 /dev/zero | tr '\0' x >"$T/long"
status 100 "100 MB" submit -f "$T/long"
status 100 "an unknown option" submit --no-such
status 100 "an argument" submit task.json

# the limit on a user's open tasks
echo 'limits: { open_per_user: 2 }' >"$T/limits.yaml"
given '{"user":"eve","goal":"1"}\n{"user":"eve","goal":"2"}\n{"user":"eve","goal":"3"}\n{"user":"fay","goal":"1"}'
status 111 "more open tasks than a user may have" submit --config "$T/limits.yaml" -f "$GIVEN"
same "only those too many are refused" "id id error id" \
	"$(sed 's/^{"\([a-z]*\)".*/\1/' "$OUT" | tr '\n' ' ' | sed 's/ $//')"
says "and told why" '"type":"too_many_tasks","message":"line 3: eve has 2 tasks' "$OUT"
given '{"user":"eve","goal":"4"}'
on lmdb && status 111 "nor one more later" submit --config "$T/limits.yaml" -f "$GIVEN"

if on lmdb; then
	given '{"user":"gil","goal":"1"}\n{"user":"gil","goal":"2"}'
	check "as many as a user may have" submit --config "$T/limits.yaml" -f "$GIVEN"
	given '{"user":"hal","goal":"1"}\n{"user":"hal","goal":"2","key":"k"}'
	check "the same with a key" submit --config "$T/limits.yaml" -f "$GIVEN"
	given '{"user":"hal","goal":"2","key":"k"}'
	check "a task that is there is no other one" submit --config "$T/limits.yaml" -f "$GIVEN"
	given '{"user":"ida","goal":"g"}'
	echo 'limits: { open_per_user: 20 }' >"$T/limits.yaml"
	i=0
	pids=
	while [ $((i += 1)) -le 40 ]; do
		submit --config "$T/limits.yaml" -f "$GIVEN" >"$T/at-once.$i" 2>/dev/null &
		pids="$pids $!"
	done
	# shellcheck disable=SC2086 # many
	wait $pids
	same "of many at once only as many as a user may have" "20 20" \
		"$(cat "$T"/at-once.* | grep -c queued) $(cat "$T"/at-once.* | grep -c too_many_tasks)"
fi

# an answer comes before the end of the input
mkfifo "$T/in"
start sh -c "exec agent-submit --no-preflight <$T/in >$T/answers"
exec 3>"$T/in"
echo '{"user":"ann","goal":"streamed"}' >&3
check "a line is answered before the next one comes" \
	await 10 grep -q '"queued"' "$T/answers"
exec 3>&-
wait "$STARTED"
same "and the end of the input is the end" 0 $?

# a reader that closes the acknowledgements: the program says so and fails
yes '{"user":"ann","goal":"unread"}' | head -n 5000 >"$T/many"
{
	agent-submit --no-preflight <"$T/many" 2>/dev/null
	echo $? >"$T/code"
} | true
same "a reader that goes away is a failure" 111 "$(cat "$T/code")"

done_testing
