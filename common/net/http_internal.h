/* SPDX-License-Identifier: ISC */
/* http_internal: shared by the files of http. */
#ifndef COMMON_NET_HTTP_INTERNAL_H
#define COMMON_NET_HTTP_INTERNAL_H

#include "common/net/http.h"

/* Whether a key may be sent to this URL: FAIL_NEVER, type "invalid_url" or
 * "insecure_url", when not. PLAIN: as for http_plain. */
int
http_check_url(const char *text, const char *plain, bool *ret_loopback,
    bool *ret_secure, struct fail *fail);

#endif
