/* SPDX-License-Identifier: ISC */
/* Replies of the Messages API put together, and attempts that fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/agent/agent.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/provider/claude_internal.h"
#include "tests/unit/net/server.h"

#define EVENT(data) "event: x\ndata: " data "\n\n"
/* The events of the cases below are written without their frame: each line
 * is the data of one event, named by its own type. */
#define START \
	"{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\"," \
	"\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m-1\"," \
	"\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":10," \
	"\"cache_creation_input_tokens\":30,\"cache_read_input_tokens\":5," \
	"\"cache_creation\":{\"ephemeral_5m_input_tokens\":10," \
	"\"ephemeral_1h_input_tokens\":20},\"output_tokens\":1}}}\n"
#define END(reason) \
	"{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":" reason \
	"},\"usage\":{\"output_tokens\":7}}\n" \
	"{\"type\":\"message_stop\"}\n"
#define BLOCK(n, block) \
	"{\"type\":\"content_block_start\",\"index\":" #n \
	",\"content_block\":" block "}\n"
#define DELTA(n, delta) \
	"{\"type\":\"content_block_delta\",\"index\":" #n ",\"delta\":" delta \
	"}\n"
#define STOP(n) "{\"type\":\"content_block_stop\",\"index\":" #n "}\n"
#define TEXT(n, text) \
	BLOCK(n, "{\"type\":\"text\",\"text\":\"\"}") \
	DELTA(n, "{\"type\":\"text_delta\",\"text\":\"" text "\"}") STOP(n)
#define INPUT(json) \
	DELTA(0, \
	    "{\"type\":\"input_json_delta\"," \
	    "\"partial_json\":" json "}")
#define TOOL \
	BLOCK(0, \
	    "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"n\"," \
	    "\"input\":{}}")
#define USE(n, id, name) \
	BLOCK(n, \
	    "{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\"," \
	    "\"input\":{}}") \
	STOP(n)
#define CALL(id, name, input) \
	"{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name \
	"\",\"input\":" input "}"
#define PING "{\"type\":\"ping\"}\n"

static void
frame(struct buf *stream, const char *lines, const char *newline)
{
	const char *end, *type;

	for (; *lines != '\0'; lines = end + 1) {
		end = strchr(lines, '\n');
		type = strstr(lines, "\"type\":\"") + 8;
		buf_print(stream, "event: %.*s%sdata: %.*s%s%s",
		    (int)(strchr(type, '"') - type), type, newline,
		    (int)(end - lines), lines, newline, newline);
	}
}

static const struct {
	const char *name, *events;
	const char *content; /* when complete */
	const char *stop;    /* when complete, else the type of the error */
	const char *text;    /* the decoded text */
	const char *broken;  /* why calls are not run; NULL: "" */
} replies[] = {
	{ "text", START TEXT(0, "Hi") END("\"end_turn\""),
	    "[{\"type\":\"text\",\"text\":\"Hi\"}]", "end_turn", "Hi" },
	{ "nothing", START END("\"end_turn\""), "[]", "end_turn", "" },
	{ "no stop reason", START END("null"), "[]", "", "" },
	{ "escapes stay, order and unknown members too",
	    START BLOCK(0,
		"{\"zeta\":1.0, \"text\":\"a\", \"type\":\"text\","
		"\"x\":{\"n\":9007199254740993}}") DELTA(0,
		"{\"type\":\"text_delta\",\"text\":\"\\u00e9\\\"\"}")
		DELTA(0, "{\"type\":\"text_delta\",\"text\":\"\xc3\xa9\\n\"}")
		    STOP(0) END("\"end_turn\""),
	    "[{\"zeta\":1.0, \"text\":\"a\\u00e9\\\"\xc3\xa9\\n\", "
	    "\"type\":\"text\",\"x\":{\"n\":9007199254740993}}]",
	    "end_turn", "a\xc3\xa9\"\xc3\xa9\n" },
	{ "a pair of surrogates in two pieces",
	    START BLOCK(0, "{\"type\":\"text\",\"text\":\"\"}")
		DELTA(0, "{\"type\":\"text_delta\",\"text\":\"\\ud83d\"}")
		    DELTA(0, "{\"type\":\"text_delta\",\"text\":\"\\ude00\"}")
			STOP(0) END("\"end_turn\""),
	    "[{\"type\":\"text\",\"text\":\"\\ud83d\\ude00\"}]", "end_turn",
	    "\xef\xbf\xbd\xef\xbf\xbd" },
	{ "half a pair", START TEXT(0, "\\ud83d.") END("\"end_turn\""),
	    "[{\"type\":\"text\",\"text\":\"\\ufffd.\"}]", "end_turn",
	    "\xef\xbf\xbd." },
	{ "thinking",
	    START BLOCK(0,
		"{\"type\":\"thinking\",\"thinking\":\"\","
		"\"signature\":\"\"}") DELTA(0,
		"{\"type\":\"thinking_delta\",\"thinking\":\"a\"}") PING DELTA(0,
		"{\"type\":\"thinking_delta\",\"thinking\":\"b\"}") DELTA(0,
		"{\"type\":\"signature_delta\",\"signature\":\"one\"}") DELTA(0,
		"{\"type\":\"signature_delta\",\"signature\":\"two\"}") STOP(0)
		BLOCK(1,
		    "{\"type\":\"thinking\",\"thinking\":\"\","
		    "\"signature\":\"\"}") DELTA(1,
		    "{\"type\":\"signature_delta\",\"signature\":\"s\"}")
		    STOP(1) BLOCK(2,
			"{\"type\":\"redacted_thinking\",\"data\":\"x+/=\"}")
			STOP(2) END("\"end_turn\""),
	    "[{\"type\":\"thinking\",\"thinking\":\"ab\",\"signature\":"
	    "\"two\"},{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":"
	    "\"s\"},{\"type\":\"redacted_thinking\",\"data\":\"x+/=\"}]",
	    "end_turn", "" },
	{ "what is not known",
	    START PING "{\"type\":\"news\",\"of\":\"tomorrow\"}\n" BLOCK(0,
		"{\"type\":\"hologram\",\"data\":[1,{\"b\":2}]}")
		PING DELTA(0, "{\"type\":\"hologram_delta\",\"more\":1}")
		    STOP(0) END("\"end_turn\""),
	    "[{\"type\":\"hologram\",\"data\":[1,{\"b\":2}]}]", "end_turn",
	    "" },
	{ "a tool call",
	    START BLOCK(0,
		"{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"n\","
		"\"input\":{},\"caller\":{\"type\":\"direct\"}}") INPUT("\"\"")
		INPUT("\"{\\\"b\\\": 1.0, \\\"a\\\":\"")
		    INPUT("\"\\\"\\\\ud83d\\\\ude00\\\"\\n}\"") STOP(0)
			END("\"tool_use\""),
	    "[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"n\",\"input\":"
	    "{\"b\": 1.0, \"a\":\"\\ud83d\\ude00\" },"
	    "\"caller\":{\"type\":\"direct\"}}]",
	    "tool_use", "" },
	{ "an empty input",
	    START TOOL INPUT("\"\"") STOP(0) END("\"tool_use\""),
	    "[{\"type\":\"tool_use\",\"id\":\"t\","
	    "\"name\":\"n\",\"input\":{}}]",
	    "tool_use", "" },
	{ "no input at all", START TOOL STOP(0) END("\"tool_use\""),
	    "[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"n\","
	    "\"input\":{}}]",
	    "tool_use", "" },
	{ "an input with a zero",
	    START TOOL INPUT("\"{\\\"a\\\":\\\"\\\\u0000"
			     "\\\"}\"") STOP(0) END("\"tool_use\""),
	    "[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"n\","
	    "\"input\":{\"a\":\"\\ufffd\"}}]",
	    "tool_use", "" },
	{ "an input cut at the limit",
	    START TOOL INPUT("\"{\\\"a\\\":\"") STOP(0) END("\"max_tokens\""),
	    "[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"n\","
	    "\"input\":{}}]",
	    "max_tokens", "" },
	{ "a broken input",
	    START TOOL INPUT("\"{\\\"a\\\":\"") STOP(0) END("\"tool_use\""),
	    "[" CALL("t", "n", "{}") "]", "tool_use", "",
	    "{\"t\":\"Not run: the input of the call could not be read ("
	    "invalid JSON at byte 5 (line 1): an array or object does not "
	    "end). Call again with the whole input as one JSON object.\"}" },
	{ "an input that is no object",
	    START TOOL INPUT("\"[1]\"") STOP(0) END("\"tool_use\""),
	    "[" CALL("t", "n", "{}") "]", "tool_use", "",
	    "{\"t\":\"Not run: the input of the call could not be read (it "
	    "is not a JSON object). Call again with the whole input as one "
	    "JSON object.\"}" },
	{ "names that are there twice: the last counts",
	    START TOOL INPUT("\"{\\\"a\\\":1.0,\\\"b\\\":[{\\\"c\\\":1,"
			     "\\\"c\\\":2}],\\\"\\\\u0061\\\":9007199254740993}"
			     "\"") STOP(0) END("\"tool_use\""),
	    "[" CALL("t", "n",
		"{\"b\":[{\"c\":2}],\"\\u0061\":9007199254740993}") "]",
	    "tool_use", "" },
	{ "a cut input whose block does not end",
	    START TEXT(0, "Hi") BLOCK(1,
		"{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"n\","
		"\"input\":{}}") DELTA(1,
		"{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\"}")
		END("\"max_tokens\""),
	    "[{\"type\":\"text\",\"text\":\"Hi\"}," CALL("t", "n", "{}") "]",
	    "max_tokens", "Hi" },
	{ "cut thinking",
	    START TEXT(0, "Hi") BLOCK(1,
		"{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}")
		DELTA(1, "{\"type\":\"thinking_delta\",\"thinking\":\"a\"}")
		    END("\"max_tokens\""),
	    "[{\"type\":\"text\",\"text\":\"Hi\"}]", "max_tokens", "Hi" },
	{ "blank text",
	    START TEXT(0, "") TEXT(1, " \\n\\u00a0\\u200b\\u3000") TEXT(2, "Hi")
		END("\"end_turn\""),
	    "[{\"type\":\"text\",\"text\":\"Hi\"}]", "end_turn",
	    " \n\xc2\xa0\xe2\x80\x8b\xe3\x80\x80Hi" },
	{ "nothing but blank text", START TEXT(0, "\\n") END("\"end_turn\""),
	    "[]", "end_turn", "\n" },
	{ "ids and names that cannot be sent back",
	    START USE(1, "", "n") USE(2, "t", "n") USE(3, "t", "n")
		USE(4, "old", "n") USE(5, "a:b", "rm -rf \\u00e9")
		    USE(6, "u", "") END("\"tool_use\""),
	    "[" CALL("made_up_7_1", "n", "{}") "," CALL("t", "n",
		"{}") "," CALL("made_up_7_2", "n", "{}") "," CALL("made_up_7_3",
		"n", "{}") "," CALL("made_up_7_4", "rm_-rf___",
		"{}") "," CALL("u", "_", "{}") "]",
	    "tool_use", "",
	    "{\"made_up_7_1\":\"Not run: the call came without an id. Call "
	    "again.\",\"made_up_7_2\":\"Not run: the call came with the id of "
	    "another call of the same reply. Call again if it is wanted.\","
	    "\"made_up_7_4\":\"Not run: \\\"rm -rf \xc3\xa9\\\" is not the "
	    "name of a tool: names have 1 to 128 letters, digits, _ and -. "
	    "Call one of the tools that you were given, by its name.\","
	    "\"u\":\"Not run: \\\"\\\" is not the name of a tool: names "
	    "have 1 to 128 letters, digits, _ and -. Call one of the tools "
	    "that you were given, by its name.\"}" },
	{ "a call without an id",
	    START BLOCK(0,
		"{\"type\":\"tool_use\",\"name\":\"n\",\"input\":{}}") STOP(0)
		END("\"tool_use\""),
	    NULL, "invalid_stream", "" },
	{ "citations",
	    START BLOCK(0,
		"{\"type\":\"text\",\"text\":\"\",\"citations\":[]}") DELTA(0,
		"{\"type\":\"citations_delta\",\"citation\":{\"n\":1}}")
		DELTA(0, "{\"type\":\"text_delta\",\"text\":\"a\"}") DELTA(0,
		    "{\"type\":\"citations_delta\",\"citation\":{\"n\":2}}")
		    STOP(0) END("\"end_turn\""),
	    "[{\"type\":\"text\",\"text\":\"a\",\"citations\":"
	    "[{\"n\":1},{\"n\":2}]}]",
	    "end_turn", "a" },
	{ "citations where there were null",
	    START BLOCK(0,
		"{\"type\":\"text\",\"text\":\"\",\"citations\":null}") DELTA(0,
		"{\"type\":\"citations_delta\",\"citation\":{\"n\":1}}")
		DELTA(0, "{\"type\":\"text_delta\",\"text\":\"a\"}") STOP(0)
		    END("\"end_turn\""),
	    "[{\"type\":\"text\",\"text\":\"a\",\"citations\":[{\"n\":1}]}]",
	    "end_turn", "a" },
	{ "two blocks open at once",
	    START BLOCK(0, "{\"type\":\"text\",\"text\":\"\"}")
		BLOCK(1, "{\"type\":\"text\",\"text\":\"\"}")
		    DELTA(1, "{\"type\":\"text_delta\",\"text\":\"b\"}")
			DELTA(0, "{\"type\":\"text_delta\",\"text\":\"a\"}")
			    STOP(1) STOP(0) END("\"end_turn\""),
	    "[{\"type\":\"text\",\"text\":\"a\"},"
	    "{\"type\":\"text\",\"text\":\"b\"}]",
	    "end_turn", "ba" },
	{ "more after the end",
	    START END(
		"\"end_turn\"") "{\"type\":\"error\""
				",\"error\":{\"type\":\"api_error\",\"message\":\"late\"}}\n",
	    "[]", "end_turn", "" },
	{ "nothing came", "", NULL, "cut_short", "" },
	{ "no message_stop", START TEXT(0, "Hi"), NULL, "cut_short", "Hi" },
	{ "an open block",
	    START BLOCK(0, "{\"type\":\"text\",\"text\":\"\"}")
		END("\"end_turn\""),
	    NULL, "invalid_stream", "" },
	{ "no start", TEXT(0, "Hi"), NULL, "invalid_stream", "" },
	{ "two starts of one message",
	    START START TEXT(0, "Hi") END("\"end_turn\""),
	    "[{\"type\":\"text\",\"text\":\"Hi\"}]", "end_turn", "Hi" },
	{ "a start in the middle", START TEXT(0, "Hi") START, NULL,
	    "invalid_stream", "Hi" },
	{ "a start of another message",
	    START "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_2\"}}"
		  "\n",
	    NULL, "invalid_stream", "" },
	{ "an index is only a name", START TEXT(1, "Hi") END("\"end_turn\""),
	    "[{\"type\":\"text\",\"text\":\"Hi\"}]", "end_turn", "Hi" },
	{ "an index of an open block",
	    START BLOCK(0, "{\"type\":\"text\",\"text\":\"\"}")
		BLOCK(0, "{\"type\":\"text\",\"text\":\"\"}"),
	    NULL, "invalid_stream", "" },
	{ "closed twice", START TEXT(0, "Hi") STOP(0), NULL, "invalid_stream",
	    "Hi" },
	{ "not JSON", START "{\"type\":\"message_delta\",\n", NULL,
	    "invalid_stream", "" },
	{ "a delta without its text",
	    START BLOCK(0, "{\"type\":\"text\",\"text\":\"\"}")
		DELTA(0, "{\"type\":\"text_delta\"}"),
	    NULL, "invalid_stream", "" },
	{ "an error",
	    START TEXT(0,
		"Hi") "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
		      "\"message\":\"Overloaded\"}}\n",
	    NULL, "overloaded_error", "Hi" },
};

static void
take_text(void *context, const char *bytes, size_t length)
{
	buf_add(context, bytes, length);
}

static void
check_reply(size_t i, const char *stream, size_t length, size_t step)
{
	struct buf text = BUF_INIT(1 << 20);
	struct claude_stream *reply = claude_stream_new(take_text, &text);
	struct claude_reply turn;
	bool complete = replies[i].content != NULL;
	const char *broken = replies[i].broken;
	const uint64_t old = agent_id_hash("old");
	size_t at, size;

	claude_stream_judge_by(reply, 7, &old, 1);

	buf_add_string(&text, "");
	for (at = 0; at < length; at += size) {
		size = length - at < step ? length - at : step;
		if (!claude_stream_feed(reply, stream + at, size))
			break;
	}
	claude_stream_end(reply, &turn);
	if (turn.ok != complete ||
	    strcmp(complete ? turn.stop_reason : turn.error_type,
		replies[i].stop) != 0)
		fail_msg("%s: %s %s %s", replies[i].name, turn.stop_reason,
		    turn.error_type, turn.error_message);
	if (complete) {
		assert_string_equal(turn.content, replies[i].content);
		assert_int_equal(turn.content_length, strlen(turn.content));
		assert_string_equal(turn.broken, broken != NULL ? broken : "");
		assert_string_equal(turn.message_id, "msg_1");
		assert_string_equal(turn.model, "m-1");
		assert_int_equal(turn.usage.input, 10);
		assert_int_equal(turn.usage.output, 7);
		assert_int_equal(turn.usage.cache_read, 5);
		assert_int_equal(turn.usage.cache_write_5m, 10);
		assert_int_equal(turn.usage.cache_write_1h, 20);
	}
	assert_string_equal(text.data != NULL ? text.data : "",
	    replies[i].text);
	claude_stream_free(reply);
	buf_release(&text);
}

static void
test_replies(void **state)
{
	static const size_t steps[] = { 1, 2, 3, 7, 64, 1 << 20 };
	struct buf stream = BUF_INIT(1 << 20);
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		for (j = 0; j < sizeof(steps) / sizeof(steps[0]); j++) {
			buf_reset(&stream);
			frame(&stream, replies[i].events,
			    j % 2 ? "\n" : "\r\n");
			check_reply(i, stream.data, stream.length, steps[j]);
		}
	}
	buf_release(&stream);
}

static void
end_of(const char *events, struct claude_stream **ret_reply,
    struct claude_reply *ret)
{
	struct buf stream = BUF_INIT(64u << 20);

	frame(&stream, events, "\n");
	*ret_reply = claude_stream_new(NULL, NULL);
	(void)claude_stream_feed(*ret_reply, stream.data, stream.length);
	claude_stream_end(*ret_reply, ret);
	buf_release(&stream);
}

/* What gateways send instead of a stream. */
static void
test_whole(void **state)
{
	static const struct {
		const char *body, *content, *error, *message;
	} cases[] = {
		{ "\xef\xbb\xbf \n{\"id\":\"msg_1\",\"type\":\"message\","
		  "\"model\":\"m-1\",\"content\":[{\"type\":\"text\",\"text\""
		  ":\"Hi\"},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":"
		  "\"n\",\"input\":{\"a\":1.0}}],\"stop_reason\":\"tool_use\","
		  "\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}",
		    "[{\"type\":\"text\",\"text\":\"Hi\"}," CALL("t", "n",
			"{\"a\":1.0}") "]",
		    "", "" },
		{ "{\"type\":\"error\",\"error\":{\"type\":"
		  "\"overloaded_error\",\"message\":\"too much\"}}",
		    NULL, "overloaded_error", "too much" },
		{ "{\"error\":\"no credit\"}", NULL, "api_error", "no credit" },
		{ "{\"type\":\"message\",\"content\":[1]}", NULL,
		    "invalid_stream", "a block that is not valid" },
		{ "{\"type\":\"message\",", NULL, "invalid_stream",
		    "invalid JSON at byte 18 (line 1): an array or object "
		    "does not end" },
		{ "{\"hello\":1}", NULL, "cut_short",
		    "the reply ended before its end" },
	};
	struct claude_stream *reply;
	struct claude_reply turn;
	size_t i, at, length, step;

	(void)state;
	for (i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		reply = claude_stream_new(NULL, NULL);
		length = strlen(cases[i / 2].body);
		step = i % 2 ? 1 : length;
		for (at = 0; at < length; at += step)
			assert_true(claude_stream_feed(reply,
			    cases[i / 2].body + at, step));
		claude_stream_end(reply, &turn);
		assert_string_equal(turn.error_type, cases[i / 2].error);
		if (cases[i / 2].content == NULL) {
			assert_string_equal(turn.error_message,
			    cases[i / 2].message);
		} else {
			assert_true(turn.ok);
			assert_string_equal(turn.content, cases[i / 2].content);
			assert_string_equal(turn.stop_reason, "tool_use");
			assert_int_equal(turn.usage.output, 4);
		}
		claude_stream_free(reply);
	}
}

static void
test_usage(void **state)
{
	static const struct {
		const char *usage;
		struct claude_usage sum;
	} cases[] = {
		{ "{\"output_tokens\":9,\"input_tokens\":null}",
		    { 10, 9, 5, 10, 20 } },
		{ "{\"input_tokens\":11,\"cache_creation_input_tokens\":50,"
		  "\"output_tokens\":9}",
		    { 11, 9, 5, 30, 20 } },
		{ "{\"cache_creation_input_tokens\":8,\"output_tokens\":-4}",
		    { 10, 1, 5, 0, 8 } },
		{ "{\"output_tokens\":0,\"input_tokens\":0,\"iterations\":["
		  "{\"input_tokens\":100,\"output_tokens\":10},"
		  "{\"input_tokens\":1,\"output_tokens\":2,"
		  "\"cache_creation_input_tokens\":4,"
		  "\"cache_read_input_tokens\":3}]}",
		    { 101, 12, 3, 4, 0 } },
	};
	struct claude_stream *reply;
	struct claude_reply turn;
	char *events;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		events = mem_print(START
		    "{\"type\":\"message_delta\","
		    "\"delta\":{\"stop_reason\":\"refusal\",\"stop_details\":"
		    "{\"category\": null}},\"usage\":%s}\n"
		    "{\"type\":\"message_stop\"}\n",
		    cases[i].usage);
		end_of(events, &reply, &turn);
		assert_true(turn.ok);
		assert_string_equal(turn.stop_details, "{\"category\": null}");
		assert_memory_equal(&turn.usage, &cases[i].sum,
		    sizeof(turn.usage));
		claude_stream_free(reply);
		free(events);
	}
}

/* A tool input of 10 MB in pieces of 1 KB, and one that is too long. */
static void
test_large(void **state)
{
	struct buf stream = BUF_INIT(64u << 20), line = BUF_INIT(8192);
	struct claude_stream *reply = claude_stream_new(NULL, NULL);
	struct claude_reply turn;
	char piece[1025];
	bool fine = true;
	int i;

	(void)state;
	memset(piece, 'x', 1024);
	piece[1024] = '\0';
	buf_print(&line, INPUT("\"%s\""), piece);
	frame(&stream, START TOOL INPUT("\"{\\\"a\\\":\\\"\""), "\n");
	assert_true(claude_stream_feed(reply, stream.data, stream.length));
	buf_reset(&stream);
	frame(&stream, line.data, "\n");
	for (i = 0; i < 10240; i++)
		assert_true(
		    claude_stream_feed(reply, stream.data, stream.length));
	buf_reset(&stream);
	frame(&stream, INPUT("\"\\\"}\"") STOP(0) END("\"tool_use\""), "\n");
	assert_true(claude_stream_feed(reply, stream.data, stream.length));
	claude_stream_end(reply, &turn);
	assert_true(turn.ok);
	assert_true(turn.content_length > 10u << 20);
	claude_stream_free(reply);

	reply = claude_stream_new(NULL, NULL);
	buf_reset(&stream);
	frame(&stream, START TOOL, "\n");
	assert_true(claude_stream_feed(reply, stream.data, stream.length));
	buf_reset(&stream);
	frame(&stream, line.data, "\n");
	for (i = 0; i < 40000 && fine; i++)
		fine = claude_stream_feed(reply, stream.data, stream.length);
	assert_false(fine);
	claude_stream_end(reply, &turn);
	assert_string_equal(turn.error_type, "reply_too_large");
	claude_stream_free(reply);
	buf_release(&stream);
	buf_release(&line);
}

static void
test_cost(void **state)
{
	struct price price = { .input = 4000,
		.output = 20000,
		.cache_read = 200,
		.cache_write_5m = 5000,
		.cache_write_1h = 8000 };
	struct claude_usage usage = { .input = 1,
		.output = 2,
		.cache_read = 3,
		.cache_write_5m = 4,
		.cache_write_1h = 5 };
	struct claude_usage huge = { .input = INT64_MAX / 2 };

	(void)state;
	assert_int_equal(claude_cost(&usage, &price),
	    4000 + 40000 + 600 + 20000 + 40000);
	assert_int_equal(claude_cost(&usage, NULL), 0);
	assert_true(claude_cost(&huge, &price) == INT64_MAX);
}

/* ---- over the wire ---- */

static struct loop *loop;
static struct http *http;
static struct claude *claude;

struct seen {
	int calls;
	struct claude_reply reply;
	char type[64], message[300], code[64], id[64], content[256];
};

static void
on_reply(void *context, const struct claude_reply *reply)
{
	struct seen *seen = context;

	seen->calls++;
	seen->reply = *reply;
	snprintf(seen->type, sizeof(seen->type), "%s", reply->error_type);
	snprintf(seen->message, sizeof(seen->message), "%s",
	    reply->error_message);
	snprintf(seen->code, sizeof(seen->code), "%s", reply->error_code);
	snprintf(seen->id, sizeof(seen->id), "%s", reply->request_id);
	snprintf(seen->content, sizeof(seen->content), "%s", reply->content);
}

static const struct wire_case {
	const char *status, *headers, *body; /* NULL status: the bare body */
	const char *type, *code, *message;   /* of the error */
	bool retryable;
	int64_t delay_from, delay_to;
	enum wait_kind wait;
} wire_cases[] = {
	{ "400 Bad", "request-id: req_1\r\n",
	    "{\"type\":\"error\",\"error\":{\"type\":"
	    "\"invalid_request_error\",\"message\":\"no\"}}",
	    "invalid_request_error", "", "no", false, 0, 0 },
	{ "400 Bad", "x-should-retry: true\r\nrequest-id: req_1\r\n",
	    "{\"type\":\"error\",\"error\":{\"type\":"
	    "\"invalid_request_error\",\"message\":\"no\"}}",
	    "invalid_request_error", "", "no", true, 375, 500 },
	{ "401 No", "",
	    "{\"error\":{\"type\":\"authentication_error\","
	    "\"message\":\"key\"},\"request_id\":\"req_1\"}",
	    "authentication_error", "", "key", false, 60000, 75000, WAIT_KEY },
	/* the key is quoted */
	{ "401 No", "request-id: req_1\r\n",
	    "{\"error\":{\"type\":\"authentication_error\","
	    "\"message\":\"invalid Bearer sk-secret\\/4711!\"}}",
	    "authentication_error", "", "invalid Bearer [secret]!", false,
	    60000, 75000, WAIT_KEY },
	{ "400 Bad", "request-id: req_1\r\n",
	    "{\"error\":{\"type\":\"sk-secret/4711\",\"message\":\"m\","
	    "\"details\":{\"error_code\":\"sk-secret/4711\"}}}",
	    "[secret]", "[secret]", "m", false, 0, 0 },
	{ "502 Bad", "request-id: req_1\r\n",
	    "<html>authorization: Bearer sk-secret/4711</html>", "http_error",
	    "", "HTTP status 502: authorization: Bearer [secret]", true, 375,
	    500 },
	{ "200 OK", "request-id: req_1\r\n",
	    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
	    "\"invalid_request_error\",\"message\":"
	    "\"no sk-secret\\u002f4711\"}}\n\n",
	    "invalid_request_error", "", "no [secret]", false, 0, 0 },
	{ "200 OK", "request-id: req_1\r\n",
	    "{\"error\":{\"type\":\"invalid_request_error\","
	    "\"message\":\"sk-secret/4711\"}}",
	    "invalid_request_error", "", "[secret]", false, 0, 0 },
	{ "402 Pay", "request-id: req_1\r\n",
	    "{\"error\":{\"type\":\"billing_error\",\"message\":\"b\"}}",
	    "billing_error", "", "b", false, 60000, 75000, WAIT_CREDIT },
	{ "400 Bad", "request-id: req_1\r\n",
	    "{\"error\":{\"type\":\"invalid_request_error\",\"message\":"
	    "\"Your credit balance is too low to access the API\"}}",
	    "invalid_request_error", "",
	    "Your credit balance is too low to access the API", false, 60000,
	    75000, WAIT_CREDIT },
	{ "403 No", "request-id: req_1\r\n",
	    "{\"error\":{\"type\":\"permission_error\",\"message\":\"p\"}}",
	    "permission_error", "", "p", false, 60000, 75000, WAIT_KEY },
	{ "404 No", "request-id: req_1\r\n",
	    "{\"error\":{\"type\":\"not_found_error\",\"message\":"
	    "\"model: no\"}}",
	    "not_found_error", "", "model: no", false, 0, 0, WAIT_KEY },
	{ "307 There", "request-id: req_1\r\n", "", "http_error", "",
	    "HTTP status 307", false, 0, 0, WAIT_KEY },
	{ "503 Busy", "request-id: req_1\r\n", "", "http_error", "",
	    "HTTP status 503", false, 375, 625, WAIT_RATE_LIMIT },
	{ "500 No", "x-should-retry: false\r\nrequest-id: req_1\r\n", "",
	    "http_error", "", "HTTP status 500", false, 0, 0, WAIT_OUTAGE },
	{ "413 Large", "request-id: req_1\r\n",
	    "<html>\n<h1>413 Too Large</h1>\n</html>", "http_error", "",
	    "HTTP status 413: 413 Too Large", false, 0, 0 },
	{ "502 Bad", "request-id: req_1\r\n", "", "http_error", "",
	    "HTTP status 502", true, 375, 500 },
	{ "529 Busy", "retry-after: 2\r\nrequest-id: req_1\r\n",
	    "{\"error\":{\"type\":\"overloaded_error\",\"message\":\"o\"}}",
	    "overloaded_error", "", "o", false, 2000, 2750, WAIT_RATE_LIMIT },
	{ "529 Busy",
	    "retry-after: 3600\r\nretry-after: 2\r\nretry-after: 9\r\n"
	    "request-id: req_1\r\n",
	    "{}", "http_error", "", "HTTP status 529: {}", false, 2000, 2750,
	    WAIT_RATE_LIMIT },
	{ "529 Busy",
	    "retry-after: 9\r\nretry-after-ms: 1500\r\n"
	    "request-id: req_1\r\n",
	    "{}", "http_error", "", "HTTP status 529: {}", false, 1500, 2063,
	    WAIT_RATE_LIMIT },
	{ "529 Busy", "x-should-retry: false\r\nrequest-id: req_1\r\n",
	    "{\"error\":{\"type\":\"overloaded_error\",\"message\":\"o\"}}",
	    "overloaded_error", "", "o", false, 375, 625, WAIT_RATE_LIMIT },
	{ "429 Slow", "retry-after: 1\r\nrequest-id: req_1\r\n",
	    "{\"error\":{\"type\":\"rate_limit_error\",\"message\":\"r\"}}",
	    "rate_limit_error", "", "r", false, 1000, 1375, WAIT_RATE_LIMIT },
	{ "429 Slow", "request-id: req_1\r\n",
	    "{\"error\":{\"type\":\"rate_limit_error\",\"message\":\"r\","
	    "\"details\":{\"error_code\":\"enforced_spend_limit_reached\"}}}",
	    "rate_limit_error", "enforced_spend_limit_reached", "r", false,
	    60000, 75000, WAIT_CREDIT },
	{ "200 OK", "request-id: req_1\r\n",
	    EVENT(
		"{\"type\":\"message_start\",\"message\":{}}") "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
							       "\"overloaded_error\",\"message\":\"o\"}}\n\n",
	    "overloaded_error", "", "o", false, 375, 500, WAIT_RATE_LIMIT },
	{ "200 OK", "request-id: req_1\r\n",
	    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
	    "\"invalid_request_error\",\"message\":\"i\"}}\n\n",
	    "invalid_request_error", "", "i", false, 0, 0 },
	{ "200 OK", "request-id: req_1\r\n",
	    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
	    "\"invalid_request_error\",\"message\":\"credit balance\"}}\n\n",
	    "invalid_request_error", "", "credit balance", false, 0, 0,
	    WAIT_CREDIT },
	{ "200 OK", "request-id: req_1\r\n", "<html>hello</html>", "cut_short",
	    "", "the reply ended before its end", true, 375, 500 },
	{ NULL, "",
	    "HTTP/1.1 200 OK\r\nrequest-id: req_1\r\n"
	    "content-length: 99\r\n\r\nevent: ping\n",
	    "connection_error", "", NULL, true, 375, 500 },
	{ NULL, "",
	    "HTTP/1.1 529 Busy\r\nrequest-id: req_1\r\n"
	    "content-length: 99\r\n\r\n{",
	    "http_error", "", "HTTP status 529: {", false, 375, 625,
	    WAIT_RATE_LIMIT },
};
static const struct wire_case *wire_case;

static void
serve_case(struct server *server, int fd, int connection)
{
	(void)connection;
	if (!server_read(server, fd))
		return;
	if (wire_case->status != NULL)
		server_answer(fd, wire_case->status, wire_case->headers,
		    wire_case->body);
	else
		server_say(fd, wire_case->body);
}

static void
serve_reply(struct server *server, int fd, int connection)
{
	static const char lines[] = START TEXT(0, "Hi") END("\"end_turn\"");
	struct buf stream = BUF_INIT(1 << 20);
	size_t i;

	(void)connection;
	frame(&stream, lines, "\n");
	if (server_read(server, fd)) {
		server_say(fd,
		    "HTTP/1.1 200 OK\r\ncontent-type: "
		    "text/event-stream\r\nrequest-id: req_2\r\n\r\n");
		for (i = 0; i < stream.length; i++)
			server_send(fd, stream.data + i, 1);
	}
	buf_release(&stream);
}

static struct config config = { .idle_ms = 5000 };

static void
open_claude(struct server *server)
{
	struct fail fail;

	assert_int_equal(loop_open(&loop, &fail), 0);
	assert_int_equal(http_open(loop, &http, &fail), 0);
	unsetenv("ANTHROPIC_API_KEY");
	assert_int_equal(claude_open(http, server->url, &config, NULL, &claude,
			     &fail),
	    -1);
	assert_string_equal(fail.type, "missing_key");
	setenv("ANTHROPIC_API_KEY", "sk-secret/4711", 1);
	assert_int_equal(claude_open(http, server->url, &config, NULL, &claude,
			     &fail),
	    0);
}

static void
close_claude(struct server *server)
{
	claude_close(claude);
	http_close(http);
	loop_close(loop);
	server_close(server);
}

static void
converse(struct seen *seen)
{
	int64_t end = clock_boot() + 10000;
	struct claude_call *call;
	struct fail fail;

	assert_int_equal(claude_start(claude, mem_string("{\"a\":1}"), 7, NULL,
			     1, false, NULL, on_reply, seen, &call, &fail),
	    0);
	while (seen->calls == 0 && clock_boot() < end)
		assert_true(loop_turn(loop, end, &fail) >= 0);
	assert_int_equal(seen->calls, 1);
}

static void
test_wire_errors(void **state)
{
	struct server *server;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wire_cases) / sizeof(wire_cases[0]); i++) {
		struct seen seen = { 0 };

		wire_case = &wire_cases[i];
		server = server_open(serve_case);
		open_claude(server);
		converse(&seen);
		if (seen.reply.ok || strcmp(seen.type, wire_case->type) != 0 ||
		    strcmp(seen.code, wire_case->code) != 0 ||
		    strcmp(seen.id, "req_1") != 0 ||
		    seen.reply.retryable != wire_case->retryable ||
		    seen.reply.wait != wire_case->wait ||
		    seen.reply.delay_ms < wire_case->delay_from ||
		    seen.reply.delay_ms > wire_case->delay_to ||
		    (wire_case->message != NULL &&
			strcmp(seen.message, wire_case->message) != 0))
			fail_msg(
			    "case %zu: %s, %s, %s, %s, retry %d %s in %lld", i,
			    seen.type, seen.code, seen.message, seen.id,
			    seen.reply.retryable, wait_name(seen.reply.wait),
			    (long long)seen.reply.delay_ms);
		close_claude(server);
	}
}

static void
serve_pings(struct server *server, int fd, int connection)
{
	static const char ping[] = "event: ping\ndata: {\"type\":\"ping\"}\n\n";

	(void)connection;
	if (!server_read(server, fd))
		return;
	server_say(fd, "HTTP/1.1 200 OK\r\nrequest-id: req_1\r\n\r\n");
	while (send(fd, ping, sizeof(ping) - 1, MSG_NOSIGNAL) > 0)
		usleep(5000);
}

static bool
paces(const char *head, int64_t *step, int64_t *time)
{
	struct claude_limits limits = { 0 };
	struct fail fail;
	size_t length;
	int64_t now;

	assert_int_equal(clock_parse("2026-11-28T12:00:00Z", &now, &fail), 0);
	for (; *head != '\0'; head += length + (head[length] == '\n')) {
		length = strcspn(head, "\n");
		claude_limits_read(&limits, head, length);
	}
	return claude_pace(&limits, 1000, now, step, time);
}

#define LIMITS "anthropic-ratelimit-requests-limit: 50\n"
#define RESET "anthropic-ratelimit-requests-reset: 2026-11-28T12:01:00Z\n"

static void
test_limits(void **state)
{
	int64_t step, time;

	(void)state;
	assert_true(paces("HTTP/2 200\n" LIMITS RESET
			  "Anthropic-RateLimit-Requests-Remaining:  0\n",
	    &step, &time));
	assert_int_equal(step, 60000 / 50);
	assert_int_equal(time, 60000);
	/* the last one counts, and more than a tenth is left */
	assert_false(
	    paces(LIMITS RESET "anthropic-ratelimit-requests-remaining: 0\n"
			       "anthropic-ratelimit-requests-remaining: 6\n",
		&step, &time));
	/* a bucket that is not told whole, or of which the time is over */
	assert_false(paces(LIMITS "anthropic-ratelimit-requests-remaining: 0\n",
	    &step, &time));
	assert_false(paces(LIMITS "anthropic-ratelimit-requests-remaining: 0\n"
				  "anthropic-ratelimit-requests-reset: "
				  "2026-11-28T11:59:00Z\n",
	    &step, &time));
	assert_false(
	    paces(LIMITS RESET "anthropic-ratelimit-requests-remaining: none\n",
		&step, &time));
	/* tokens: a request of a thousand takes a tenth of what is used */
	assert_true(paces("anthropic-ratelimit-input-tokens-limit: 10000\n"
			  "anthropic-ratelimit-input-tokens-remaining: 0\n"
			  "anthropic-ratelimit-input-tokens-reset: "
			  "2026-11-28T12:00:30Z\n",
	    &step, &time));
	assert_int_equal(step, 3000);
	assert_int_equal(time, 30000);
}

static void
test_pings(void **state)
{
	struct server *server = server_open(serve_pings);
	struct seen seen = { 0 };

	(void)state;
	config.idle_ms = 50;
	open_claude(server);
	converse(&seen);
	assert_string_equal(seen.type, "connection_error");
	assert_non_null(strstr(seen.message, "nothing but pings"));
	assert_true(seen.reply.retryable);
	close_claude(server);
	config.idle_ms = 5000;
}

static struct seen wire_seen;

static void
on_wire_reply(void *context, const struct claude_reply *reply)
{
	(void)context;
	on_reply(&wire_seen, reply);
}

static void
test_wire_reply(void **state)
{
	struct server *server = server_open(serve_reply);
	struct buf text = BUF_INIT(1 << 20);
	int64_t end = clock_boot() + 10000;
	struct claude_call *call;
	struct fail fail;

	(void)state;
	open_claude(server);
	assert_int_equal(claude_start(claude, mem_string("{\"a\":1}"), 7, NULL,
			     1, false, take_text, on_wire_reply, &text, &call,
			     &fail),
	    0);
	while (wire_seen.calls == 0 && clock_boot() < end)
		assert_true(loop_turn(loop, end, &fail) >= 0);
	assert_true(wire_seen.reply.ok);
	assert_string_equal(wire_seen.content,
	    "[{\"type\":\"text\",\"text\":\"Hi\"}]");
	assert_string_equal(wire_seen.id, "req_2");
	assert_string_equal(text.data, "Hi");
	assert_non_null(
	    strstr(server->request, "POST /v1/messages HTTP/1.1\r\n"));
	assert_non_null(strstr(server->request,
	    "\r\nauthorization: Bearer sk-secret/4711\r\n"));
	assert_non_null(
	    strstr(server->request, "\r\nanthropic-version: 2026-10-21\r\n"));
	assert_non_null(strstr(server->request, "\r\n\r\n{\"a\":1}"));
	assert_null(strcasestr(server->request, "x-api-key"));
	buf_release(&text);
	close_claude(server);
}

static struct claude_call *to_cancel;

static void
cancel_at_text(void *context, const char *bytes, size_t length)
{
	(void)bytes;
	(void)length;
	(*(int *)context)++;
	claude_cancel(to_cancel);
}

static void
never_called(void *context, const struct claude_reply *reply)
{
	(void)context;
	(void)reply;
	fail_msg("done after cancel");
}

static void
test_wire_cancel(void **state)
{
	struct server *server = server_open(serve_reply);
	struct fail fail;
	int texts = 0;

	(void)state;
	open_claude(server);
	assert_int_equal(claude_start(claude, mem_string("{}"), 2, NULL, 1,
			     false, cancel_at_text, never_called, &texts,
			     &to_cancel, &fail),
	    0);
	while (texts == 0)
		assert_true(loop_turn(loop, clock_boot() + 100, &fail) >= 0);
	assert_int_equal(claude_start(claude, mem_string("{}"), 2, NULL, 1,
			     false, NULL, never_called, NULL, &to_cancel,
			     &fail),
	    0);
	claude_cancel(to_cancel);
	claude_cancel(NULL);
	while (loop_turn(loop, clock_boot() + 20, &fail) > 0)
		;
	assert_int_equal(texts, 1);
	close_claude(server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_wire_errors),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_pings),
		cmocka_unit_test(test_wire_reply),
		cmocka_unit_test(test_wire_cancel),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
