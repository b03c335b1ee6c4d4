# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034 # what is set is for the tests
# Sourced after lib.sh by the tests of the gateway: a real lighttpd with the real
# configuration on a loopback port of its own.
#
#	gateway [NAME=VALUE...]  starts it; its address is $API, its folder $RUN
#	token USER               a new token of USER, on stdout
#	call WANTED NAME METHOD PATH [CURL OPTION...]
#	                         as $WHO (a token, or nothing); the answer is in $OUT,
#	                         its head in $HEAD; passes with status WANTED

need lighttpd curl
RUN=$T/run HEAD=$T/.head
AGENT_TOKENS_FILE=$T/tokens
export AGENT_TOKENS_FILE
WHO=

serve() { # serve CONFIGURATION: lighttpd with it, on $PORT; false when that is taken
	start lighttpd -D -f "$1" >"$RUN/out" 2>&1
	SERVER=$STARTED
	tries=500
	until curl -s -o /dev/null "http://127.0.0.1:$PORT/"; do
		tries=$((tries - 1))
		{ [ $tries -gt 0 ] && kill -0 "$SERVER" 2>/dev/null; } || return 1
		sleep 0.02
	done
	grep -q "^PPid:.$$\$" "/proc/$SERVER/status"
}

# below the ports that the kernel gives out by itself
somewhere() { # somewhere COMMAND...: with $PORT, until it works
	for attempt in 1 2 3 4 5 6 7 8; do
		PORT=$((13000 + ($$ * 7 + attempt * 1361) % 16000))
		"$@" && return
	done
	cat "$RUN/out" >&2
	echo "Bail out! lighttpd does not start"
	exit 1
}

gateway_here() {
	export AGENT_GATEWAY_FASTCGI="${FASTCGI:-0}" "$@" AGENT_GATEWAY_ADDRESS=127.0.0.1 AGENT_GATEWAY_PORT="$PORT" \
		AGENT_GATEWAY_BIN="$BIN" AGENT_GATEWAY_SHARE="$TOP/cmd/gateway" \
		AGENT_GATEWAY_WEB="$T/page" AGENT_GATEWAY_RUN="$RUN"
	serve "$TOP/cmd/gateway/lighttpd.conf"
}

gateway() {
	mkdir -p "$RUN" "$T/page"
	[ -e "$T/page/index.html" ] || echo '<html>the page</html>' >"$T/page/index.html"
	echo '<html>no such page</html>' >"$T/page/404.html"
	somewhere gateway_here "$@"
	API=http://127.0.0.1:$PORT
}

token() { agent-token new "$1" | sed -n 's/.*"token":"\([^"]*\)".*/\1/p'; }

call() {
	wanted=$1 name=$2 method=$3 path=$4
	shift 4
	[ -z "$WHO" ] || set -- -H "Authorization: Bearer $WHO" "$@"
	[ "$method" != HEAD ] || set -- -I "$@"
	CODE=$(curl -s -S --max-time 30 --path-as-is -X "$method" -D "$HEAD" -o "$OUT" \
		-w '%{http_code}' "$@" "$API$path" 2>"$ERR")
	# shellcheck disable=SC2254 # a pattern
	case $CODE in
	$wanted) true ;;
	*) echo "# HTTP status $CODE, wanted $wanted"; false ;;
	esac
	ok $? "$name"
}

post() { # post WANTED NAME PATH BODY [CURL OPTION...]
	wanted=$1 name=$2 path=$3 body=$4
	shift 4
	call "$wanted" "$name" POST "$path" -H 'Content-Type: application/json' \
		--data-binary "$body" "$@"
}

header() { # header NAME: of the last answer
	tr -d '\r' <"$HEAD" | sed -n "s/^$1: //Ip"
}
