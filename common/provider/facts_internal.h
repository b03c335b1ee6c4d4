/* SPDX-License-Identifier: ISC */
/* facts_internal: shared by the files of facts. */
#ifndef COMMON_PROVIDER_FACTS_INTERNAL_H
#define COMMON_PROVIDER_FACTS_INTERNAL_H

#include "common/net/http.h"
#include "common/provider/facts.h"

struct facts {
	const struct config *config;
	struct loop *loop;
	struct http *http;
	struct tools *tools;
	int64_t until;
};

/* Lets the loop run for DELAY, but not beyond the time limit. */
int
facts_pause(struct facts *facts, int64_t delay, struct fail *fail);

#endif
