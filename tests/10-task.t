#!/bin/sh
# SPDX-License-Identifier: ISC
# Hostile task input, through agent-preflight: exit 100, one
# error object on stdout, and a message that names what is wrong.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

unset COMPOSIO_API_KEY_FILE
task='{"user":"alice@example.com","goal":"Count the mails."}'

# refused NAME PATTERN: standard input is refused with a message like PATTERN
refused() {
	status 100 "$1: exit 100" agent-preflight --check-only
	same "$1: one line on stdout" 1 "$(wc -l <"$OUT" | tr -d ' ')"
	says "$1: an error object" \
		'^\{"error":\{"type":"[a-z_]+","message":".+","retryable":false,"exit":100\}\}$' \
		"$OUT"
	says "$1: says what" "$2" "$OUT"
}

text() { # text NAME PATTERN FORMAT
	# shellcheck disable=SC2059
	printf "$3" >"$T/in"
	refused "$1" "$2" <"$T/in"
}

fill() { head -c "$1" /dev/zero | tr '\0' "$2"; }

text "empty" 'the input is empty' ''
text "white space" 'must be an object|not JSON|empty' ' \n\n'
text "a word" 'must be an object' 'hello\n'
text "not JSON" 'invalid JSON' '{"user":alice}'
text "not YAML" 'invalid YAML.*line' 'user: "a\n- b: [\n'
text "truncated" 'invalid JSON' '{"user":"alice","goal":"Cou'
text "truncated YAML" 'invalid YAML' 'user: a\ngoal: "Cou'
text "two documents" 'invalid JSON' '{"user":"a","goal":"b"}{}'
text "two YAML documents" 'invalid YAML' 'user: a\ngoal: b\n---\nuser: c\n'
text "a NUL byte" 'NUL|control' '{"user":"a\000","goal":"b"}'
text "a NUL byte in YAML" 'invalid YAML' 'user: a\000b\ngoal: c\n'
text "an escaped NUL" 'u0000' '{"user":"a\\u0000b","goal":"c"}'
text "invalid UTF-8" 'UTF-8' '{"user":"a\377b","goal":"c"}'
text "overlong UTF-8" 'UTF-8' '{"user":"a\300\257b","goal":"c"}'
text "invalid UTF-8 in YAML" 'UTF-8' 'user: a\377b\ngoal: c\n'
text "a lone surrogate" 'surrogate' '{"user":"a\\ud800","goal":"c"}'
text "a duplicate member" 'user.*twice' '{"user":"a","goal":"b","user":"c"}'
text "a duplicate key in YAML" 'user' 'user: a\ngoal: b\nuser: c\n'
text "a number out of range" 'priority must be .*from 0 to 9, not 10' \
	'{"user":"a","goal":"b","priority":10}'
text "a huge number" 'priority|too large' \
	'{"user":"a","goal":"b","priority":1e999}'
text "too many digits" 'budget.turns must be' \
	'{"user":"a","goal":"b","budget":{"turns":99999999999999999999}}'
text "a wrong type" 'goal must be a string, not 5' '{"user":"a","goal":5}'
text "a wrong type inside" 'tools\[1\] must be a string, not an object' \
	'{"user":"a","goal":"b","tools":["A",{}]}'
text "null" 'key must be a string, not null' 'user: a\ngoal: b\nkey:\n'
text "an unknown member" 'unknown member tolkits: did you mean toolkits' \
	'{"user":"a","goal":"b","tolkits":["gmail"]}'
text "an unknown member inside" \
	'unknown member budget.dollars: the known ones are turns, tokens, usd' \
	'{"user":"a","goal":"b","budget":{"dollars":1}}'
text "a missing member" 'user is missing' '{"goal":"b"}'
text "YAML anchors" 'anchor' 'a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n'
text "a YAML tag" 'tag' 'user: !!python/object a\ngoal: b\n'
text "a YAML merge key" 'invalid YAML|unknown member' 'user: a\n<<: {goal: b}\n'

fill 100000 '[' >"$T/in"
refused "100,000 levels of lists" 'deep|nest|levels' <"$T/in"
fill 100000 x | sed 's/x/{"a":/g' >"$T/in"
refused "100,000 levels of objects" 'deep|nest|levels' <"$T/in"
{ printf 'user: '; fill 100000 '['; } >"$T/in"
refused "100,000 levels in YAML" 'deep|nest|levels' <"$T/in"
fill 100000 x | sed 's/x/- /g' >"$T/in"
refused "100,000 levels of YAML lists" 'deep|nest|levels' <"$T/in"

{ printf '{"user":"a","goal":"'; fill 104857600 x; printf '"}'; } >"$T/in"
refused "100 MB" 'larger than 1048576 bytes' <"$T/in"
status 100 "100 MB by name" agent-preflight --check-only -f "$T/in"
rm "$T/in"
# only a program that stops reading ends here
status 100 "endless input" sh -c "yes '# endless' | agent-preflight --check-only"
{ printf '{"user":"a","goal":"b","labels":{'; i=0
	while [ $i -lt 5000 ]; do printf '"l%d":"",' $i; i=$((i + 1)); done
	printf '"x":""}}'; } >"$T/in"
refused "too many members" 'members' <"$T/in"

# Valid input passes, and its canonical form passes again unchanged.
echo "$task" >"$T/task"
check "a task" agent-preflight --check-only -f "$T/task"
cp "$OUT" "$T/canonical"
check "its canonical form" agent-preflight --check-only -f "$T/canonical"
cp "$OUT" "$T/again"
check "is stable" cmp "$T/again" "$T/canonical"
check "the example" agent-preflight --check-only \
	-f "$TOP/scripts/examples/mail-triage.yaml"
printf 'goal: Count the mails.\nuser: alice@example.com\n' >"$T/yaml"
check "YAML" agent-preflight --check-only -f "$T/yaml"
cp "$OUT" "$T/again"
check "has the same canonical form" cmp "$T/again" "$T/canonical"

# The settings.
printf 'model: some-model\nmax_tokens: 77\n' >"$T/agent.yaml"
check "--config" agent-preflight --check-only -f "$T/task" \
	--config "$T/agent.yaml"
says "gives the defaults" '"model":"some-model","max_tokens":77' "$OUT"
export AGENT_CONFIG="$T/agent.yaml"
check "AGENT_CONFIG" agent-preflight --check-only -f "$T/task"
says "gives the defaults too" '"model":"some-model"' "$OUT"
unset AGENT_CONFIG
mkdir -p "$HOME/.config/agent-utils"
cp "$T/agent.yaml" "$HOME/.config/agent-utils/agent.yaml"
check "the user's agent.yaml" agent-preflight --check-only -f "$T/task"
says "is found" '"model":"some-model"' "$OUT"
rm "$HOME/.config/agent-utils/agent.yaml"
echo 'modle: x' >"$T/agent.yaml"
status 100 "a bad configuration" agent-preflight --check-only -f "$T/task" \
	--config "$T/agent.yaml"
says "is named" 'agent.yaml: unknown member modle: did you mean model' "$OUT"
status 100 "a missing configuration" agent-preflight --check-only \
	-f "$T/task" --config "$T/nosuch.yaml"
says "is named too" 'nosuch.yaml' "$OUT"
status 100 "a missing task file" agent-preflight --check-only -f "$T/nosuch"
COMPOSIO_BASE_URL=nonsense
export COMPOSIO_BASE_URL
status 100 "a bad address" agent-preflight --check-only -f "$T/task"
says "names the variable" 'COMPOSIO_BASE_URL must be an address' "$OUT"
unset COMPOSIO_BASE_URL

# Options.
check "--help" agent-preflight --help
says "shows the synopsis" '^usage: agent-preflight ' "$OUT"
check "--version" agent-preflight --version
says "has a number" '^agent-preflight [0-9]+\.[0-9]+\.[0-9]+$' "$OUT"
status 100 "an unknown option" agent-preflight --nonsense
says "is named" 'unknown option --nonsense' "$ERR"
status 100 "an unknown letter" agent-preflight -x
says "is named" 'unknown option -x' "$ERR"
status 100 "an option without its value" agent-preflight --timeout
says "is named" 'option --timeout needs a value' "$ERR"
status 100 "a letter without its value" agent-preflight -f
says "is named" 'option -f needs a value' "$ERR"
status 100 "a value too many" agent-preflight --no-link=3
says "is named" 'option --no-link=3 takes no value' "$ERR"
status 100 "a bad number" agent-preflight --timeout 1h
says "is named" '--timeout must be a whole number' "$ERR"
status 100 "an operand" agent-preflight "$T/task"
says "usage errors are objects in a pipe" '^\{"error":\{"type":"usage"' "$OUT"

# Composio need not be asked: no key and no network is needed.
check "a task without tools" agent-preflight -f "$T/task"
says "is pinned" '"preflight":\{"checked_at":"[^"]+Z","accounts":\{\},"pins":\{"request":\{' "$OUT"
check "from an empty environment" env -i "$BIN/agent-preflight" -f "$T/task"
cp "$OUT" "$T/passed"
check "a passed task can be checked again" agent-preflight -f "$T/passed"
echo '{"user":"a","goal":"b","deadline":"2001-01-01T00:00:00Z"}' >"$T/late"
status 1 "a deadline in the past" agent-preflight -f "$T/late"
says "is a reason" '"reasons":\[\{"type":"budget","message":"deadline' "$OUT"

# Composio has to be asked, and is not available.
printf 'user: a\ngoal: b\ntoolkits: [gmail]\n' >"$T/gmail"
status 100 "no key" agent-preflight -f "$T/gmail"
says "says which" 'COMPOSIO_API_KEY' "$OUT"
COMPOSIO_API_KEY=secret-key-for-tests
export COMPOSIO_API_KEY
COMPOSIO_BASE_URL=http://127.0.0.1:1
export COMPOSIO_BASE_URL
status 111 "Composio unreachable" agent-preflight --timeout 2 -f "$T/gmail"
says "may be tried again" '"retryable":true,"exit":111' "$OUT"
COMPOSIO_BASE_URL=http://composio.example
status 100 "plain http to another machine" agent-preflight -f "$T/gmail"
cat "$OUT" "$ERR" >"$T/both"
status 1 "the key shows nowhere" grep secret-key "$T/both"

# Errors are passed on.
error='{"error":{"type":"upstream","message":"x","retryable":true,"exit":111}}'
echo "$error" >"$T/error"
status 111 "an error passed on" agent-preflight -f "$T/error"
same "is the same" "$error" "$(cat "$OUT")"
echo '{"error":{"type":"refused","message":"x"}}' >"$T/error"
status 1 "an error without a status" agent-preflight -f "$T/error"

closed() { agent-preflight --check-only -f "$T/task" >&-; }
full() { agent-preflight --check-only -f "$T/task" >/dev/full; }
had_enough() {
	mkfifo "$T/pipe"
	: <"$T/pipe" & # opens it, and is gone
	{ wait; agent-preflight --check-only -f "$T/task"; } >"$T/pipe"
}
status 111 "stdout closed" closed
status 111 "stdout full" full
status 0 "a reader that had enough" had_enough
done_testing
