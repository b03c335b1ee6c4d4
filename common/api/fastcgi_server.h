/* SPDX-License-Identifier: ISC */
/*
 * fastcgi_server: brings requests to read_api.h and its answers back: one request of
 * CGI/1.1, or many of FastCGI in a process that stays.
 */
#ifndef COMMON_API_FASTCGI_SERVER_H
#define COMMON_API_FASTCGI_SERVER_H

#include "common/api/read_api.h"
#include "common/base/fail.h"

/* Answers the request in environ on standard output. AGENT_GATEWAY_WAITING
 * (64) processes may wait or stream at once, which is counted in
 * AGENT_GATEWAY_FOLDER when that is set. What failed
 * inside is logged. */
int
cgi_once(struct read_api *api, struct fail *fail);

/* Answers the requests that come in on the listening socket on descriptor 0,
 * until SIGTERM, SIGINT or SIGUSR1; then those that wait are ended, and it
 * returns 0. AGENT_GATEWAY_WAITING (1024) may wait or stream at once, a quarter
 * of them for one caller. */
int
fastcgi_serve(struct read_api *api, struct fail *fail);

#endif
