/* SPDX-License-Identifier: ISC */
/*
 * Values, packed member by member: nothing here depends on how a compiler lays
 * out a struct.
 *
 * To change the format of a value, raise its version byte here; the reader keeps
 * reading the older ones, and a row gets the new format when it is next written.
 */
#include "common/store/pack.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
fail_damaged(struct fail *fail, const char *format, ...)
{
	char what[512];
	va_list list;

	va_start(list, format);
	vsnprintf(what, sizeof(what), format, list);
	va_end(list);
	return fail_set(fail, FAIL_NEVER, "store_damaged",
	    "the store is damaged: %s; run agent-store check, and restore a "
	    "backup",
	    what);
}

void
put64(uint8_t *at, uint64_t number)
{
	int i;

	for (i = 7; i >= 0; i--) {
		at[i] = (uint8_t)number;
		number >>= 8;
	}
}

uint64_t
get64(const void *at)
{
	const uint8_t *bytes = at;
	uint64_t number = 0;
	int i;

	for (i = 0; i < 8; i++)
		number = number << 8 | bytes[i];
	return number;
}

struct packer {
	uint8_t *at;
};

static void
add_byte(struct packer *packer, uint8_t byte)
{
	*packer->at++ = byte;
}

static void
add_number(struct packer *packer, uint64_t number)
{
	put64(packer->at, number);
	packer->at += 8;
}

static void
add_text(struct packer *packer, const char *text, size_t size)
{
	size_t length = strnlen(text, size - 1);

	add_byte(packer, (uint8_t)length);
	memcpy(packer->at, text, length);
	packer->at += length;
}

/* As add_text, for up to 65535 bytes. */
static void
add_long_text(struct packer *packer, const char *text, size_t size)
{
	size_t length = strnlen(text, size - 1);

	add_byte(packer, (uint8_t)(length >> 8));
	add_byte(packer, (uint8_t)length);
	memcpy(packer->at, text, length);
	packer->at += length;
}

/* Reading beyond the end gives zeros and sets bad. */
struct unpacker {
	const uint8_t *at, *end;
	bool bad;
};

static uint8_t
take_byte(struct unpacker *unpacker)
{
	if (unpacker->at == unpacker->end) {
		unpacker->bad = true;
		return 0;
	}
	return *unpacker->at++;
}

/* Bad when the value has another format than 1 up to NEWEST. */
static struct unpacker
take_formats(struct span value, uint8_t newest, uint8_t *ret_format)
{
	const uint8_t *bytes = (const uint8_t *)value.at;
	struct unpacker unpacker = { bytes, bytes + value.length, false };

	*ret_format = take_byte(&unpacker);
	if (*ret_format < 1 || *ret_format > newest)
		unpacker.bad = true;
	return unpacker;
}

static struct unpacker
take_start(struct span value)
{
	uint8_t format;

	return take_formats(value, FORMAT, &format);
}

static uint64_t
take_number(struct unpacker *unpacker)
{
	uint64_t number;

	if (unpacker->end - unpacker->at < 8) {
		unpacker->bad = true;
		return 0;
	}
	number = get64(unpacker->at);
	unpacker->at += 8;
	return number;
}

static void
take_bytes(struct unpacker *unpacker, void *bytes, size_t size)
{
	if ((size_t)(unpacker->end - unpacker->at) < size) {
		unpacker->bad = true;
		return;
	}
	memcpy(bytes, unpacker->at, size);
	unpacker->at += size;
}

static void
take_length(struct unpacker *unpacker, size_t length, char *text, size_t size)
{
	if (length < size)
		take_bytes(unpacker, text, length);
	else
		unpacker->bad = true;
	text[unpacker->bad ? 0 : length] = '\0';
}

static void
take_text(struct unpacker *unpacker, char *text, size_t size)
{
	take_length(unpacker, take_byte(unpacker), text, size);
}

static void
take_long_text(struct unpacker *unpacker, char *text, size_t size)
{
	size_t high = take_byte(unpacker);

	take_length(unpacker, high << 8 | take_byte(unpacker), text, size);
}

static bool
take_whole(const struct unpacker *unpacker)
{
	return !unpacker->bad && unpacker->at == unpacker->end;
}

size_t
pack_row(const struct task_row *row, uint8_t bytes[ROW_MAX])
{
	struct packer packer = { bytes };

	add_byte(&packer, ROW_FORMAT);
	add_byte(&packer, (uint8_t)row->state);
	add_byte(&packer, row->priority);
	add_number(&packer, (uint64_t)row->created_at);
	add_number(&packer, (uint64_t)row->updated_at);
	add_number(&packer, (uint64_t)row->due);
	add_number(&packer, row->seq);
	add_number(&packer, row->fence);
	memcpy(packer.at, row->worker.bytes, ID_SIZE);
	packer.at += ID_SIZE;
	add_number(&packer, row->order);
	add_number(&packer, (uint64_t)row->turns);
	add_number(&packer, (uint64_t)row->calls);
	add_number(&packer, (uint64_t)row->calls_unknown);
	add_number(&packer, (uint64_t)row->input_tokens);
	add_number(&packer, (uint64_t)row->output_tokens);
	add_number(&packer, (uint64_t)row->cache_read_tokens);
	add_number(&packer, (uint64_t)row->cache_write_tokens);
	add_number(&packer, (uint64_t)row->nano_usd);
	add_text(&packer, row->user, sizeof(row->user));
	add_text(&packer, row->queue, sizeof(row->queue));
	add_text(&packer, row->key, sizeof(row->key));
	add_long_text(&packer, row->reason, sizeof(row->reason));
	add_text(&packer, row->title, sizeof(row->title));
	add_byte(&packer, (uint8_t)row->wait);
	add_number(&packer, (uint64_t)row->since);
	add_text(&packer, row->toolkit, sizeof(row->toolkit));
	add_text(&packer, row->call, sizeof(row->call));
	add_long_text(&packer, row->link, sizeof(row->link));
	add_number(&packer, (uint64_t)row->reserved_nano_usd);
	return (size_t)(packer.at - bytes);
}

/* What came with format 2. */
static void
take_wait(struct unpacker *unpacker, struct task_row *row)
{
	row->wait = take_byte(unpacker);
	row->since = (int64_t)take_number(unpacker);
	take_text(unpacker, row->toolkit, sizeof(row->toolkit));
	take_text(unpacker, row->call, sizeof(row->call));
	take_long_text(unpacker, row->link, sizeof(row->link));
	if (row->wait >= WAIT_KINDS)
		row->wait = WAIT_TIME;
}

int
unpack_row(struct span value, const struct id *id, struct task_row *ret_row,
    struct fail *fail)
{
	uint8_t format;
	struct unpacker unpacker = take_formats(value, ROW_FORMAT, &format);
	struct task_row row = { .id = *id };
	char name[ID_TEXT];

	id_format(id, name);
	if (unpacker.bad)
		return fail_damaged(fail,
		    "task %s has a row of an unknown format", name);
	row.state = take_byte(&unpacker);
	row.priority = take_byte(&unpacker);
	row.created_at = (int64_t)take_number(&unpacker);
	row.updated_at = (int64_t)take_number(&unpacker);
	row.due = (int64_t)take_number(&unpacker);
	row.seq = take_number(&unpacker);
	row.fence = take_number(&unpacker);
	take_bytes(&unpacker, row.worker.bytes, ID_SIZE);
	row.order = take_number(&unpacker);
	row.turns = (int64_t)take_number(&unpacker);
	row.calls = (int64_t)take_number(&unpacker);
	row.calls_unknown = (int64_t)take_number(&unpacker);
	row.input_tokens = (int64_t)take_number(&unpacker);
	row.output_tokens = (int64_t)take_number(&unpacker);
	row.cache_read_tokens = (int64_t)take_number(&unpacker);
	row.cache_write_tokens = (int64_t)take_number(&unpacker);
	row.nano_usd = (int64_t)take_number(&unpacker);
	take_text(&unpacker, row.user, sizeof(row.user));
	take_text(&unpacker, row.queue, sizeof(row.queue));
	take_text(&unpacker, row.key, sizeof(row.key));
	if (format == 1)
		take_text(&unpacker, row.reason, sizeof(row.reason));
	else
		take_long_text(&unpacker, row.reason, sizeof(row.reason));
	take_text(&unpacker, row.title, sizeof(row.title));
	if (format >= 2)
		take_wait(&unpacker, &row);
	else if (row.state == TASK_WAITING)
		row_wait_older(&row);
	if (format >= 3)
		row.reserved_nano_usd = (int64_t)take_number(&unpacker);
	if (!take_whole(&unpacker) || row.state >= TASK_STATES ||
	    row.priority > 9)
		return fail_damaged(fail,
		    "task %s has a row that cannot be read", name);
	*ret_row = row;
	return 0;
}

size_t
pack_worker(const struct worker_row *worker, uint8_t bytes[WORKER_MAX])
{
	struct packer packer = { bytes };

	add_byte(&packer, FORMAT);
	add_number(&packer, (uint64_t)worker->until);
	add_number(&packer, (uint64_t)worker->pid);
	add_text(&packer, worker->boot, sizeof(worker->boot));
	add_text(&packer, worker->host, sizeof(worker->host));
	return (size_t)(packer.at - bytes);
}

int
unpack_worker(struct span value, struct worker_row *ret_worker,
    struct fail *fail)
{
	struct unpacker unpacker = take_start(value);
	struct worker_row worker = { .pid = 0 };

	worker.until = (int64_t)take_number(&unpacker);
	worker.pid = (int64_t)take_number(&unpacker);
	take_text(&unpacker, worker.boot, sizeof(worker.boot));
	take_text(&unpacker, worker.host, sizeof(worker.host));
	if (!take_whole(&unpacker))
		return fail_damaged(fail, "a worker's row cannot be read");
	*ret_worker = worker;
	return 0;
}

void
pack_counts(const struct counts *counts, uint8_t bytes[COUNTS_SIZE])
{
	struct packer packer;
	int i;

	packer.at = bytes;
	add_byte(&packer, FORMAT);
	for (i = 0; i < TASK_STATES; i++)
		add_number(&packer, (uint64_t)counts->state[i]);
	add_number(&packer, (uint64_t)counts->ready);
}

int
unpack_counts(struct span value, struct counts *ret_counts, struct fail *fail)
{
	struct unpacker unpacker = take_start(value);
	struct counts counts = { .ready = 0 };
	int i;

	for (i = 0; i < TASK_STATES; i++)
		counts.state[i] = (int64_t)take_number(&unpacker);
	counts.ready = (int64_t)take_number(&unpacker);
	if (!take_whole(&unpacker))
		return fail_damaged(fail, "a counter cannot be read");
	*ret_counts = counts;
	return 0;
}

int
unpack_number(struct span value, uint64_t *ret_number, struct fail *fail)
{
	struct unpacker unpacker = take_start(value);
	uint64_t number = take_number(&unpacker);

	if (!take_whole(&unpacker))
		return fail_damaged(fail, "a number cannot be read");
	*ret_number = number;
	return 0;
}
