/* SPDX-License-Identifier: ISC */
/* Settings that are taken can be asked for a price and a rule. */
#include "common/agent/config.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct price *price;
	struct config config;
	struct fail fail;

	if (config_parse((const char *)data, size, &config, &fail) < 0) {
		fuzz_never(&fail, "invalid_config");
		return 0;
	}
	assert(config.anthropic_url && config.composio_url && config.model);
	assert(config.attempts > 0 && config.idle_ms > 0 && config.call_ms > 0);
	price = config_price(&config, config.model);
	assert(!price || price->input >= 0);
	(void)config_tool(&config, "GMAIL_SEND_EMAIL_aaaaaaaaaaaaaaaaaaaaaaab");
	config_release(&config);
	return 0;
}
