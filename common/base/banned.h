/* SPDX-License-Identifier: ISC */
/*
 * banned: forbids calls that write without knowing how much room there is, or
 * that keep hidden state. Included before everything else.
 */
#ifndef COMMON_BASE_BANNED_H
#define COMMON_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Some compilers have these as macros. */
#undef alloca
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok
#pragma GCC poison asctime ctime gmtime localtime atoi atol atof

#endif
