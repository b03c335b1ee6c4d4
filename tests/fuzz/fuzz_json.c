/* SPDX-License-Identifier: ISC */
/*
 * What json_parse takes is the same once it is written and parsed again, and
 * its pieces, cut from the bytes, are those of the tree.
 */
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

static void
cut(const cJSON *tree, struct span text)
{
	struct span piece, rest = text;
	const cJSON *child;
	size_t count = 0;

	cJSON_ArrayForEach (child, tree) {
		if (count++ == MEMBERS)
			return;
		if (cJSON_IsArray(tree)) {
			assert(json_element(&rest, &piece));
		} else {
			assert(json_member(text, child->string, &piece));
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
	struct span text = { (const char *)data, size };
	struct fail fail;
	cJSON *tree;
	char *written;

	tree = json_parse(text.at, text.length, &json_limits_task, &fail);
	if (!tree) {
		fuzz_never(&fail, "invalid_json");
		return 0;
	}
	written = json_text(tree);
	is(tree, (struct span){ written, strlen(written) });
	free(written);
	cut(tree, text);
	cJSON_Delete(tree);
	return 0;
}
