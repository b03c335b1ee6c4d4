#!/bin/sh
# The gRPC channel and the client's calls against a real Temporal server: what
# each call does, connections that the server ends, a server that dies.
XDG_CACHE_HOME=${XDG_CACHE_HOME:-$HOME/.cache}
AGENT_TEMPORAL_BUILD=no
export XDG_CACHE_HOME AGENT_TEMPORAL_BUILD
. "$(dirname "$0")/lib.sh"

client=$BUILD/interop/temporal_client
server() { "$TOP/scripts/temporal-server" "$@"; }
trap 'server stop --folder "$T/one"; server stop --folder "$T/two"; finish' EXIT

begin() { # begin FOLDER OPTION...: sets AGENT_TEMPORAL
	folder=$T/$1
	shift
	AGENT_TEMPORAL=$(server start --folder "$folder" --tuned "$@" 2>"$ERR")
	case $? in
	0) export AGENT_TEMPORAL ;;
	111) skip_all "NO TEMPORAL SERVER: $(cat "$ERR")" ;;
	*) cat "$ERR" >&2; exit 1 ;;
	esac
}

[ -x "$client" ] || skip_all "build/interop/temporal_client is not built"
begin one --keep
plan 6
check "every call of the client, and a worker's" "$client" calls
says "a missing namespace is named" 'no namespace "no-such"' "$OUT"

# the server is killed and comes back while calls are made
"$client" patient "$T/enough" >"$T/patient" 2>&1 &
patient=$!
test_pids="$test_pids $patient"
await 20 grep -q begun "$T/patient"
read -r pid _ <"$T/one/pid"
kill -KILL "$pid"
await 10 sh -c "! kill -0 $pid" 2>/dev/null
check "a server that was killed starts again where it was" \
	server start --folder "$T/one" --tuned --keep
touch "$T/enough"
wait "$patient"
cp "$T/patient" "$OUT"
ok $? "no call fails over the death of the server"
says "calls were made" '^# [0-9]+ calls' "$T/patient"
server stop --folder "$T/one"

begin two --set 'frontend.keepAliveMaxConnectionAge="2s"' \
	--set 'frontend.keepAliveMaxConnectionAgeGrace="2s"'
check "no call fails over connections that the server ends" "$client" steady 6
