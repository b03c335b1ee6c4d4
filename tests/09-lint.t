#!/bin/sh
# SPDX-License-Identifier: ISC
# The linters of our own find what they are for.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
need perl

cat >"$T/head" <<'END'
static void
turn_end(struct turn *turn, int code)
{
	log_code(code);
	free(turn);
}

static void
page_failed(struct turn *turn)
{
END
frees() { # frees NAME LINES OF THE FAULTS <THE REST OF page_failed
	cat "$T/head" - >"$T/a.c"
	echo "}" >>"$T/a.c"
	same "$1" "$2" "$("$TOP/scripts/check-frees" "$T/a.c" |
		sed 's/^[^:]*:\([0-9]*\): uses turn, which turn_end has freed$/\1/' | paste -sd ' ')"
}
frees "a use after a call that frees" 12 <<'END'
	turn_end(turn, 1);
	poll_more(turn->worker);
END
frees "one in a block, in a call that is two lines long" 14 <<'END'
	if (turn->ended) {
		turn_end(turn,
		    turn->code);
		return turn->code;
	}
END
frees "another block, another value, an address, a string and a member are fine" "" <<'END'
	if (turn->ended) {
		turn_end(turn, 1);
		return;
	}
	turn_end(turn, 2);
	say("the turn", other->turn);
	turn_new(&turn);
	turn = turn->next;
	turn_end(turn, 3);
END
check "the sources are clean" "$TOP/scripts/check-frees"
done_testing
