/* SPDX-License-Identifier: ISC */
/* What all calls with Composio's key share: the key and the gate. */
#include "common/provider/composio_internal.h"

bool
composio_renew_key(void *context)
{
	struct composio *composio = context;
	bool renewed = key_renewed(&composio->key);

	if (renewed && composio->gate != NULL)
		gate_key(composio->gate, composio->base, composio->key.header);
	return renewed;
}

enum wait_kind
composio_met(struct composio *composio, struct gate_pass *pass, int status,
    unsigned key_version, const char *message, int64_t *delay)
{
	enum wait_kind kind = status == 429 ? WAIT_RATE_LIMIT : WAIT_KEY;

	if (status == 401 &&
	    (composio_renew_key(composio) ||
		key_version != composio->key.version)) {
		*delay = 1; /* there is another key: at once */
		gate_leave(pass);
		return kind;
	}
	if (status == 401 || status == 429) {
		*delay = gate_refused(pass, kind, *delay, message);
		return kind;
	}
	if (status >= 200 && status < 500)
		gate_accepted(pass);
	else
		gate_leave(pass);
	if (status != 403)
		return WAIT_NONE;
	*delay = 0;
	return WAIT_KEY;
}
