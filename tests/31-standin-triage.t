#!/bin/sh
# SPDX-License-Identifier: ISC
# The triage script of agent-standin, driven by a minimal agent: the counts are
# the mailbox's, and a call in doubt is checked and never made twice.
# shellcheck disable=SC2016  # the dollars are jq's
. "$(dirname "$0")/lib.sh"

need curl jq
sed 's/^  messages: .*/  messages: 0/; s/^  tools: .*/  tools: 0/' \
	"$TOP/scripts/examples/standin-triage.yaml" >"$T/script.yaml"

post() { # post PATH FILE: the answer on stdout
	curl -sS -m 20 -H 'authorization: Bearer k' -H "x-request: $1" \
		-H 'anthropic-version: 2026-10-21' -H 'content-type: application/json' \
		--data-binary @"$2" "$URL$1"
}

# One tool_result for the call in $T/call, which is call number $number.
result() {
	tool=$(jq -r .name "$T/call")
	text='The call may have taken effect: look before you repeat it.' error=true
	case " $doubt " in
	*" skip$number "*) ;;
	*)
		jq -c '{user_id: "ana", version: "latest", arguments: .input}' "$T/call" >"$T/arguments"
		curl -sS -m 20 -H 'x-api-key: k' -H 'content-type: application/json' \
			--data-binary @"$T/arguments" "$URL/api/v3.1/tools/execute/$tool" >"$T/answer"
		case " $doubt " in
		*" lose$number "*) ;;
		*)
			error=$(jq '.successful != true' "$T/answer")
			text=$(jq -c 'if .successful then .data else .error end' "$T/answer")
			;;
		esac
		;;
	esac
	jq -c --arg t "$text" --argjson e "$error" \
		'{type: "tool_result", tool_use_id: .id, content: $t, is_error: $e}' "$T/call"
}

# task WORD...: loseN: the result of call N is lost; skipN: it is never made
task() {
	doubt=$* number=0 turns=0
	curl -sS -H 'x-api-key: k' "$URL/api/v3.1/tools?toolkit_slug=gmail%2Clinear&limit=100" \
	| jq -c '{model: "claude-opus-5-5", max_tokens: 9000, thinking: {type: "adaptive"},
		tools: [.items[] | {name: .slug, input_schema: .input_parameters}],
		messages: [{role: "user", content: "Go through my mail."}]}' >"$T/request"
	while [ $turns -lt 30 ]; do
		turns=$((turns + 1))
		post /v1/messages "$T/request" >"$T/reply"
		[ "$(jq -r .stop_reason "$T/reply")" = tool_use ] || break
		: >"$T/results"
		jq -c '.content[] | select(.type == "tool_use")' "$T/reply" >"$T/calls"
		while read -r call; do
			number=$((number + 1))
			printf '%s\n' "$call" >"$T/call"
			result >>"$T/results"
		done <"$T/calls"
		jq -c --slurpfile m "$T/reply" --slurpfile r "$T/results" '.messages += [
			{role: "assistant", content: $m[0].content}, {role: "user", content: $r}]' \
			"$T/request" >"$T/next"
		mv "$T/next" "$T/request"
	done
}

made() { # what was made, and how often anything was made again
	agent-standin --summary "$T/ledger" | jq -sr '
		[.[] | select(.read_only | not)] | map("\(.tool) \(.calls) \(.repeated)") | sort | join(", ")'
}

rehearse() { # rehearse NAME MAILBOX WANTED [WORD...]
	name=$1 mailbox=$2 wanted=$3
	shift 3
	rm -f "$T/ledger"
	standin "$T/script.yaml" --mailbox "$mailbox" || exit 1
	task "$@"
	same "$name" "end_turn $wanted" "$(jq -r .stop_reason "$T/reply") $(made)"
	kill -TERM "$STANDIN"
	wait "$STANDIN"
}

BIG=$TOP/tests/data/mailbox.mbox
ALL='GMAIL_CREATE_EMAIL_DRAFT 3 0, LINEAR_CREATE_LINEAR_ISSUE 4 0'
rehearse "12 mails, 3 urgent, 4 engineering" "$BIG" "$ALL"
same "in four turns" 4 "$turns"
rehearse "another mailbox, other counts" "$TOP/tests/data/mailbox-small.mbox" \
	'GMAIL_CREATE_EMAIL_DRAFT 2 0, LINEAR_CREATE_LINEAR_ISSUE 1 0'
for which in 4 9; do
	rehearse "the result of call $which is lost" "$BIG" "$ALL" "lose$which"
	rehearse "call $which was never made" "$BIG" "$ALL" "skip$which"
done
rehearse "many in doubt at once" "$BIG" "$ALL" lose3 skip4 lose5 skip8 lose9 lose11
rehearse "the mail cannot be read at first" "$BIG" "$ALL" skip1 lose2 lose3

# 60 mails on three pages, 20 of them urgent and 12 about engineering.
i=0
while [ $i -lt 60 ]; do
	i=$((i + 1))
	printf 'From a@example.org Mon Nov 23 08:00:00 2026\nFrom: A%d <a%d@example.org>\n' $i $i
	printf 'To: ana@example.com\nMessage-ID: <m%d@example.org>\n' $i
	printf 'Date: Mon, 23 Nov 2026 08:%02d:00 +0000\nSubject: Mail %d' $((i % 60)) $i
	[ $((i % 3)) -eq 0 ] && printf ', urgent'
	printf '\n\nText %d.' $i
	[ $((i % 5)) -eq 0 ] && printf ' There is a bug.'
	printf '\n\n'
done >"$T/many.mbox"
rehearse "60 mails on three pages" "$T/many.mbox" \
	'GMAIL_CREATE_EMAIL_DRAFT 20 0, LINEAR_CREATE_LINEAR_ISSUE 12 0' lose20 skip22
: >"$T/empty.mbox"
rehearse "no mail at all" "$T/empty.mbox" ''
says "the report says so" 'I read 0 messages' "$T/reply"
done_testing
