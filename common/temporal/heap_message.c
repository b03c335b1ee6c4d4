/* SPDX-License-Identifier: ISC */
/*
 * Every value is JSON, "json/plain", as in message.c.
 */
#include "common/temporal/heap_message.h"

#include <stdlib.h>

#include "common/agent/journal.h"
#include "common/base/mem.h"

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
heap_one(void *item)
{
	void **list = mem_alloc(sizeof(*list));

	*list = item;
	return list;
}

Api__Payload *
heap_json(struct span json)
{
	static const char name[] = "json/plain";
	Api__Payload__MetadataEntry *entry = HEAP_NEW(payload__metadata_entry);
	Api__Payload *made = HEAP_NEW(payload);

	entry->key = mem_string("encoding");
	entry->value.len = sizeof(name) - 1;
	entry->value.data = (uint8_t *)mem_string(name);
	made->n_metadata = 1;
	made->metadata = heap_one(entry);
	made->data.len = json.length;
	made->data.data = (uint8_t *)mem_copy(json.at, json.length);
	return made;
}

Api__Payload *
heap_string(const char *text, size_t length)
{
	struct buf quoted = BUF_INIT((size_t)EVENT_MAX);
	Api__Payload *made;

	json_quote(&quoted, text, length);
	made = heap_json((struct span){ quoted.data, quoted.length });
	buf_release(&quoted);
	return made;
}

Api__Payloads *
heap_payloads(struct span json)
{
	Api__Payloads *made = HEAP_NEW(payloads);

	made->n_payloads = 1;
	made->payloads = heap_one(heap_json(json));
	return made;
}

Api__Duration *
heap_duration(int64_t milliseconds)
{
	Api__Duration *made = mem_alloc(sizeof(*made));

	*made = temporal_duration(milliseconds);
	return made;
}
