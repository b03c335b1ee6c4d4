/* SPDX-License-Identifier: ISC */
/* Shared by the parts of store_verify. */
#include "common/store/check.h"

#include <stdarg.h>
#include <stdio.h>

void
check_fault(struct check *check, const char *format, ...)
{
	char sentence[1024];
	va_list list;

	va_start(list, format);
	vsnprintf(sentence, sizeof(sentence), format, list);
	va_end(list);
	check->faults++;
	check->fault(check->context, sentence);
}

int
check_each(struct check *check, enum table table,
    int (*row)(struct check *check, const struct table_row *row,
	struct fail *fail),
    struct fail *fail)
{
	struct MDB_cursor *cursor = NULL;
	enum cursor_move how = CURSOR_AT;
	struct table_row found;
	int result;

	if (cursor_open(check->store, table, &cursor, fail) < 0)
		return -1;
	for (;;) {
		result = cursor_move(check->store, cursor, how, NULL, &found,
		    fail);
		if (result <= 0)
			break;
		result = row(check, &found, fail);
		if (result < 0)
			break;
		how = CURSOR_NEXT;
	}
	cursor_close(cursor);
	return result;
}
