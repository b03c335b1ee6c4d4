/* SPDX-License-Identifier: ISC */
/*
 * How it works: values are sent as JSON text with the encoding "json/plain",
 * which every client of Temporal and its web page can read.
 */
#include "common/temporal/api.h"

#include <string.h>

static const char encoding_name[] = "encoding";
static const char json_plain[] = "json/plain";
static const char binary_null[] = "binary/null";

Api__Payloads *
temporal_json(struct temporal_payload *room, struct span json)
{
	/* the generated structs have no const; they are not written to */
	union {
		const char *constant;
		char *text;
		uint8_t *bytes;
	} name = { encoding_name }, value = { json_plain }, data = { json.at };

	api__payload__metadata_entry__init(&room->encoding);
	room->encoding.key = name.text;
	room->encoding.value.data = value.bytes;
	room->encoding.value.len = sizeof(json_plain) - 1;
	room->metadata[0] = &room->encoding;
	api__payload__init(&room->payload);
	room->payload.n_metadata = 1;
	room->payload.metadata = room->metadata;
	room->payload.data.data = data.bytes;
	room->payload.data.len = json.length;
	room->list[0] = &room->payload;
	api__payloads__init(&room->payloads);
	room->payloads.n_payloads = 1;
	room->payloads.payloads = room->list;
	return &room->payloads;
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

Api__Duration
temporal_duration(int64_t milliseconds)
{
	Api__Duration duration;

	api__duration__init(&duration);
	duration.seconds = milliseconds / 1000;
	duration.nanos = (int32_t)(milliseconds % 1000 * 1000000);
	return duration;
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

int
temporal_check_size(struct span json, const char *what, struct fail *fail)
{
	if (json.length <= TEMPORAL_BLOB_MAX)
		return 0;
	return fail_set(fail, FAIL_NEVER, "too_large",
	    "the %s has %zu bytes, and Temporal takes %zu", what, json.length,
	    TEMPORAL_BLOB_MAX);
}
