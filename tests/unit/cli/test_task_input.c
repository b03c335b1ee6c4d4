/* SPDX-License-Identifier: ISC */
/*
 * What the intake gives for what comes in, whole and byte by byte: how input
 * is cut into reads must not change what is read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/cli/task_input.h"

struct feed {
	const char *text;
	size_t length, step;
	int fd;
};

static void *
feed(void *context)
{
	struct feed *feed = context;
	size_t at, size;

	for (at = 0; at < feed->length; at += size) {
		size = feed->length - at < feed->step ? feed->length - at
						      : feed->step;
		assert_int_equal(write(feed->fd, feed->text + at, size), size);
	}
	close(feed->fd);
	return NULL;
}

/* The results in short: "v<text>;" for a value, "!<type>@<line>;" for a
 * fault. */
static char *
take(const char *text, size_t length, size_t step)
{
	struct buf out = BUF_INIT(1u << 20);
	struct task_input *input = NULL;
	enum task_input_result got;
	struct feed feeding;
	struct span span;
	struct fail fail;
	pthread_t thread;
	cJSON *value;
	int ends[2], saved;

	assert_int_equal(pipe(ends), 0);
	feeding = (struct feed){ text, length, step, ends[1] };
	saved = dup(STDIN_FILENO);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	assert_int_equal(task_input_open("-", &input, &fail), 0);
	assert_int_equal(pthread_create(&thread, NULL, feed, &feeding), 0);
	while ((got = task_input_next(input, true, &value, &span, &fail)) !=
	    INTAKE_END) {
		assert_true(got == INTAKE_VALUE || got == INTAKE_FAULT);
		if (got == INTAKE_VALUE) {
			buf_print(&out, "v%.*s;", (int)span.length, span.at);
			cJSON_Delete(value);
		} else {
			buf_print(&out, "!%s@%llu;", fail.type,
			    task_input_line(input));
		}
	}
	pthread_join(thread, NULL);
	task_input_close(input);
	dup2(saved, STDIN_FILENO);
	close(saved);
	return buf_detach(&out, NULL);
}

static void
test_forms(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "!no_task@0;" },
		{ "\n \n\t\r\n", "!no_task@3;" },
		{ "{\"a\":1}", "v{\"a\":1};" },
		{ "{\"a\":1}\n", "v{\"a\":1};" },
		{ "{\"a\": 1.50}\r\n\n{\"b\":\"}{\"}",
		    "v{\"a\": 1.50}\r;v{\"b\":\"}{\"};" },
		{ "\xef\xbb\xbf{\"a\":1}\n{\"b\":2}\n",
		    "v{\"a\":1};v{\"b\":2};" },
		{ "{\n\"a\":1\n}\n", "v{\n\"a\":1\n}\n;" },
		{ "{\"a\":1}\n{oops}\n{\"b\":2}\n",
		    "v{\"a\":1};!invalid_json@2;v{\"b\":2};" },
		{ "{oops}\n{\"b\":2}\n", "!invalid_json@1;v{\"b\":2};" },
		{ "{\"a\":\n{\"b\":2}\n{\"c\":3}",
		    "!invalid_json@1;v{\"b\":2};v{\"c\":3};" },
		{ "{\"a\":1", "!invalid_json@0;" },
		{ "{\"a\":1}}\n{\"b\":2}", "!invalid_json@1;v{\"b\":2};" },
		{ "a: 1\nb: [x, 'y']\n", "v{\"a\":1,\"b\":[\"x\",\"y\"]};" },
		{ "a: 1\na: 2\n", "!invalid_yaml@0;" },
		{ "[1,2]\n", "v[1,2];" },
		{ "{\"a\":1}\n{\"b\":2", "v{\"a\":1};!invalid_json@2;" },
	};
	char *out;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t step = 1; step < 100; step += 31) {
			out = take(rows[i].in, strlen(rows[i].in), step);
			assert_string_equal(out, rows[i].out);
			free(out);
		}
}

static void
test_long_line(void **state)
{
	struct buf text = BUF_INIT(200u << 20);
	char *filler = malloc(1u << 20), *out;

	(void)state;
	memset(filler, 'x', 1u << 20);
	buf_add_string(&text, "{\"a\":1}\n{\"b\":\"");
	for (int i = 0; i < 80; i++)
		buf_add(&text, filler, 1u << 20);
	buf_add_string(&text, "\"}\n{\"c\":3}\n");
	out = take(text.data, text.length, 1u << 20);
	assert_string_equal(out, "v{\"a\":1};!too_large@2;v{\"c\":3};");
	free(out);
	free(filler);
	buf_release(&text);
}

static void
test_pins(void **state)
{
	static const struct {
		const char *in, *pins, *request; /* pins NULL: not checked */
	} rows[] = {
		{ "{\"preflight\":{\"accounts\":{},\"pins\":{ \"a\": 1.0}}}",
		    " \"a\": 1.0", NULL },
		{ "{\"preflight\":{\"accounts\":{},\"pins\":{\"a\":1}}}",
		    "\"a\":1,\"request_id\":\"r\"", "r" },
		{ "{\"goal\":\"x\"}", NULL, NULL },
		{ "{\"preflight\":1}", NULL, NULL },
		{ "{\"preflight\":{\"pins\":{\"a\":1}}}", NULL, NULL },
		{ "{\"preflight\":{\"accounts\":{},\"pins\":{}}}", NULL, NULL },
		{ "{\"preflight\":{\"accounts\":[],\"pins\":{\"a\":1}}}", NULL,
		    NULL },
	};
	struct fail fail;
	char *pins;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span text = { rows[i].in, strlen(rows[i].in) };
		int done = task_input_pins(text, rows[i].request, &pins, &fail);

		assert_int_equal(done, rows[i].pins ? 0 : -1);
		if (rows[i].pins) {
			assert_string_equal(pins, rows[i].pins);
			free(pins);
		} else {
			assert_string_equal(fail.type, "not_checked");
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_pins),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
