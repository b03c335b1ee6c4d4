#!/bin/sh
# SPDX-License-Identifier: ISC
# make install installs the programs, a page for each, and the schema.
. "$(dirname "$0")/lib.sh"

need make
root=$T/root
check "make install" make -s -C "$TOP" install DESTDIR="$root" PREFIX=/usr \
	${SAN:+SAN=$SAN}
for program in "$root"/usr/bin/*; do
	this=${program##*/}
	check "$this --version" "$program" --version
	says "names itself" "^$this [0-9]" "$OUT"
	check "$this --help" "$program" --help
	says "shows its synopsis" "^usage: $this " "$OUT"
	check "$this has a page" test -s "$root/usr/share/man/man1/$this.1"
done
check "the schema" test -s "$root/usr/share/agent-utils/agent-task.schema.json"
check "what needs no network does not load libcurl" sh -c "
	for name in submit status signal scale-probe store; do
		! ldd '$root'/usr/bin/agent-\$name | grep -q libcurl || exit 1
	done"
done_testing
