/* SPDX-License-Identifier: ISC */
/*
 * Finds the settings for one model or one tool, and frees them all.
 *
 * The matching is not fnmatch(3), which follows the locale and takes
 * exponential time for patterns that a hostile task can contain. Only the last
 * '*' ever needs to be tried again, so this one takes quadratic time.
 */
#include "common/agent/config.h"

#include <stdlib.h>
#include <string.h>

const struct price *
config_price(const struct config *config, const char *model)
{
	size_t i;

	for (i = 0; i < config->price_count; i++)
		if (strcmp(config->prices[i].model, model) == 0)
			return &config->prices[i];
	for (i = 0; i < config->price_count; i++)
		if (config_glob(config->prices[i].model, model))
			return &config->prices[i];
	return NULL;
}

const struct price *
config_price_step(const struct price *price, int64_t tokens)
{
	while (price && price->next && tokens > price->next->above)
		price = price->next;
	return price;
}

const struct tool_rule *
config_tool(const struct config *config, const char *slug)
{
	size_t i;

	for (i = 0; i < config->tool_count; i++)
		if (config_glob(config->tools[i].glob, slug))
			return &config->tools[i];
	return NULL;
}

const char *
config_probe(const struct config *config, const char *toolkit)
{
	size_t i;

	for (i = 0; i < config->probe_count; i++)
		if (strcmp(config->probes[i].toolkit, toolkit) == 0)
			return config->probes[i].tool;
	return NULL;
}

/* Matches one character against the [...] at *GLOB and moves *GLOB behind it.
 * A '[' without its ']' stands for itself. */
static bool
in_bracket(const char **glob, char c)
{
	const char *at = *glob + 1, *end;
	bool negated, found = false;

	negated = *at == '!' || *at == '^';
	at += negated;
	end = *at != '\0' ? strchr(at + 1, ']') : NULL;
	if (end == NULL) {
		*glob += 1;
		return c == '[';
	}
	while (at < end) {
		if (at + 2 < end && at[1] == '-') {
			found |= at[0] <= c && c <= at[2];
			at += 3;
		} else {
			found |= *at++ == c;
		}
	}
	*glob = end + 1;
	return found != negated;
}

/* Of the models in use only those of 4.5 take less than a million. */
int64_t
config_context_tokens(const char *model)
{
	return config_glob("claude-*-4-5*", model) ? 200000 : 1000000;
}

bool
config_glob(const char *glob, const char *name)
{
	const char *star = NULL, *resume = NULL;
	bool matched;

	while (*name != '\0') {
		if (*glob == '*') {
			star = ++glob;
			resume = name;
			continue;
		}
		if (*glob == '?') {
			glob++;
			matched = true;
		} else if (*glob == '[') {
			matched = in_bracket(&glob, *name);
		} else {
			matched = *glob != '\0' && *glob++ == *name;
		}
		if (matched) {
			name++;
		} else if (star != NULL) {
			glob = star;
			name = ++resume;
		} else {
			return false;
		}
	}
	while (*glob == '*')
		glob++;
	return *glob == '\0';
}

void
config_release(struct config *config)
{
	struct price *step;
	size_t i;

	for (i = 0; i < config->price_count; i++) {
		free(config->prices[i].model);
		while ((step = config->prices[i].next)) {
			config->prices[i].next = step->next;
			free(step);
		}
	}
	for (i = 0; i < config->tool_count; i++)
		free(config->tools[i].glob);
	for (i = 0; i < config->probe_count; i++) {
		free(config->probes[i].toolkit);
		free(config->probes[i].tool);
	}
	free(config->probes);
	free(config->prices);
	free(config->tools);
	free(config->store);
	free(config->engine);
	free(config->anthropic_url);
	free(config->composio_url);
	free(config->plain_http);
	free(config->timezone);
	free(config->model);
	free(config->effort);
	free(config->system);
	*config = (struct config){ .store = NULL };
}
