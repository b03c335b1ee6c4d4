/* SPDX-License-Identifier: ISC */
/*
 * The table says all that the gateway knows of the routes of tasks: it sends
 * here whatever is below /v1/tasks, but for the two POSTs that it does itself.
 */
#include "common/api/read_route.h"

#include <string.h>

#include "common/base/mem.h"

#define PREFIX "/v1/tasks"
#define BIT(parameter) (1u << (parameter))

static const struct {
	const char *rest; /* behind the task's id; NULL: there is none */
	const char *allow;
	unsigned takes; /* parameters, as bits */
} routes[] = {
	[ROUTE_LIST] = { NULL, "GET, HEAD, POST",
	    BIT(STATE) | BIT(QUEUE) | BIT(LIMIT) | BIT(BEFORE) },
	[ROUTE_TASK] = { "", "GET, HEAD", BIT(WAIT) },
	[ROUTE_EVENTS] = { "/events", "GET, HEAD",
	    BIT(AFTER) | BIT(LIMIT) | BIT(WAIT) },
	[ROUTE_RESULT] = { "/result", "GET, HEAD", 0 },
	[ROUTE_SIGNALS] = { "/signals", "POST", 0 },
};

void
route_find(struct read_request_private *own, const char *path)
{
	size_t length, i;

	own->route = ROUTE_NONE;
	if (strncmp(path, PREFIX, strlen(PREFIX)) != 0)
		return;
	path += strlen(PREFIX);
	if (!*path)
		own->route = ROUTE_LIST;
	if (*path++ != '/')
		return;
	length = strcspn(path, "/");
	for (i = ROUTE_TASK; length && i < ROUTE_NONE; i++)
		if (strcmp(path + length, routes[i].rest) == 0) {
			own->id = mem_copy(path, length);
			own->route = (enum route)i;
		}
}

int
route_check_method(struct read_request_private *own, const char *method,
    struct fail *fail)
{
	const char *allow = routes[own->route].allow;

	own->answer.head = method && strcmp(method, "HEAD") == 0;
	if (strncmp(allow, "GET", 3) == 0 &&
	    (own->answer.head || (method && strcmp(method, "GET") == 0)))
		return 0;
	own->answer.allow = allow;
	return fail_set(fail, FAIL_NEVER, "method_not_allowed",
	    "this route takes %s only", allow);
}

/* Puts the values of QUERY into own->values. */
static int
read_query(struct read_request_private *own, const char *query,
    struct fail *fail)
{
	static const char *const names[] = { [WAIT] = "wait",
		[AFTER] = "after",
		[LIMIT] = "limit",
		[STATE] = "state",
		[QUEUE] = "queue",
		[BEFORE] = "before" };
	const char *known[PARAMETERS + 1] = { NULL };
	char *values[PARAMETERS];
	size_t i, count = 0;

	for (i = 0; i < PARAMETERS; i++)
		if (routes[own->route].takes & BIT(i))
			known[count++] = names[i];
	if (cgi_query(query, known, values, fail) < 0)
		return -1;
	for (i = 0, count = 0; i < PARAMETERS; i++)
		if (routes[own->route].takes & BIT(i))
			own->values[i] = values[count++];
	return 0;
}

int
route_parameters(struct read_request_private *own, char *const *env,
    struct fail *fail)
{
	const char *last = cgi_variable(env, "HTTP_LAST_EVENT_ID");
	const char *queue;

	own->limit = own->route == ROUTE_LIST ? 50 : 1000;
	if (read_query(own, cgi_variable(env, "QUERY_STRING"), fail) < 0 ||
	    cgi_number("limit", own->values[LIMIT], 1, 1000, &own->limit,
		fail) < 0 ||
	    cgi_number("wait", own->values[WAIT], 0, 20, &own->wait, fail) <
		0 ||
	    cgi_number("after", own->values[AFTER], 0, 1LL << 53, &own->after,
		fail) < 0 ||
	    (own->route == ROUTE_EVENTS && last && *last &&
		cgi_number("Last-Event-ID", last, 0, 1LL << 53, &own->after,
		    fail) < 0))
		return -1;
	queue = own->values[QUEUE];
	if (queue &&
	    (!*queue || strlen(queue) > TASK_QUEUE_MAX ||
		strspn(queue, "abcdefghijklmnopqrstuvwxyz0123456789._-") !=
		    strlen(queue)))
		return fail_set(fail, FAIL_NEVER, "bad_request",
		    "queue must be the name of a queue");
	own->stream = own->route == ROUTE_EVENTS &&
	    cgi_accepts(cgi_variable(env, "HTTP_ACCEPT"), "text/event-stream");
	if (own->route != ROUTE_EVENTS)
		own->if_none_match = mem_string(
		    cgi_variable(env, "HTTP_IF_NONE_MATCH"));
	return 0;
}
