/* SPDX-License-Identifier: ISC */
/*
 * dispatch: the two callbacks of the server, which choose the service and the
 * fault for a request; their context is a struct standin.
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
