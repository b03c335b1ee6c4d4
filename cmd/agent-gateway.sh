#!/bin/sh
# SPDX-License-Identifier: ISC
# agent-gateway: the HTTP API, composed of the other programs, for a web server
# that speaks CGI/1.1. A route that only reads tasks is one exec of agent-status;
# one that writes is a pipe, whose exit status and error object become the answer.
#
# A body goes from the server to a program and never through the shell. What the
# shell itself uses (path, query, headers) has to fit a short list of characters
# before it is used.

# Routes that only read tasks come first: parsing the rest of this file would be
# a fifth of their cost. Which there are is in common/api/read_route.c.
case ${GATEWAY_INTERFACE:+$REQUEST_METHOD:$REQUEST_URI} in
GET:/v1/tasks* | HEAD:/v1/tasks*) exec "${0%/*}/agent-status" --cgi ;;
esac

LC_ALL=C
export LC_ALL
body_max=1048576 # bytes; agent-preflight takes no more either
here=${0%/*}
PATH=$here:${PATH:-/usr/bin:/bin}
export PATH

usage='usage: agent-gateway --lighttpd'

# ---- answers ----

# answer STATUS [HEADER...]: prints the head; what is printed next is the body
answer() {
	printf 'Status: %s\r\nContent-Type: application/json\r\n' "$1"
	printf 'Cache-Control: no-store\r\nX-Request-Id: %s\r\n' "$REQUEST_ID"
	shift
	[ $# -eq 0 ] || printf '%s\r\n' "$@"
	printf '\r\n'
}

# refuse STATUS TYPE MESSAGE [HEADER...]: MESSAGE must not need JSON escapes
refuse() {
	retryable=false
	case $1 in 429* | 503*) retryable=true ;; esac
	body=$(printf '{"error":{"type":"%s","message":"%s","retryable":%s}}' "$2" "$3" $retryable)
	status=$1
	shift 3
	answer "$status" "$@"
	printf '%s\n' "$body"
	exit 0
}

method_not_allowed() { # method_not_allowed ALLOW
	[ "$REQUEST_METHOD" != OPTIONS ] || cors "$1"
	refuse '405 Method Not Allowed' method_not_allowed "this route takes $1" "Allow: $1"
}

# Answers a browser that asks whether a page of another origin may call us; the
# web server adds Access-Control-Allow-Origin for the origins in its settings.
cors() {
	for origin in ${AGENT_GATEWAY_ORIGINS-}; do
		[ "$origin" = "${HTTP_ORIGIN-}" ] || continue
		printf 'Status: 204 No Content\r\nX-Request-Id: %s\r\n' "$REQUEST_ID"
		printf 'Access-Control-Allow-Methods: %s\r\n' "$1"
		printf 'Access-Control-Allow-Headers: Authorization, Content-Type, '
		printf 'Idempotency-Key, If-None-Match, Last-Event-ID, X-Request-Id\r\n'
		printf 'Access-Control-Max-Age: 600\r\n\r\n'
		exit 0
	done
}

# member NAME OBJECT: sets $value to a word or number that a program wrote there
member() {
	value=
	case $2 in
	*"\"$1\":"*) ;;
	*) return 0 ;;
	esac
	value=${2#*"\"$1\":"}
	value=${value#\"}
	value=${value%%[\",\}]*}
}

# failed CODE OBJECT: answers with the error object of a program that ended with CODE
failed() {
	case $2 in
	'{"error":{"type":"'*) member type "$2"; type=$value ;;
	*) refuse '500 Internal Server Error' internal \
		"a program ended with $1 and said nothing: see the server's log" ;;
	esac
	retry=
	case $1.$type in
	*.unauthorized) status='401 Unauthorized' retry='WWW-Authenticate: Bearer realm="agent-utils"' ;;
	*.preflight_refused) status='422 Unprocessable Content' ;;
	1.no_task | 1.no_result | *.invalid_id) status='404 Not Found' ;;
	1.key_conflict | 1.task_ended | 1.wrong_state) status='409 Conflict' ;;
	*.too_large) status='413 Content Too Large' ;;
	*.rate_limited | *.too_many_tasks | *.too_many_waiting) status='429 Too Many Requests' ;;
	100.invalid_json | 100.invalid_task | 100.invalid_time | 100.invalid_value | 100.invalid_signal)
		status='400 Bad Request'
		;;
	111.* | 100.no_store) status='503 Service Unavailable' ;;
	*) status='500 Internal Server Error' ;;
	esac
	case $status in
	429* | 503*)
		member retry_after "$2"
		case $value in '' | *[!0-9]*) value=5 ;; esac
		retry="Retry-After: $value"
		;;
	esac
	case $status.$type in
	503*.upstream | 503*.timeout) ;;
	500* | 503*)
		refuse "$status" "$type" "the gateway cannot do this now: see its log" ${retry:+"$retry"}
		;;
	esac
	answer "$status" ${retry:+"$retry"}
	printf '%s\n' "$2"
	exit 0
}

pass() { # pass CODE OBJECT: answers with the output of a program
	[ "$1" -eq 0 ] || failed "$1" "$2"
	answer '200 OK'
	printf '%s\n' "$2"
}

# ---- what a request may have ----

# Sets $user to the caller, or refuses the request.
authenticate() {
	user=$(agent-token check </dev/null)
	code=$?
	[ $code -eq 0 ] || failed $code "$user"
}

no_query() {
	[ -z "${QUERY_STRING-}" ] || refuse '400 Bad Request' bad_request \
		'this route takes no query parameters'
}

# decode TEXT: sets $value to it, with each %XX decoded; a character that none of
# our parameters may have is an error
decode() {
	value=
	rest=$1
	while [ "$rest" != "${rest#*%}" ]; do
		value=$value${rest%%\%*}
		rest=${rest#*%}
		hex=${rest%"${rest#??}"}
		rest=${rest#??}
		case $hex in
		2[cC]) value="$value," ;;
		2[dDeE] | 3[0-9] | [46][1-9a-fA-F] | [57][0-9aA] | 5[fF])
			octal=$(printf %o "0x$hex")
			value=$value$(printf %b "\\0$octal")
			;;
		*) return 1 ;;
		esac
	done
	value=$value$rest
}

# query NAME...: sets $query_NAME for each parameter; an unknown or repeated one is
# refused
query() {
	query_seen=' '
	rest_of_query=${QUERY_STRING-}
	while [ -n "$rest_of_query" ]; do
		pair=${rest_of_query%%&*}
		case $rest_of_query in
		*'&'*) rest_of_query=${rest_of_query#*&} ;;
		*) rest_of_query= ;;
		esac
		[ -n "$pair" ] || continue
		name=${pair%%=*}
		known=no
		for wanted; do [ "$wanted" != "$name" ] || known=yes; done
		case $known$query_seen in
		yes*" $name "*) refuse '400 Bad Request' bad_request "the query parameter $name is given twice" ;;
		no*) refuse '400 Bad Request' bad_request \
			"there is a query parameter that this route does not take: it takes $*" ;;
		esac
		query_seen="$query_seen$name "
		case $pair in *=*) ;; *) pair= ;; esac
		{ [ -n "$pair" ] && decode "${pair#*=}" && [ -n "$value" ]; } || bad_query "$name"
		case $name in
		queue) query_queue=$value ;;
		toolkits) query_toolkits=$value ;;
		links) query_links=$value ;;
		esac
	done
}

bad_query() {
	refuse '400 Bad Request' bad_request \
		"the query parameter $1 has a bad value: see /openapi.json"
}

# Requires a body of JSON that is not too long, and leaves it unread.
need_body() {
	type=${CONTENT_TYPE-}
	case ${type%%;*} in
	[aA][pP][pP][lL][iI][cC][aA][tT][iI][oO][nN]/[jJ][sS][oO][nN] | \
		[aA][pP][pP][lL][iI][cC][aA][tT][iI][oO][nN]/[jJ][sS][oO][nN][\ \	]) ;;
	*) refuse '415 Unsupported Media Type' unsupported_media_type \
		'the body must be application/json' 'Accept-Post: application/json' ;;
	esac
	case ${HTTP_CONTENT_ENCODING-identity} in
	identity) ;;
	*) refuse '415 Unsupported Media Type' unsupported_media_type \
		'the body must not be compressed' 'Accept-Encoding: identity' ;;
	esac
	length=${CONTENT_LENGTH:-0}
	case $length in *[!0-9]* | ????????*) length=9999999 ;; esac
	[ "$length" -le $body_max ] || refuse '413 Content Too Large' too_large \
		"the body may have $body_max bytes"
}

# ---- routes ----

post_task() {
	authenticate
	no_query
	need_body
	set -- --request "$REQUEST_ID"
	case ${HTTP_IDEMPOTENCY_KEY-} in
	'') ;;
	*[!\ -~]*) refuse '400 Bad Request' bad_request \
		'Idempotency-Key must be printable ASCII' ;;
	*)
		[ ${#HTTP_IDEMPOTENCY_KEY} -le 200 ] || refuse '400 Bad Request' \
			bad_request 'Idempotency-Key may have 200 characters'
		set -- "$@" --key "$HTTP_IDEMPOTENCY_KEY"
		;;
	esac
	said=$(agent-preflight --link --user "$user" --timeout 20 | agent-submit "$@")
	code=$?
	[ $code -eq 0 ] || failed $code "$said"
	member id "$said"
	case $said in
	*'"existing":true}') answer '200 OK' "Location: /v1/tasks/$value" ;;
	*) answer '202 Accepted' "Location: /v1/tasks/$value" ;;
	esac
	printf '%s\n' "$said"
}

post_preflight() {
	authenticate
	query_links=yes
	query links
	case $query_links in yes | no) ;; *) bad_query links ;; esac
	need_body
	set -- --summary --user "$user" --timeout 20
	[ "$query_links" = no ] || set -- "$@" --link
	said=$(agent-preflight "$@")
	pass $? "$said"
}

post_signal() { # post_signal ID
	authenticate
	no_query
	need_body
	said=$(agent-signal --user "$user" --by "$user" --request "$REQUEST_ID" -f - "$1")
	pass $? "$said"
}

get_connections() {
	authenticate
	query_toolkits='' query_links=yes
	query toolkits links
	case $query_links in yes | no) ;; *) bad_query links ;; esac
	case $query_toolkits in
	*[!a-z0-9_,-]* | *,,* | ,* | *,) bad_query toolkits ;;
	esac
	set -- --user "$user" --timeout 20
	[ "$query_links" = no ] || set -- "$@" --link
	set -f
	IFS=,
	# shellcheck disable=SC2086 # names with commas
	set -- "$@" -- $query_toolkits
	unset IFS
	said=$(agent-connections "$@" </dev/null)
	code=$?
	case $code$said in
	100*'"type":"invalid_task"'*) bad_query toolkits ;;
	esac
	pass $code "$said"
}

get_queue() {
	authenticate
	query_queue=
	query queue
	case $query_queue in *[!a-z0-9._-]*) bad_query queue ;; esac
	[ ${#query_queue} -le 64 ] || bad_query queue
	said=$(agent-scale-probe ${query_queue:+--queue "$query_queue"} </dev/null)
	pass $? "$said"
}

get_ready() {
	no_query
	said=$(agent-scale-probe --json </dev/null) || case $said in
	*'"type":"no_store"'*) ;; # the first task makes it
	*) refuse '503 Service Unavailable' not_ready \
			"the engine cannot be read now: see the server's log" 'Retry-After: 5' ;;
	esac
	answer '200 OK'
	echo '{"ok":true}'
}

get_openapi() {
	no_query
	for file in "$here/../share/agent-utils/openapi.json" "$here/../cmd/gateway/openapi.json"; do
		[ -r "$file" ] || continue
		answer '200 OK'
		cat "$file"
		return
	done
	refuse '500 Internal Server Error' internal 'openapi.json is not installed'
}

not_found() {
	authenticate
	refuse '404 Not Found' not_found 'there is no such route: see /openapi.json'
}
get() {
	case $REQUEST_METHOD in GET | HEAD) ;; *) method_not_allowed 'GET, HEAD' ;; esac
	"$1"
}
get_health() {
	no_query
	answer '200 OK'
	echo '{"ok":true}'
}

# ---- not a request ----

# Lets AGENT_GATEWAY_FASTCGI resident processes answer the routes that read tasks.
print_fastcgi() {
	cat <<-END
		\$HTTP["request-method"] =~ "^(GET|HEAD)$" {
			fastcgi.server = ( "/v1/tasks" => ((
				"bin-path" => "$here/agent-status --fastcgi",
				"bin-environment" => ( "AGENT_GATEWAY_FOLDER" =>
					"${AGENT_GATEWAY_FOLDER:-${AGENT_GATEWAY_RUN-}}" ),
				"socket" => "${AGENT_GATEWAY_RUN-}/agent-status",
				"check-local" => "disable",
				"max-procs" => $AGENT_GATEWAY_FASTCGI )))
		}
	END
}

# Prints what lighttpd.conf includes: the environment, of which lighttpd gives a
# CGI program nothing; the other origins that may read answers; FastCGI.
print_lighttpd() {
	# shellcheck disable=SC2016 # for sed
	env | sed -n '/^\(AGENT\|COMPOSIO\|XDG\)_[A-Z_]*=/{
		s/[\\"]/\\&/g
		s/\([A-Z_]*\)=\(.*\)/setenv.add-environment += ( "\1" => "\2" )/p
	}'
	[ -n "${AGENT_GATEWAY_FOLDER-}" ] || cat <<-END
		setenv.add-environment += ( "AGENT_GATEWAY_FOLDER" => "${AGENT_GATEWAY_RUN-}" )
	END
	[ "${AGENT_GATEWAY_FASTCGI:-0}" -le 0 ] || print_fastcgi
	for origin in ${AGENT_GATEWAY_ORIGINS-}; do
		case $origin in
		*[!A-Za-z0-9.:/_-]*) continue ;;
		esac
		cat <<-END
			\$REQUEST_HEADER["Origin"] == "$origin" {
				setenv.add-response-header += ( "Access-Control-Allow-Origin" => "$origin",
					"Access-Control-Expose-Headers" => "ETag, Location, Retry-After, X-Request-Id" )
			}
			setenv.set-response-header += ( "Vary" => "Origin" )
		END
	done
}

if [ -z "${GATEWAY_INTERFACE-}" ]; then
	case $# in
	1) ;;
	*) echo "$usage" >&2; exit 100 ;;
	esac
	case $1 in
	--lighttpd) print_lighttpd ;;
	--version) echo 'agent-gateway @VERSION@' ;;
	--help)
		printf '%s\n\n' "$usage"
		echo 'A CGI program that serves the HTTP API; see agent-gateway(1).'
		echo
		echo '  --lighttpd  print the lines that lighttpd.conf includes'
		;;
	*) echo "$usage" >&2; exit 100 ;;
	esac
	exit 0
fi

case ${HTTP_X_REQUEST_ID-} in
'' | *[!A-Za-z0-9._-]*) REQUEST_ID= ;;
*) REQUEST_ID=$HTTP_X_REQUEST_ID ;;
esac
case ${#REQUEST_ID} in
[1-9] | [1-5][0-9] | 6[0-4]) ;;
*) read -r REQUEST_ID </proc/sys/kernel/random/uuid ;;
esac
export REQUEST_ID

# The path is used as it was sent: no route has characters to decode. What is
# below /v1/tasks and no route of ours gets its error from agent-status too.
path=${REQUEST_URI%%\?*}
case $REQUEST_METHOD:$path in
POST:/v1/tasks) post_task ;;
POST:/v1/tasks/*/signals)
	id=${path#/v1/tasks/}
	id=${id%/signals}
	case $id in *[!0-9a-f-]*) not_found ;; esac
	post_signal "$id"
	;;
OPTIONS:/v1/tasks*)
	cors 'GET, HEAD, POST'
	exec agent-status --cgi
	;;
*:/v1/tasks*) exec agent-status --cgi ;;
POST:/v1/preflight) post_preflight ;;
*:/v1/preflight) method_not_allowed POST ;;
*:/v1/connections) get get_connections ;;
*:/v1/queue) get get_queue ;;
*:/healthz) get get_health ;;
*:/readyz) get get_ready ;;
*:/openapi.json) get get_openapi ;;
*) not_found ;;
esac
