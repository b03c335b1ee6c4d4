#!/bin/sh
# SPDX-License-Identifier: ISC
# A task that asks a person, answered on the web page: tests/web/answer.mjs. Two
# calls are in doubt, then the budget of turns is used up.
# shellcheck disable=SC2119 # options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/gateway.sh
. "$TOP/tests/gateway.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"
# shellcheck source=tests/web.sh
. "$TOP/tests/web.sh"

scene <<END
model:
  - when: { turn: 1 }
    reply:
      calls:
        - { tool: NOTES_WRITE, input: { text: first note } }
        - { tool: NOTES_WRITE, input: { text: second note } }
  - when: { turn: { from: 3 } }
    reply: { text: The third. }
  - reply: { text: '{{ok.NOTES_WRITE}} written.' }
faults:
  - { on: NOTES_WRITE, at: { to: 2 }, kind: slow, delay: 30000 }
END
settings <<END
tools: { NOTES_WRITE: { on_unknown: ask } }
END
submit "two notes" "budget: { turns: 1, usd: 2 }"
worker
await 10 executes NOTES_WRITE 2
end KILL "$WORKER"
work
export ID AGENT_STORE
web_play answer.mjs
