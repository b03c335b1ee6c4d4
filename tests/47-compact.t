#!/bin/sh
# SPDX-License-Identifier: ISC
# A task of more turns than the model's window holds: the conversation is
# compacted by the service, or by a summary that the model writes, or results are
# cut.
# shellcheck disable=SC2119 # options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"
TURNS=${TURNS-20} # a thousand, by hand

NOTES=$T/tools
cat >"$NOTES" <<END
accounts:
  - { user: ana, toolkit: notes, id: ca_ana }
tools:
  - slug: BOOK_READ
    toolkit: notes
    description: Reads a page.
    read_only: true
    input_parameters: { type: object, properties: { page: { type: integer } } }
    result: { text: "$(head -c 96000 /dev/zero | tr '\0' x)" }
END

book() { # book MEMBERS OF THE SCRIPT
	scene <<END
$1
model:
  - when: { if: [ { value: '{{said}}', matches: Write a summary } ] }
    reply: { text: 'I have read. [[turn {{turn}}]]' }
  - when: { goal: wide, turn: 1 }
    reply: { calls: [ $(seq -f '{ tool: BOOK_READ, input: { page: %g } }' -s ', ' 12) ] }
  - when: { turn: { from: 1, to: $TURNS } }
    reply: { thinking: 'Page {{turn}}.', calls: [ { tool: BOOK_READ, input: { page: '{{turn}}' } } ] }
  - reply: { text: 'Read to {{turn}}.' }
END
}
compactions() { # by whom
	events 'map(select(.type == "compacted").by) | unique | join(" ")'
}
HAIKU="model: claude-haiku-4-5" # 200,000 tokens
LAST=$((TURNS + 1))

book ""
submit long "$HAIKU" "budget: { turns: 2000 }"
work
same "the service compacts" "completed $LAST service Read to $LAST." \
	"$(get state) $(get turns) $(compactions) $(get result)"
same "and every page was read once" "$TURNS" "$(executed BOOK_READ)"
same "what asked for it says so" service \
	"$(events 'map(select(.compact).compact) | unique | join(" ")')"
echo "# compactions: $(count compacted), cost: $(get cost_usd)"

book "compaction: false"
submit long "$HAIKU" "budget: { turns: 2000 }"
work
same "where it does not, the model writes a summary" "completed $LAST summary Read to $LAST." \
	"$(get state) $(get turns) $(compactions) $(get result)"
same "and it was asked once" 1 "$(count model.failed)"
same "every page was read once" "$TURNS" "$(executed BOOK_READ)"

book ""
submit wide "$HAIKU" "budget: { turns: 2000 }"
work
same "results that have no room are cut" "completed cut" "$(get state) $(compactions | cut -d ' ' -f 1)"
sound
done_testing
