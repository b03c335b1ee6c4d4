/* SPDX-License-Identifier: ISC */
/*
 * composio: the tools of Composio. REST API v3.1 with the header x-api-key and
 * no other credential, the secret COMPOSIO_API_KEY (without it open is
 * FAIL_NEVER, type "missing_key"). A GET is repeated as backoff.h says, a POST
 * never; a bad key is FAIL_NEVER.
 */
#ifndef COMMON_PROVIDER_COMPOSIO_H
#define COMMON_PROVIDER_COMPOSIO_H

#include "common/provider/tool_provider.h"

extern const struct tool_provider composio_provider;

#endif
