/* SPDX-License-Identifier: ISC */
/*
 * What the prompt cache makes of the requests of a task: an entry is written at
 * each marker, and is found only by a marker at most 20 blocks behind it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/json/json.h"
#include "tests/unit/agent/agent_driver.h"

#define TURNS 50
#define LOOK_BACK 20
#define BLOCKS_MAX 4000
#define MARKERS_MAX 4
#define READ 0.05 /* of the price of a token */
#define WRITE 1.25

struct cache {
	bool entries[BLOCKS_MAX]; /* by the number of blocks before its end */
	int64_t before;           /* bytes of the last request */
	double cost, ideal;
};

struct request {
	int64_t bytes[BLOCKS_MAX]; /* up to the end of each block */
	size_t blocks, marks[MARKERS_MAX + 1], mark_count;
};

static void
add_block(struct request *request, const cJSON *block)
{
	char *text = json_text(block);
	int64_t before = request->blocks ? request->bytes[request->blocks - 1]
					 : 0;

	assert_true(request->blocks < BLOCKS_MAX);
	if (json_item(block, "cache_control")) {
		assert_true(request->mark_count < MARKERS_MAX);
		request->marks[request->mark_count++] = request->blocks;
	}
	request->bytes[request->blocks++] = before + (int64_t)strlen(text);
	free(text);
}

static void
read_request(const char *body, size_t length, struct request *request)
{
	struct fail fail;
	cJSON *json = json_parse(body, length, &json_limits_upstream, &fail);
	const cJSON *message, *block;

	*request = (struct request){ .blocks = 0 };
	cJSON_ArrayForEach (block, json_item(json, "system"))
		add_block(request, block);
	cJSON_ArrayForEach (message, json_item(json, "messages"))
		cJSON_ArrayForEach (block, json_item(message, "content"))
			add_block(request, block);
	assert_non_null(json_item(json, "cache_control"));
	assert_true(request->mark_count < MARKERS_MAX);
	request->marks[request->mark_count++] = request->blocks - 1;
	cJSON_Delete(json);
}

static void
use_cache(struct cache *cache, const struct request *request)
{
	int64_t all = request->bytes[request->blocks - 1], read = 0;
	size_t i, back, mark;

	for (i = 0; i < request->mark_count; i++) {
		mark = request->marks[i];
		for (back = 0; back < LOOK_BACK && back <= mark; back++)
			if (cache->entries[mark - back] &&
			    request->bytes[mark - back] > read)
				read = request->bytes[mark - back];
	}
	for (i = 0; i < request->mark_count; i++)
		cache->entries[request->marks[i]] = true;
	cache->cost += (double)read * READ + (double)(all - read) * WRITE;
	cache->ideal += (double)cache->before * READ +
	    (double)(all - cache->before) * WRITE;
	cache->before = all;
}

static void
record(struct driver *driver, enum event_type type, const struct buf *members)
{
	assert_int_equal(driver_record(driver, type, members->data), 0);
}

static void
take_turn(struct driver *driver, struct cache *cache, int turn, int calls)
{
	struct request *request = calloc(1, sizeof(*request));
	struct buf members = BUF_INIT(1 << 24);
	size_t length;
	char *body;
	int i;

	buf_print(&members, "\"turn\":%d,\"attempt\":1", turn);
	record(driver, EVENT_MODEL_STARTED, &members);
	body = agent_request(driver->agent, &length);
	read_request(body, length, request);
	use_cache(cache, request);
	free(body);
	free(request);
	buf_reset(&members);
	buf_print(&members,
	    "\"turn\":%d,\"content\":[{\"type\":\"thinking\",\"thinking\":"
	    "\"\",\"signature\":\"s\"},{\"type\":\"text\",\"text\":\"I go on.\"}",
	    turn);
	for (i = 0; i < calls; i++)
		buf_print(&members,
		    ",{\"type\":\"tool_use\",\"id\":\"t%d_%d\",\"name\":"
		    "\"GMAIL_FETCH\",\"input\":{}}",
		    turn, i);
	buf_add_string(&members,
	    "],\"stop_reason\":\"tool_use\",\"usage\":{},\"nano_usd\":0");
	record(driver, EVENT_MODEL_REPLIED, &members);
	for (i = 0; i < 2 * calls; i++) {
		buf_reset(&members);
		buf_print(&members, "\"call\":\"t%d_%d\",\"attempt\":1", turn,
		    i / 2);
		if (i % 2)
			buf_print(&members,
			    ",\"is_error\":false,\"block\":{\"type\":"
			    "\"tool_result\",\"tool_use_id\":\"t%d_%d\","
			    "\"content\":\"%0500d\"}",
			    turn, i / 2, i);
		else
			buf_add_string(&members, ",\"tool\":\"GMAIL_FETCH\"");
		record(driver, i % 2 ? EVENT_TOOL_FINISHED : EVENT_TOOL_STARTED,
		    &members);
	}
	buf_release(&members);
}

static void
test_wide_turns(void **state)
{
	static const int calls[] = { 1, 4, 9, 12, 25 };
	struct driver *driver;
	struct cache cache;
	size_t i;
	int turn;

	(void)state;
	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		driver = driver_open();
		cache = (struct cache){ .before = 0 };
		assert_int_equal(driver_record(driver, EVENT_SUBMITTED,
				     "\"task\":{\"user\":\"ann\",\"goal\":"
				     "\"Look.\",\"toolkits\":[\"gmail\"],"
				     "\"tools\":[],\"model\":"
				     "\"claude-opus-5-5\",\"max_tokens\":32000,"
				     "\"queue\":\"default\",\"priority\":5,"
				     "\"budget\":{\"turns\":200}}"),
		    0);
		assert_int_equal(driver_record(driver, EVENT_PINNED,
				     "\"request\":{\"model\":\"m\","
				     "\"cache_control\":{\"type\":"
				     "\"ephemeral\"},\"system\":[{\"type\":"
				     "\"text\",\"text\":\"You work.\","
				     "\"cache_control\":{\"type\":"
				     "\"ephemeral\"}}],\"tools\":[]},"
				     "\"tools\":[{\"name\":\"GMAIL_FETCH\","
				     "\"slug\":\"GMAIL_FETCH\",\"toolkit\":"
				     "\"gmail\",\"version\":\"1\","
				     "\"repeatable\":true,\"on_unknown\":"
				     "\"tell\"}]"),
		    0);
		assert_int_equal(driver_record(driver, EVENT_STARTED,
				     "\"worker\":\"w\",\"fence\":1"),
		    0);
		for (turn = 1; turn <= TURNS; turn++)
			take_turn(driver, &cache, turn, calls[i]);
		assert_null(driver->fault);
		print_message("# %d calls a turn: %.2f times the ideal\n",
		    calls[i], cache.cost / cache.ideal);
		assert_true(cache.cost < 1.2 * cache.ideal);
		driver_close(driver);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wide_turns),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
