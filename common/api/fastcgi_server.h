/* SPDX-License-Identifier: ISC */
/*
 * fastcgi_server: passes requests to read_api.h and sends its answers: one
 * request of CGI/1.1, or many of FastCGI in a resident process.
 */
#ifndef COMMON_API_FASTCGI_SERVER_H
#define COMMON_API_FASTCGI_SERVER_H

#include "common/api/read_api.h"
#include "common/base/fail.h"

/* Answers the request in environ on standard output. AGENT_GATEWAY_WAITING
 * (64) processes may wait or stream at once, which is counted in
 * AGENT_GATEWAY_FOLDER when that is set. Internal errors are logged. */
int
cgi_once(struct read_api *api, struct fail *fail);

/* Answers the requests on the listening socket on descriptor 0, until SIGTERM,
 * SIGINT or SIGUSR1; then it ends those that wait, and returns 0.
 * AGENT_GATEWAY_WAITING (1024) requests may wait or stream at once, a quarter
 * of them of one caller. */
int
fastcgi_serve(struct read_api *api, struct fail *fail);

#endif
