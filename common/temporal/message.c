/* SPDX-License-Identifier: ISC */
/*
 * How it works: values are sent as JSON text with the encoding "json/plain",
 * which every client of Temporal and its web page can read.
 */
#include "common/temporal/message.h"

#include <stdlib.h>
#include <string.h>

#include "common/agent/journal.h"
#include "common/base/mem.h"

static const char encoding_name[] = "encoding";
static const char json_plain[] = "json/plain";
static const char binary_null[] = "binary/null";

int
temporal_check_size(size_t size, const char *what, struct fail *fail)
{
	if (size <= TEMPORAL_BLOB_MAX)
		return 0;
	return fail_set(fail, FAIL_NEVER, "too_large",
	    "the %s has %zu bytes, and Temporal takes %zu", what, size,
	    TEMPORAL_BLOB_MAX);
}

static bool
has_encoding(const Api__Payload *payload, const char *encoding)
{
	const Api__Payload__MetadataEntry *entry;
	size_t i;

	for (i = 0; i < payload->n_metadata; i++) {
		entry = payload->metadata[i];
		if (strcmp(entry->key, encoding_name) == 0)
			return entry->value.len == strlen(encoding) &&
			    memcmp(entry->value.data, encoding,
				entry->value.len) == 0;
	}
	return false;
}

static bool
payload_value(const Api__Payload *payload, struct span *ret_json)
{
	if (payload == NULL)
		return false;
	if (has_encoding(payload, binary_null)) {
		*ret_json = (struct span){ "null", 4 };
		return true;
	}
	if (!has_encoding(payload, json_plain) || payload->data.len == 0)
		return false;
	*ret_json = (struct span){ (const char *)payload->data.data,
		payload->data.len };
	return true;
}

bool
temporal_value(const Api__Payloads *payloads, size_t index,
    struct span *ret_json)
{
	return payloads != NULL && index < payloads->n_payloads &&
	    payload_value(payloads->payloads[index], ret_json);
}

bool
temporal_memo(const Api__Memo *memo, const char *name, struct span *ret_json)
{
	size_t i;

	for (i = 0; memo != NULL && i < memo->n_fields; i++)
		if (strcmp(memo->fields[i]->key, name) == 0)
			return payload_value(memo->fields[i]->value, ret_json);
	return false;
}

bool
temporal_attribute(const Api__SearchAttributes *attributes, const char *name,
    struct span *ret_json)
{
	size_t i;

	for (i = 0; attributes != NULL && i < attributes->n_indexed_fields; i++)
		if (strcmp(attributes->indexed_fields[i]->key, name) == 0)
			return payload_value(
			    attributes->indexed_fields[i]->value, ret_json);
	return false;
}

int64_t
temporal_time(const Api__Timestamp *timestamp)
{
	return timestamp == NULL
	    ? 0
	    : timestamp->seconds * 1000 + timestamp->nanos / 1000000;
}

void
temporal_quote(struct buf *buf, const char *text)
{
	buf_add(buf, "'", 1);
	for (; *text != '\0'; text++) {
		if (*text == '\'' || *text == '\\')
			buf_add(buf, *text == '\'' ? "'" : "\\", 1);
		buf_add(buf, text, 1);
	}
	buf_add(buf, "'", 1);
}

char *
temporal_text(const char *string)
{
	union {
		const char *constant;
		char *text;
	} both = { string != NULL ? string : protobuf_c_empty_string };

	return both.text;
}

/* ---- on the heap ---- */

void *
heap_message(const ProtobufCMessageDescriptor *descriptor)
{
	void *message = mem_alloc(descriptor->sizeof_message);

	protobuf_c_message_init(descriptor, message);
	return message;
}

void *
heap_copy(const ProtobufCMessage *message)
{
	uint8_t *bytes = mem_alloc(
	    protobuf_c_message_get_packed_size(message) + 1);
	size_t size = protobuf_c_message_pack(message, bytes);
	void *made = protobuf_c_message_unpack(message->descriptor, NULL, size,
	    bytes);

	free(bytes);
	return made;
}

void *
heap_append(void *list, size_t *count, void *item)
{
	void **grown = mem_grow(list, *count + 1, sizeof(*grown));

	grown[(*count)++] = item;
	return grown;
}

Api__Payload *
heap_json(struct span json)
{
	Api__Payload__MetadataEntry *entry = HEAP_NEW(payload__metadata_entry);
	Api__Payload *made = HEAP_NEW(payload);

	entry->key = mem_string(encoding_name);
	entry->value.len = sizeof(json_plain) - 1;
	entry->value.data = (uint8_t *)mem_string(json_plain);
	made->metadata = heap_append(NULL, &made->n_metadata, entry);
	made->data.len = json.length;
	made->data.data = (uint8_t *)mem_copy(json.at, json.length);
	return made;
}

Api__Payload *
heap_string(const char *text)
{
	struct buf quoted = BUF_INIT((size_t)EVENT_MAX);
	Api__Payload *made;

	json_quote(&quoted, text, strlen(text));
	made = heap_json((struct span){ quoted.data, quoted.length });
	buf_release(&quoted);
	return made;
}

Api__Payloads *
heap_payloads(struct span json)
{
	Api__Payloads *made = HEAP_NEW(payloads);

	made->payloads = heap_append(NULL, &made->n_payloads, heap_json(json));
	return made;
}

Api__Duration *
heap_duration(int64_t milliseconds)
{
	Api__Duration *made = HEAP_NEW(duration);

	made->seconds = milliseconds / 1000;
	made->nanos = (int32_t)(milliseconds % 1000 * 1000000);
	return made;
}

Api__TaskQueue *
heap_queue(char *name)
{
	Api__TaskQueue *made = HEAP_NEW(task_queue);

	made->name = name;
	made->kind = TEMPORAL_ENUM(TASK_QUEUE_KIND, NORMAL);
	return made;
}

Api__Failure *
heap_failure(const char *type, const char *message, Api__Payloads *details)
{
	Api__ApplicationFailureInfo *info = HEAP_NEW(application_failure_info);
	Api__Failure *failure = HEAP_NEW(failure);

	info->type = mem_string(type);
	info->details = details;
	failure->message = mem_string(message);
	failure->source = mem_string("agent-utils");
	failure->failure_info_case =
	    API__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure->application_failure_info = info;
	return failure;
}

void
heap_set_memo(Api__Memo *memo, const char *name, Api__Payload *value)
{
	Api__Memo__FieldsEntry *field;
	size_t i;

	for (i = 0; i < memo->n_fields; i++)
		if (strcmp(memo->fields[i]->key, name) == 0) {
			api__payload__free_unpacked(memo->fields[i]->value,
			    NULL);
			memo->fields[i]->value = value;
			return;
		}
	field = HEAP_NEW(memo__fields_entry);
	field->key = mem_string(name);
	field->value = value;
	memo->fields = heap_append(memo->fields, &memo->n_fields, field);
}

void
heap_set_attribute(Api__SearchAttributes *attributes, const char *name,
    Api__Payload *value)
{
	Api__SearchAttributes__IndexedFieldsEntry *field;
	size_t i;

	for (i = 0; i < attributes->n_indexed_fields; i++) {
		field = attributes->indexed_fields[i];
		if (strcmp(field->key, name) == 0) {
			api__payload__free_unpacked(field->value, NULL);
			field->value = value;
			return;
		}
	}
	field = HEAP_NEW(search_attributes__indexed_fields_entry);
	field->key = mem_string(name);
	field->value = value;
	attributes->indexed_fields = heap_append(attributes->indexed_fields,
	    &attributes->n_indexed_fields, field);
}
