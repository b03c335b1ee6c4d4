#!/bin/sh
# SPDX-License-Identifier: ISC
# The EXAMPLES of the man pages work as the pages say.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

standin "$TOP/scripts/examples/standin-triage.yaml" \
	--mailbox "$TOP/tests/data/mailbox.mbox" || exit 1
cp "$TOP/scripts/examples/mail-triage.yaml" "$T/task.yaml"
cat >"$T/examples" <<'END'
#!/bin/sh
# each page begins with a store of its own and a folder with the task only
AGENT_STORE=$(mktemp -d "$T/store.XXXXXX")
folder=$(mktemp -d "$T/folder.XXXXXX")
export AGENT_STORE
cp "$T/task.yaml" "$folder"
cd "$folder" && exec sh "$@"
END
chmod +x "$T/examples"
export T TOP
EXAMPLE_SHELL=$T/examples "$TOP/scripts/man-examples" "$TOP"/man/*.[1-8]
# the TAP is man-examples' own
test_failed=$? test_count=0 test_plan=0
