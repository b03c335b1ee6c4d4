/* SPDX-License-Identifier: ISC */
/*
 * schema: what is plain is put right, what the service would refuse is refused,
 * and a name that was put in the place of another goes back at any depth.
 */
#include "common/agent/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json/json.h"

#define OBJECT(more) "{\"type\":\"object\"" more "}"
#define PROPERTY(value) OBJECT(",\"properties\":{\"a\":" value "}")
#define LONG_64 \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG_60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
what_is_plain_is_put_right(void **state)
{
	static const struct {
		const char *schema, *fitted, *aliases; /* NULL: unchanged */
	} rows[] = {
		{ OBJECT(""), NULL, "{}" },
		{ "{}", OBJECT(""), "{}" },
		{ "{\"properties\":{}}",
		    "{\"properties\":{},\"type\":\"object\"}", "{}" },
		{ "{\"type\":[\"object\",\"null\"]}", OBJECT(""), "{}" },
		{ OBJECT(",\"required\":[\"a\",\"b\",\"a\"]"),
		    OBJECT(",\"required\":[\"a\",\"b\"]"), "{}" },
		{ OBJECT(",\"required\":\"a\""),
		    OBJECT(",\"required\":[\"a\"]"), "{}" },
		{ PROPERTY("{\"required\":true,\"title\":null}"),
		    PROPERTY("{}"), "{}" },
		{ PROPERTY("{\"minimum\":0,\"exclusiveMinimum\":true}"),
		    PROPERTY("{\"exclusiveMinimum\":0}"), "{}" },
		{ PROPERTY("{\"maximum\":9,\"exclusiveMaximum\":false}"),
		    PROPERTY("{\"maximum\":9}"), "{}" },
		{ PROPERTY("{\"items\":[{\"type\":\"string\"}]}"),
		    PROPERTY("{\"prefixItems\":[{\"type\":\"string\"}]}"),
		    "{}" },
		{ PROPERTY("null"), PROPERTY("{}"), "{}" },
		{ PROPERTY("{\"examples\":\"x\",\"deprecated\":\"no\"}"),
		    PROPERTY("{}"), "{}" },
		{ OBJECT(",\"properties\":[]"), OBJECT(",\"properties\":{}"),
		    "{}" },
		{ OBJECT(",\"anyOf\":[{\"required\":[\"a\"]},"
			 "{\"required\":[\"b\"]}]"),
		    OBJECT(""), "{}" },
		/* names of properties */
		{ OBJECT(",\"properties\":{\"$top\":{},\"@odata.type\":{},"
			 "\"x y\":{},\"dollar_top\":{}},"
			 "\"required\":[\"$top\"]"),
		    OBJECT(",\"properties\":{\"dollar_top_2\":{},"
			   "\"at_odata.type\":{},\"x_y\":{},"
			   "\"dollar_top\":{}},"
			   "\"required\":[\"dollar_top_2\"]"),
		    "{\"dollar_top_2\":\"$top\",\"at_odata.type\":"
		    "\"@odata.type\",\"x_y\":\"x y\"}" },
		{ PROPERTY("{\"anyOf\":[{\"type\":\"array\",\"items\":"
			   "{\"properties\":{\"@x\":{}}}}]}"),
		    PROPERTY("{\"anyOf\":[{\"type\":\"array\",\"items\":"
			     "{\"properties\":{\"at_x\":{}}}}]}"),
		    "{\"at_x\":\"@x\"}" },
		{ OBJECT(",\"$defs\":{\"d\":{\"properties\":{\"\":{}}}}"),
		    OBJECT(",\"$defs\":{\"d\":{\"properties\":{\"_1\":{}}}}"),
		    "{\"_1\":\"\"}" },
		{ OBJECT(",\"properties\":{\"" LONG_64 "\":{},\"" LONG_64
			 "b\":{},\"" LONG_64 "c\":{}}"),
		    OBJECT(",\"properties\":{\"" LONG_64 "\":{},\"" LONG_60
			   "\":{},\"" LONG_60 "_2\":{}}"),
		    "{\"" LONG_60 "\":\"" LONG_64 "b\",\"" LONG_60
		    "_2\":\"" LONG_64 "c\"}" },
		/* a property that is called like a word of the language */
		{ PROPERTY(
		      "{\"type\":\"object\",\"properties\":{\"properties\":"
		      "{\"description\":\"$\"},\"required\":{}}}"),
		    NULL, "{}" },
		/* data that looks like a schema is data */
		{ PROPERTY("{\"default\":{\"properties\":{\"$\":null}},"
			   "\"enum\":[1,1],\"x-own\":{\"type\":\"date\"}}"),
		    NULL, "{}" },
		/* numbers stay what they are */
		{ PROPERTY("{\"default\":9007199254740993,"
			   "\"maximum\":18446744073709551615}"),
		    NULL, "{}" },
	};
	cJSON *schema, *aliases;
	struct fail fail;
	const char *wanted;
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		wanted = rows[i].fitted ? rows[i].fitted : rows[i].schema;
		schema = json_tree_exact(
		    (struct span){ rows[i].schema, strlen(rows[i].schema) });
		assert_non_null(schema);
		aliases = cJSON_CreateObject();
		if (schema_fit(schema, aliases, &fail) < 0)
			fail_msg("%s: %s", rows[i].schema, fail.message);
		text = json_text(schema);
		assert_string_equal(text, wanted);
		free(text);
		text = json_text(aliases);
		assert_string_equal(text, rows[i].aliases);
		free(text);
		/* what fits is not changed again */
		if (schema_fit(schema, aliases, &fail) < 0)
			fail_msg("%s: %s", rows[i].schema, fail.message);
		text = json_text(schema);
		assert_string_equal(text, wanted);
		free(text);
		cJSON_Delete(schema);
		cJSON_Delete(aliases);
	}
}

static void
what_the_service_refuses_is_refused(void **state)
{
	static const char *const rows[] = {
		"[]",
		"{\"type\":\"string\"}",
		"{\"$ref\":\"#/$defs/a\"}",
		OBJECT(",\"oneOf\":[{\"properties\":{\"a\":{}}}]"),
		OBJECT(",\"allOf\":{}"),
		OBJECT(",\"required\":[1]"),
		OBJECT(",\"properties\":[1]"),
		PROPERTY("1"),
		PROPERTY("{\"type\":\"date\"}"),
		PROPERTY("{\"type\":[\"string\",\"string\"]}"),
		PROPERTY("{\"type\":[]}"),
		PROPERTY("{\"minLength\":-1}"),
		PROPERTY("{\"minLength\":\"1\"}"),
		PROPERTY("{\"multipleOf\":0}"),
		PROPERTY("{\"enum\":\"a\"}"),
		PROPERTY("{\"anyOf\":[]}"),
		PROPERTY("{\"items\":{\"anyOf\":[{\"type\":\"any\"}]}}"),
		PROPERTY("{\"additionalProperties\":\"yes\"}"),
		PROPERTY("{\"pattern\":1}"),
	};
	cJSON *schema, *aliases;
	struct fail fail;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		schema = json_tree((struct span){ rows[i], strlen(rows[i]) });
		assert_non_null(schema);
		aliases = cJSON_CreateObject();
		if (schema_fit(schema, aliases, &fail) == 0)
			fail_msg("%s was taken", rows[i]);
		assert_int_equal(fail.kind, FAIL_NO);
		assert_string_equal(fail.type, "refused");
		cJSON_Delete(schema);
		cJSON_Delete(aliases);
	}
}

static void
names_go_back(void **state)
{
	static const char aliases[] =
	    "{\"dollar_top\":\"$top\",\"q\":\"\\\"\"}";
	static const char *const rows[][2] = {
		{ "{}", "{}" },
		{ "{\"dollar_top\":1.50}", "{\"$top\":1.50}" },
		{ "{ \"a\" : [ {\"dollar_top\" : \"dollar_top\"} ] }",
		    "{ \"a\" : [ {\"$top\" : \"dollar_top\"} ] }" },
		{ "{\"b\":\"\\\",\\\"dollar_top\\\":\",\"q\":[\"q\"]}",
		    "{\"b\":\"\\\",\\\"dollar_top\\\":\",\"\\\"\":[\"q\"]}" },
		{ "{\"dollar_top2\":{},\"\":0}",
		    "{\"dollar_top2\":{},\"\":0}" },
		{ "\"cut", "\"cut" },
	};
	struct buf buf = BUF_INIT(1000);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&buf);
		schema_restore((struct span){ aliases, strlen(aliases) },
		    (struct span){ NULL, 0 },
		    (struct span){ rows[i][0], strlen(rows[i][0]) }, &buf);
		assert_string_equal(buf.data, rows[i][1]);
	}
	buf_release(&buf);
}

/* A key that the model chooses stays, also when it is called like an alias. */
static void
names_go_back_where_they_are_properties(void **state)
{
#define TOP "{\"type\":\"string\"}"
	static const char aliases[] = "{\"d_top\":\"$top\",\"d_in\":\"$in\"}";
	static const char *const rows[][3] = {
		/* the schema, what the model wrote, what is called */
		{ OBJECT(",\"properties\":{\"d_top\":" TOP ",\"free\":" OBJECT(
		      ",\"additionalProperties\":true") "}"),
		    "{\"d_top\":\"d_top\", \"free\" : {\"d_top\":1,\"a\":["
		    "{\"d_top\":2}]}}",
		    "{\"$top\":\"d_top\", \"free\" : {\"d_top\":1,\"a\":["
		    "{\"d_top\":2}]}}" },
		{ OBJECT(",\"properties\":{\"d_in\":" OBJECT(
		      ",\"properties\":{\"d_top\":" TOP "}") "}"),
		    "{\"d_in\":{\"d_top\":1},\"d_top\":{\"d_in\":2}}",
		    "{\"$in\":{\"$top\":1},\"d_top\":{\"d_in\":2}}" },
		{ OBJECT(",\"additionalProperties\":" OBJECT(
		      ",\"properties\":{\"d_top\":" TOP "}")),
		    "{\"d_top\":{\"d_top\":1}}", "{\"d_top\":{\"$top\":1}}" },
		{ OBJECT(",\"properties\":{\"a\":{\"items\":" OBJECT(
		      ",\"properties\":{\"d_top\":" TOP "}") "}}"),
		    "{\"a\":[1,{\"b\":[{\"d_top\":0}],\"d_top\":1},"
		    "{\"d_top\":2}]}",
		    "{\"a\":[1,{\"b\":[{\"d_top\":0}],\"$top\":1},"
		    "{\"$top\":2}]}" },
		/* one that refers to itself */
		{ OBJECT(",\"$defs\":{\"n\":" OBJECT(
		      ",\"properties\":{\"d_top\":" TOP
		      ",\"sub\":{\"$ref\":\"#/$defs/n\"}}") "},"
							    "\"properties\":{\"n\":{\"anyOf\":[{\"type\":"
							    "\"null\"},{\"$ref\":\"#/$defs/n\"}]}}"),
		    "{\"n\":{\"sub\":{\"sub\":{\"d_top\":1}}},\"d_top\":2}",
		    "{\"n\":{\"sub\":{\"sub\":{\"$top\":1}}},\"d_top\":2}" },
		{ OBJECT(",\"$ref\":\"#\",\"properties\":{\"d_top\":" TOP "}"),
		    "{\"d_top\":1,\"a\":{", "{\"$top\":1,\"a\":{" },
		{ "{\"type\":\"object\"}", "]}{\"d_top\":1}}",
		    "]}{\"d_top\":1}}" },
	};
	struct buf buf = BUF_INIT(1000);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&buf);
		schema_restore((struct span){ aliases, strlen(aliases) },
		    (struct span){ rows[i][0], strlen(rows[i][0]) },
		    (struct span){ rows[i][1], strlen(rows[i][1]) }, &buf);
		assert_string_equal(buf.data, rows[i][2]);
	}
	buf_release(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_plain_is_put_right),
		cmocka_unit_test(what_the_service_refuses_is_refused),
		cmocka_unit_test(names_go_back),
		cmocka_unit_test(names_go_back_where_they_are_properties),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
