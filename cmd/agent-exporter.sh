#!/bin/sh
# SPDX-License-Identifier: ISC
# agent-exporter: serves the engine's numbers to Prometheus and KEDA, through a
# web server that speaks CGI/1.1, on a port of its own. It reads numbers, never
# tasks, and asks for no token. An unknown number is an error and never a zero:
# a zero would remove the workers.
LC_ALL=C
export LC_ALL
here=${0%/*}
PATH=$here:${PATH:-/usr/bin:/bin}
export PATH

usage='usage: agent-exporter --lighttpd'

answer() { # answer STATUS TYPE [HEADER...]
	printf 'Status: %s\r\nContent-Type: %s\r\nCache-Control: no-store\r\n' "$1" "$2"
	shift 2
	[ $# -eq 0 ] || printf '%s\r\n' "$@"
	printf '\r\n'
}

refuse() { # refuse STATUS TYPE MESSAGE [HEADER...]
	retryable=false
	case $1 in 503*) retryable=true ;; esac
	said=$(printf '{"error":{"type":"%s","message":"%s","retryable":%s}}' "$2" "$3" $retryable)
	status=$1
	shift 3
	answer "$status" application/json "$@"
	printf '%s\n' "$said"
	exit 0
}

# ask TYPE OPTION...: answers with the output of agent-scale-probe, or 503
ask() {
	type=$1
	shift
	said=$(agent-scale-probe "$@" </dev/null) ||
		refuse '503 Service Unavailable' not_known \
			"the numbers cannot be read now: see the server's log" 'Retry-After: 5'
	answer '200 OK' "$type"
	printf '%s\n' "$said"
}

if [ -z "${GATEWAY_INTERFACE-}" ]; then
	case $#$1 in
	1--lighttpd)
		# lighttpd gives a CGI program nothing of its environment. Only the
		# variables that say where the numbers are need to be passed on.
		# shellcheck disable=SC2016 # for sed
		env | sed -n '/^\(AGENT_CONFIG\|AGENT_ENGINE\|AGENT_STORE\|AGENT_TEMPORAL[A-Z_]*\|TEMPORAL_[A-Z_]*\|XDG_[A-Z_]*\)=/{
			s/[\\"]/\\&/g
			s/\([A-Z_]*\)=\(.*\)/setenv.add-environment += ( "\1" => "\2" )/p
		}'
		;;
	1--version) echo 'agent-exporter @VERSION@' ;;
	1--help)
		printf '%s\n\n' "$usage"
		echo 'A CGI program that serves metrics to Prometheus and KEDA; see agent-exporter(1).'
		echo
		echo '  --lighttpd  print the lines that lighttpd-exporter.conf includes'
		;;
	*) echo "$usage" >&2; exit 100 ;;
	esac
	exit 0
fi

case $REQUEST_METHOD in
GET | HEAD) ;;
*) refuse '405 Method Not Allowed' method_not_allowed 'only GET and HEAD' 'Allow: GET, HEAD' ;;
esac
[ -z "${QUERY_STRING-}" ] || refuse '400 Bad Request' bad_request 'there are no query parameters'
path=${REQUEST_URI%%\?*}
case $path in
/metrics) ask 'application/openmetrics-text; version=1.0.0; charset=utf-8' --openmetrics ;;
/scale) ask application/json ;;
/scale/*)
	queue=${path#/scale/}
	case ${#queue}$queue in
	*[!a-z0-9._-]* | 0 | 6[5-9]* | [7-9][0-9]* | [1-9][0-9][0-9]*)
		refuse '404 Not Found' not_found 'this cannot be the name of a queue'
		;;
	esac
	ask application/json --queue "$queue"
	;;
/healthz)
	answer '200 OK' application/json
	echo '{"ok":true}'
	;;
*) refuse '404 Not Found' not_found 'the routes are /metrics, /scale, /scale/QUEUE and /healthz' ;;
esac
