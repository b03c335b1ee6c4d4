/* SPDX-License-Identifier: ISC */
/*
 * log: one JSON object a line on stderr, one write(2) each. For the worker,
 * the FastCGI server and the stand-in only; the rest of the library does not log.
 *
 *	log_line("info", "tool.finished", "task", id, "call", call, NULL);
 *
 * gives {"at":"...","level":"info","event":"tool.finished","task":"...",...}
 * After the event come pairs of strings, name and value, up to a NULL name; a
 * pair with value NULL is left out. A name that ends in '#' has a value that
 * is already JSON (a number) and is written as it is, without the '#'.
 * A line is as utf8_visible makes it, wherever it goes: logs are read later.
 * A full or closed stderr is ignored, so that logging never stops the work.
 */
#ifndef COMMON_JSON_LOG_H
#define COMMON_JSON_LOG_H

#include <stdbool.h>

void
log_line(const char *level, const char *event, ...) __attribute__((sentinel));

/* Drops lines of level "debug" (the default) or shows them. */
void
log_verbose(bool on);

#endif
