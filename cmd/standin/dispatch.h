/* SPDX-License-Identifier: ISC */
/*
 * dispatch: which service a request is for, and what goes wrong with it. The
 * two callbacks of the server; the context is a struct standin.
 */
#ifndef CMD_STANDIN_DISPATCH_H
#define CMD_STANDIN_DISPATCH_H

#include "cmd/standin/server/exchange.h"

void
dispatch_arrive(void *context, struct request *request,
    struct arrival *ret_arrival);

void
dispatch_answer(void *context, struct request *request,
    const struct arrival *arrival, struct reply *reply);

#endif
