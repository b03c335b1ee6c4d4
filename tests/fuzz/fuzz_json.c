/* SPDX-License-Identifier: ISC */
/*
 * What json_parse takes is the same once it is written, also as a terminal gets
 * it, and parsed again, and its pieces, cut from the bytes, are those of the
 * tree. What it refuses can be cut too, without a byte read too many.
 */
#include "common/base/utf8.h"
#include "tests/fuzz/fuzz.h"

#define MEMBERS 8 /* of which so many are looked at */

static void
is(const cJSON *value, struct span text)
{
	cJSON *parsed = fuzz_json(text.at, text.length);

	assert(cJSON_Compare(value, parsed, true));
	cJSON_Delete(parsed);
}

/* The member set to a value that it has not. */
static void
splice(struct span text, const char *name)
{
	struct buf buf = BUF_INIT(64u << 20);
	cJSON *value;
	int64_t number;

	assert(json_splice(&buf, text, name, (struct span){ "77", 2 }));
	value = fuzz_json(buf.data, buf.length);
	assert(json_integer(value, name, &number) && number == 77);
	cJSON_Delete(value);
	buf_release(&buf);
}

/* The value of a member, read in place. */
static void
read(const cJSON *object, const cJSON *child, struct span value)
{
	int64_t whole = 0, number = 0;
	char *string = json_decode(value);

	assert(!string == !cJSON_IsString(child));
	assert(!string ||
	    (strcmp(string, child->valuestring) == 0 &&
		json_is(value, string)));
	assert(json_integer(object, child->string, &number) ==
	    json_whole(value, &whole));
	assert(number == whole);
	free(string);
}

static void
cut(const cJSON *tree, struct span text)
{
	struct span piece, rest = text;
	struct json_object checked, object;
	struct fail fail;
	const cJSON *child;
	struct span end;
	size_t count = 0;

	assert(json_check(text, &json_limits_task, &checked, &fail) == 0);
	assert(json_object(text, &object) == cJSON_IsObject(tree));
	cJSON_ArrayForEach (child, tree) {
		if (count++ == MEMBERS)
			return;
		if (cJSON_IsArray(tree)) {
			assert(json_element(&rest, &piece));
		} else {
			assert(json_member(text, child->string, &piece));
			assert(
			    json_get(&checked, child->string).at == piece.at);
			assert(json_get(&object, child->string).at == piece.at);
			assert(json_member_rest(text, child->string, &end) &&
			    end.at == piece.at);
			read(tree, child, piece);
			splice(text, child->string);
		}
		is(child, piece);
	}
	assert(!json_element(&rest, &piece));
	if (cJSON_IsObject(tree))
		splice(text, "one more");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size }, piece;
	struct buf shown = BUF_INIT(64u << 20);
	struct json_object object;
	struct fail fail;
	cJSON *tree;
	char *written;

	tree = json_parse(text.at, text.length, &json_limits_task, &fail);
	if (!tree) {
		fuzz_never(&fail, "invalid_json");
		(void)json_object(text, &object);
		(void)json_get(&object, "a");
		(void)json_member(text, "a", &piece);
		(void)json_member_rest(text, "a", &piece);
		return 0;
	}
	written = json_text(tree);
	is(tree, (struct span){ written, strlen(written) });
	utf8_visible(&shown, written, strlen(written));
	is(tree, (struct span){ shown.data, shown.length });
	buf_release(&shown);
	free(written);
	cut(tree, text);
	cJSON_Delete(tree);
	return 0;
}
