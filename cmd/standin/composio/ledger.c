/* SPDX-License-Identifier: ISC */
/*
 * ledger: calls are told apart by the text of tool, user and arguments.
 */
#include "cmd/standin/composio/composio.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/json/json.h"

#define LINE_BYTES ((size_t)32 << 20)
#define FILE_BYTES ((size_t)1 << 30)

struct ledger {
	char *path;
	int descriptor;
	unsigned long long number;
	GHashTable *times; /* key -> count */
};

struct line {
	const char *tool, *user;
	const cJSON *arguments;
	bool read_only;
};

static char *
key_of(const char *tool, const char *user, const cJSON *arguments)
{
	char *text = json_text(arguments), *key;

	key = mem_print("%s\37%s\37%s", tool, user, text);
	free(text);
	return key;
}

static size_t
count_up(GHashTable *times, char *key)
{
	size_t count;

	count = GPOINTER_TO_SIZE(g_hash_table_lookup(times, key)) + 1;
	g_hash_table_replace(times, key, GSIZE_TO_POINTER(count));
	return count;
}

/* A line that was cut by a crash is dropped, so that the next one starts on a
 * line of its own. */
static int
drop_cut_line(struct ledger *ledger, const struct buf *text, struct fail *fail)
{
	const char *last = NULL;
	size_t whole;

	if (text->length == 0 || text->data[text->length - 1] == '\n')
		return 0;
	last = strrchr(text->data, '\n');
	whole = last == NULL ? 0 : (size_t)(last - text->data) + 1;
	if (ftruncate(ledger->descriptor, (off_t)whole) < 0)
		return fail_errno(fail, "cannot repair the ledger %s",
		    ledger->path);
	return 0;
}

/* Calls EACH for every whole line of the ledger's text. */
static int
each_line(const char *path, const struct buf *text,
    void (*each)(void *context, const struct line *line), void *context,
    struct fail *fail)
{
	const char *at = text->data, *end;
	struct line line;
	size_t number = 0;
	cJSON *json;

	while (at != NULL && (end = strchr(at, '\n')) != NULL) {
		json = json_parse(at, (size_t)(end - at), &json_limits_upstream,
		    fail);
		number++;
		line = (struct line){
			.tool = json_string(json, "tool"),
			.user = json_string(json, "user"),
			.arguments = json_item(json, "arguments"),
			.read_only = json_true(json, "read_only"),
		};
		if (line.tool == NULL || line.user == NULL ||
		    line.arguments == NULL) {
			cJSON_Delete(json);
			return fail_set(fail, FAIL_NEVER, "bad_ledger",
			    "%s: line %zu is not a ledger's", path, number);
		}
		each(context, &line);
		cJSON_Delete(json);
		at = end + 1;
	}
	return 0;
}

static void
take_line(void *context, const struct line *line)
{
	struct ledger *ledger = context;

	ledger->number++;
	count_up(ledger->times,
	    key_of(line->tool, line->user, line->arguments));
}

int
ledger_open(const char *path, struct ledger **ret_ledger, struct fail *fail)
{
	struct ledger *ledger = mem_alloc(sizeof(*ledger));
	struct buf text = BUF_INIT(FILE_BYTES);
	int result = -1;

	ledger->descriptor = -1;
	ledger->times = g_hash_table_new_full(g_str_hash, g_str_equal, free,
	    NULL);
	if (path != NULL) {
		ledger->path = mem_string(path);
		ledger->descriptor = open(path,
		    O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
		if (ledger->descriptor < 0) {
			fail_errno(fail, "cannot open the ledger %s", path);
			goto out;
		}
		if (file_read(path, &text, fail) < 0 ||
		    each_line(path, &text, take_line, ledger, fail) < 0 ||
		    drop_cut_line(ledger, &text, fail) < 0)
			goto out;
	}
	*ret_ledger = ledger;
	ledger = NULL;
	result = 0;
out:
	ledger_close(ledger);
	buf_release(&text);
	return result;
}

void
ledger_close(struct ledger *ledger)
{
	if (ledger == NULL)
		return;
	if (ledger->descriptor >= 0)
		close(ledger->descriptor);
	g_hash_table_destroy(ledger->times);
	free(ledger->path);
	free(ledger);
}

int
ledger_add(struct ledger *ledger, const char *tool, const char *user,
    const char *account, const cJSON *arguments, bool read_only,
    struct fail *fail)
{
	struct buf line = BUF_INIT(LINE_BYTES);
	size_t times;
	char *text;
	int result;

	times = count_up(ledger->times, key_of(tool, user, arguments));
	ledger->number++;
	if (ledger->descriptor < 0)
		return 0;
	text = json_text(arguments);
	buf_print(&line,
	    "{\"n\":%llu,\"tool\":\"%s\",\"user\":", ledger->number, tool);
	json_quote(&line, user, strlen(user));
	buf_add_string(&line, ",\"account\":");
	if (account == NULL)
		buf_add_string(&line, "null");
	else
		json_quote(&line, account, strlen(account));
	buf_print(&line, ",\"arguments\":%s,\"read_only\":%s,\"times\":%zu}\n",
	    text, read_only ? "true" : "false", times);
	free(text);
	result = file_write(ledger->descriptor, line.data, line.length,
	    ledger->path, fail);
	buf_release(&line);
	return result;
}

struct tally {
	char *tool;
	size_t calls, distinct;
	bool read_only;
};

struct summary {
	GHashTable *times;
	GPtrArray *tallies; /* in the order of their first calls */
};

static void
tally_line(void *context, const struct line *line)
{
	struct summary *summary = context;
	struct tally *tally = NULL;
	guint i;

	for (i = 0; i < summary->tallies->len; i++) {
		tally = g_ptr_array_index(summary->tallies, i);
		if (strcmp(tally->tool, line->tool) == 0)
			break;
	}
	if (i == summary->tallies->len) {
		tally = mem_alloc(sizeof(*tally));
		tally->tool = mem_string(line->tool);
		tally->read_only = line->read_only;
		g_ptr_array_add(summary->tallies, tally);
	}
	tally->calls++;
	if (count_up(summary->times,
		key_of(line->tool, line->user, line->arguments)) == 1)
		tally->distinct++;
}

static void
print_tally(const struct tally *tally, bool human, struct buf *buf)
{
	size_t repeated = tally->calls - tally->distinct;

	if (human)
		buf_print(buf,
		    "%-34s %zu calls, %zu distinct, %zu repeated%s\n",
		    tally->tool, tally->calls, tally->distinct, repeated,
		    tally->read_only ? " (read-only)" : "");
	else
		buf_print(buf,
		    "{\"tool\":\"%s\",\"calls\":%zu,"
		    "\"distinct\":%zu,\"repeated\":%zu,\"read_only\":%s}\n",
		    tally->tool, tally->calls, tally->distinct, repeated,
		    tally->read_only ? "true" : "false");
}

int
ledger_summary(const char *path, bool human, struct buf *buf, struct fail *fail)
{
	struct buf text = BUF_INIT(FILE_BYTES);
	struct summary summary;
	struct tally *tally;
	int result;
	guint i;

	if (file_read(path, &text, fail) < 0)
		return -1;
	summary.times = g_hash_table_new_full(g_str_hash, g_str_equal, free,
	    NULL);
	summary.tallies = g_ptr_array_new();
	result = each_line(path, &text, tally_line, &summary, fail);
	for (i = 0; i < summary.tallies->len; i++) {
		tally = g_ptr_array_index(summary.tallies, i);
		if (result == 0)
			print_tally(tally, human, buf);
		free(tally->tool);
		free(tally);
	}
	g_ptr_array_free(summary.tallies, TRUE);
	g_hash_table_destroy(summary.times);
	buf_release(&text);
	return result;
}
