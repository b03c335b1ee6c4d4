/* SPDX-License-Identifier: ISC */
/*
 * log: the executions of tools as Composio's log has them, the newest MOST of
 * them, in memory: POST /logs/tool_execution and GET /logs/tool_execution/{id}.
 * An entry is kept as the second gives it, and filtered by its own members.
 */
#include "cmd/standin/build.h"
#include "cmd/standin/standin.h"
#include "common/base/clock.h"
#include "common/json/json.h"

#define MOST 1000
#define LIMIT_USUAL 20
#define LIMIT_MOST 100

void
composio_log_add(struct standin *standin, const struct request *request,
    const struct log_entry *entry)
{
	const char *name = request_header(request, "x-request-id");
	const struct account *account = entry->account;
	int64_t now = clock_wall();
	char at[CLOCK_TEXT];

	clock_format(now, at);
	cJSON_InsertItemInArray(standin->log, 0,
	    build("{'id':%s,'timestamp':%s,'type':'tool.execution',"
		  "'status':%s,'level':%s,'message':%s,'metadata':{"
		  "'tool_slug':%s,'toolkit_slug':%s,'user_id':%s,"
		  "'connected_account_id':%s,'auth_config_id':%s,"
		  "'credential_source':%s},'metrics':{'duration_ms':1},"
		  "'parent':null,'timings':{'start_time':%n,'end_time':%n},"
		  "'context':{'request_id':%s},'source':{'host':'api'},"
		  "'data':{'request':{'arguments':%j},'response':%j}}",
		entry->id, at, entry->error == NULL ? "success" : "failed",
		entry->error == NULL ? "info" : "error",
		entry->error == NULL ? "" : entry->error, entry->tool->slug,
		entry->tool->toolkit, entry->user,
		account != NULL ? account->id : NULL,
		account != NULL ? account->auth_config : NULL,
		account != NULL ? "connected_account" : "no_auth", now - 1, now,
		name != NULL ? name : request->id,
		cJSON_Duplicate(entry->arguments, true),
		build("{'data':%j,'error':%s,'successful':%b}",
		    entry->data != NULL ? cJSON_Duplicate(entry->data, true)
					: cJSON_CreateObject(),
		    entry->error, entry->error == NULL)));
	cJSON_DeleteItemFromArray(standin->log, MOST);
}

static const char *const fields[] = { "tool_slug", "toolkit_slug",
	"connected_account_id", "auth_config_id", "status", "user_id",
	"session_id", "sandbox_id", "request_id", "log_id", NULL };
static const char *const operators[] = { "==", "!=", "contains", "not_contains",
	NULL };

static const char *
field_of(const cJSON *entry, const char *field)
{
	const char *value;

	if (strcmp(field, "log_id") == 0)
		return json_string(entry, "id");
	value = json_string(json_item(entry, "metadata"), field);
	if (value == NULL)
		value = json_string(json_item(entry, "context"), field);
	if (value == NULL)
		value = json_string(entry, field);
	return value != NULL ? value : "";
}

static bool
fits(const cJSON *entry, const cJSON *filters)
{
	const char *value, *wanted, *how;
	const cJSON *filter;
	bool is;

	cJSON_ArrayForEach (filter, filters) {
		value = field_of(entry, json_string(filter, "field"));
		wanted = json_string(filter, "value");
		how = json_string(filter, "operator");
		is = strchr(how, '=') != NULL ? strcmp(value, wanted) == 0
					      : strstr(value, wanted) != NULL;
		if (is == (strchr("!n", *how) != NULL))
			return false;
	}
	return true;
}

static bool
one_of(const char *word, const char *const *words)
{
	while (*words != NULL && (word == NULL || strcmp(word, *words) != 0))
		words++;
	return *words != NULL;
}

/* What is wrong with the question, or NULL. */
static const char *
wrong(const cJSON *body, double limit)
{
	const cJSON *range = json_item(body, "time_range"), *filter;

	if (!(limit >= 1 && limit <= LIMIT_MOST))
		return "limit must be 1 to 100";
	if (range != NULL &&
	    (!cJSON_IsNumber(json_item(range, "from")) ||
		!cJSON_IsNumber(json_item(range, "to"))))
		return "time_range needs from and to, in milliseconds";
	cJSON_ArrayForEach (filter, json_item(body, "filters"))
		if (!one_of(json_string(filter, "field"), fields) ||
		    !one_of(json_string(filter, "operator"), operators) ||
		    json_string(filter, "value") == NULL)
			return "a filter needs a field, an operator and a "
			       "value";
	return NULL;
}

/* Whether the key may read the log; else REPLY is the error. */
static bool
may_read(const struct standin *standin, struct request *request,
    struct reply *reply)
{
	if (!cJSON_IsFalse(json_item(standin->script, "logs")))
		return true;
	return composio_fault(request, reply, 403, 0, "",
	    "The API key has no access to observability");
}

static cJSON *
list_form(const cJSON *entry)
{
	static const char *const more[] = { "timings", "context", "source",
		"data" };
	cJSON *item = cJSON_Duplicate(entry, true);
	size_t i;

	for (i = 0; i < sizeof(more) / sizeof(*more); i++)
		cJSON_DeleteItemFromObject(item, more[i]);
	return item;
}

static bool
in_range(const cJSON *entry, const cJSON *range)
{
	double at = cJSON_GetNumberValue(
	    json_item(json_item(entry, "timings"), "start_time"));

	return range == NULL ||
	    (at >= cJSON_GetNumberValue(json_item(range, "from")) &&
		at <= cJSON_GetNumberValue(json_item(range, "to")));
}

/* A cursor is the number of entries before its page. */
void
composio_log_list(struct standin *standin, struct request *request,
    const cJSON *body, struct reply *reply)
{
	const cJSON *number = json_item(body, "limit");
	const char *cursor = json_string(body, "cursor"), *why;
	double limit = number != NULL ? cJSON_GetNumberValue(number)
				      : LIMIT_USUAL;
	double from = cursor != NULL ? strtod(cursor, NULL) : 0, seen = 0;
	cJSON *items;
	char next[40];
	const cJSON *at;

	why = wrong(body, limit);
	if (why != NULL)
		composio_fault(request, reply, 400, 0, "", "%s", why);
	if (why != NULL || !may_read(standin, request, reply))
		return;
	items = cJSON_CreateArray();
	cJSON_ArrayForEach (at, standin->log) {
		if (!fits(at, json_item(body, "filters")) ||
		    !in_range(at, json_item(body, "time_range")))
			continue;
		if (seen >= from && seen < from + limit)
			cJSON_AddItemToArray(items, list_form(at));
		seen++;
	}
	snprintf(next, sizeof(next), "%.0f", from + limit);
	reply_json(reply,
	    build("{'logs':%j,'next_cursor':%s}", items,
		seen > from + limit ? next : NULL));
}

void
composio_log_get(struct standin *standin, struct request *request,
    const char *id, struct reply *reply)
{
	const cJSON *at;

	if (!may_read(standin, request, reply))
		return;
	cJSON_ArrayForEach (at, standin->log)
		if (strcmp(json_string(at, "id"), id) == 0) {
			reply_json(reply, cJSON_Duplicate(at, true));
			return;
		}
	composio_fault(request, reply, 404, 0, "", "Log not found");
}
