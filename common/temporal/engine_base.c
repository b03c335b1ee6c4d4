/* SPDX-License-Identifier: ISC */
/*
 * What several operations of the engine need.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/temporal/engine_internal.h"

struct engine_temporal *
engine_temporal_own(struct engine *engine)
{
	return (struct engine_temporal *)(void *)engine;
}

bool
engine_temporal_no_attribute(const struct fail *fail)
{
	return strcmp(fail->type, "invalid_argument") == 0 &&
	    (strstr(fail->message, TEMPORAL_USER) != NULL ||
		strstr(fail->message, TEMPORAL_STATE) != NULL);
}

int
engine_temporal_check_id(const char *id, struct fail *fail)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789._:-";
	size_t length = strlen(id);

	if (length >= 8 && length <= 255 && strspn(id, plain) == length)
		return 0;
	return fail_set(fail, FAIL_NEVER, "invalid_id",
	    "\"%.60s\" is not a task id: ids look like "
	    "0197a3c4-52f0-7e1b-9d3a-5f6b7c8d9e0f",
	    id);
}

int
engine_temporal_add_attributes(struct engine_temporal *own, struct fail *fail)
{
	Api__AddSearchAttributesRequest__SearchAttributesEntry entries[2];
	Api__AddSearchAttributesRequest__SearchAttributesEntry *list[2];
	struct temporal_answer answer = { .done = false };
	Api__AddSearchAttributesRequest request;
	int result;
	size_t i;

	api__add_search_attributes_request__init(&request);
	for (i = 0; i < 2; i++) {
		api__add_search_attributes_request__search_attributes_entry__init(
		    &entries[i]);
		entries[i].key = temporal_text(
		    i == 0 ? TEMPORAL_USER : TEMPORAL_STATE);
		entries[i].value = TEMPORAL_ENUM(INDEXED_VALUE_TYPE, KEYWORD);
		list[i] = &entries[i];
	}
	request.n_search_attributes = 2;
	request.search_attributes = list;
	result = temporal_call(own->temporal, &request.base, &answer, fail);
	if (result < 0 && strcmp(fail->type, "already_exists") == 0)
		result = 0;
	temporal_answer_release(&answer);
	return result;
}

void
engine_temporal_query(struct buf *query, const char *queue)
{
	char *name;

	buf_add_string(query, "WorkflowType = ");
	temporal_quote(query, TEMPORAL_WORKFLOW);
	if (queue == NULL)
		return;
	name = mem_print(TEMPORAL_QUEUE_PREFIX "%s", queue);
	buf_add_string(query, " AND TaskQueue = ");
	temporal_quote(query, name);
	free(name);
}
