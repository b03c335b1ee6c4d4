/* SPDX-License-Identifier: ISC */
/*
 * The proxy's header is preferred to a token, since the proxy may pass on a
 * token that is not ours. From any other address the header is ignored.
 */
#include "common/api/caller.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/api/cgi.h"
#include "common/api/token.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#define PROXIES_MAX 64
#define PER_MINUTE_MAX 6000000

struct network {
	uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;
};

struct callers {
	struct tokens *tokens; /* or NULL */
	char *header;          /* "HTTP_X_FORWARDED_USER", or NULL */
	struct network proxies[PROXIES_MAX];
	size_t proxy_count;
	struct rate_limit limit;
	char *folder;
};

static const char *
setting(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* ---- addresses ---- */

static bool
parse_address(const char *text, struct network *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	ret->bits = 128;
	if (inet_pton(AF_INET6, text, ret->bytes) == 1)
		return true;
	memcpy(ret->bytes, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, ret->bytes + 12) == 1;
}

static bool
parse_network(char *text, struct network *ret)
{
	char *slash = strchr(text, '/'), *end;
	unsigned long bits, most = strchr(text, ':') ? 128 : 32;

	if (slash)
		*slash = '\0';
	if (!parse_address(text, ret))
		return false;
	if (!slash)
		return true;
	bits = strtoul(slash + 1, &end, 10);
	if (!isdigit((unsigned char)slash[1]) || *end != '\0' || bits > most)
		return false;
	ret->bits = (unsigned)(bits + 128 - most);
	return true;
}

static bool
is_within(const struct network *network, const struct network *address)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	return memcmp(network->bytes, address->bytes, whole) == 0 &&
	    (!rest ||
		((network->bytes[whole] ^ address->bytes[whole]) >>
		    (8 - rest)) == 0);
}

static bool
from_proxy(const struct callers *callers, const char *text)
{
	struct network address;
	size_t i;

	if (!text || !parse_address(text, &address))
		return false;
	for (i = 0; i < callers->proxy_count; i++)
		if (is_within(&callers->proxies[i], &address))
			return true;
	return false;
}

/* ---- settings ---- */

static int
read_proxies(struct callers *callers, const char *text, struct fail *fail)
{
	char *copy = mem_string(text), *rest = copy, *word;
	int result = 0;

	while (result == 0 && (word = strsep(&rest, " ,\t\n")) != NULL) {
		if (!*word)
			continue;
		if (callers->proxy_count == PROXIES_MAX ||
		    !parse_network(word,
			&callers->proxies[callers->proxy_count++]))
			result = fail_set(fail, FAIL_NEVER, "invalid_gateway",
			    "AGENT_GATEWAY_PROXIES must be up to %d addresses "
			    "or networks, not \"%.100s\"",
			    PROXIES_MAX, word);
	}
	free(copy);
	return result;
}

static int
read_header(struct callers *callers, const char *name, struct fail *fail)
{
	size_t i;

	callers->header = mem_print("HTTP_%s", name);
	for (i = 5; callers->header[i]; i++) {
		char c = callers->header[i];

		callers->header[i] = c == '-' ? '_'
					      : (char)toupper((unsigned char)c);
		if (c != '-' && !isalnum((unsigned char)c))
			return fail_set(fail, FAIL_NEVER, "invalid_gateway",
			    "AGENT_GATEWAY_USER_HEADER must be the name of a "
			    "header, not \"%.100s\"",
			    name);
	}
	if (callers->proxy_count == 0)
		return fail_set(fail, FAIL_NEVER, "invalid_gateway",
		    "AGENT_GATEWAY_USER_HEADER needs the addresses that may "
		    "set it: set AGENT_GATEWAY_PROXIES");
	return 0;
}

int
callers_number(const char *name, int64_t most, int64_t otherwise,
    int64_t *ret_number, struct fail *fail)
{
	*ret_number = otherwise;
	if (cgi_number(name, setting(name), 0, most, ret_number, fail) == 0)
		return 0;
	snprintf(fail->type, sizeof(fail->type), "invalid_gateway");
	return -1;
}

static int
read_limit(struct callers *callers, struct fail *fail)
{
	struct rate_limit *limit = &callers->limit;
	const char *folder = setting("AGENT_GATEWAY_FOLDER");
	int64_t usual;

	if (callers_number("AGENT_GATEWAY_RATE", PER_MINUTE_MAX, 0,
		&limit->per_minute, fail) < 0)
		return -1;
	usual = limit->per_minute / 10 > 10 ? limit->per_minute / 10 : 10;
	if (callers_number("AGENT_GATEWAY_BURST", PER_MINUTE_MAX, usual,
		&limit->burst, fail) < 0)
		return -1;
	if (limit->burst < 1)
		limit->burst = 1;
	if (limit->per_minute && !folder)
		return fail_set(fail, FAIL_NEVER, "invalid_gateway",
		    "AGENT_GATEWAY_RATE needs a folder to count in: set "
		    "AGENT_GATEWAY_FOLDER");
	callers->folder = mem_string(folder);
	return 0;
}

int
callers_open(struct callers **ret_callers, struct fail *fail)
{
	struct callers *callers = mem_alloc(sizeof(*callers));
	const char *tokens = setting("AGENT_TOKENS_FILE");
	const char *proxies = setting("AGENT_GATEWAY_PROXIES");
	const char *header = setting("AGENT_GATEWAY_USER_HEADER");

	if (tokens)
		callers->tokens = tokens_new(tokens);
	if ((proxies && read_proxies(callers, proxies, fail) < 0) ||
	    (header && read_header(callers, header, fail) < 0) ||
	    read_limit(callers, fail) < 0)
		goto failed;
	if (!tokens && !header) {
		fail_set(fail, FAIL_NEVER, "invalid_gateway",
		    "no caller can be identified: set AGENT_TOKENS_FILE (see "
		    "agent-token(1)), or AGENT_GATEWAY_USER_HEADER");
		goto failed;
	}
	*ret_callers = callers;
	return 0;
failed:
	callers_close(callers);
	return -1;
}

void
callers_close(struct callers *callers)
{
	if (!callers)
		return;
	tokens_free(callers->tokens);
	free(callers->header);
	free(callers->folder);
	free(callers);
}

/* ---- a request ---- */

static int
identify(struct callers *callers, char *const *env, int64_t now,
    char ret_user[TASK_USER_MAX + 1], struct fail *fail)
{
	const char *credential = cgi_variable(env, "HTTP_AUTHORIZATION");
	const char *user = callers->header &&
		from_proxy(callers, cgi_variable(env, "REMOTE_ADDR"))
	    ? cgi_variable(env, callers->header)
	    : NULL;

	if (user && *user) {
		if (strlen(user) > TASK_USER_MAX || !task_user_fine(user))
			return fail_set(fail, FAIL_NO, "unauthorized",
			    "the proxy says a user name that is not valid");
		memcpy(ret_user, user, strlen(user) + 1);
		return 0;
	}
	if (!callers->tokens || !credential || !*credential)
		return fail_set(fail, FAIL_NO, "unauthorized",
		    "there is no token: send the header Authorization: Bearer TOKEN");
	if (strncasecmp(credential, "Bearer ", 7) != 0)
		return fail_set(fail, FAIL_NO, "unauthorized",
		    "the header Authorization must be: Bearer TOKEN");
	credential += 7;
	return tokens_check(callers->tokens,
	    credential + strspn(credential, " "), now, ret_user, fail);
}

int
callers_identify(struct callers *callers, char *const *env,
    char ret_user[TASK_USER_MAX + 1], int64_t *ret_retry, struct fail *fail)
{
	int64_t now = clock_wall(), wait = 0;

	if (identify(callers, env, now, ret_user, fail) < 0)
		return -1;
	if (!callers->limit.per_minute ||
	    rate_take(callers->folder, &callers->limit, ret_user, now, &wait,
		fail) == 0)
		return 0;
	*ret_retry = (wait + 999) / 1000;
	return -1;
}
