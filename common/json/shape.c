/* SPDX-License-Identifier: ISC */
/*
 * There is one function for each kind of value. Each builds the same kind of
 * sentence, so that all faults of a task or a configuration read alike: the
 * path, what the value must be, what it is. The user's text is quoted and cut,
 * so that a message is one readable line for any input.
 */
#include "common/json/shape.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/json/json.h"

#define SHOWN 60 /* bytes of the user's text in a message */

static void
describe(const cJSON *value, char *text, size_t size)
{
	const char *more;

	if (cJSON_IsString(value)) {
		more = strlen(value->valuestring) > SHOWN ? "..." : "";
		snprintf(text, size, "\"%.*s%s\"", SHOWN, value->valuestring,
		    more);
	} else if (cJSON_IsNumber(value)) {
		snprintf(text, size, "%.17g", value->valuedouble);
	} else if (cJSON_IsObject(value)) {
		snprintf(text, size, "an object");
	} else if (cJSON_IsArray(value)) {
		snprintf(text, size, "a list");
	} else if (cJSON_IsBool(value)) {
		snprintf(text, size, "%s",
		    cJSON_IsTrue(value) ? "true" : "false");
	} else {
		snprintf(text, size, "null");
	}
}

int
shape_refuse(struct fail *fail, const cJSON *value, const char *path,
    const char *format, ...)
{
	va_list arguments;
	char must[400], is[SHOWN + 20];
	const char *where = path[0] != '\0' ? path : "the document";

	va_start(arguments, format);
	vsnprintf(must, sizeof(must), format, arguments);
	va_end(arguments);
	if (value == NULL)
		return fail_set(fail, FAIL_NEVER, "invalid_value",
		    "%s is missing: it must be %s", where, must);
	describe(value, is, sizeof(is));
	return fail_set(fail, FAIL_NEVER, "invalid_value",
	    "%s must be %s, not %s", where, must, is);
}

static int
unknown_member(const char *name, const char *path, const char *const *known,
    struct fail *fail)
{
	char list[600] = "";
	const char *nearest, *dot = path[0] != '\0' ? "." : "";
	size_t i, used = 0;
	int length;

	nearest = json_nearest(name, known);
	if (nearest != NULL)
		return fail_set(fail, FAIL_NEVER, "invalid_value",
		    "unknown member %s%s%.*s: did you mean %s%s%s?", path, dot,
		    SHOWN, name, path, dot, nearest);
	for (i = 0; known[i] != NULL && used < sizeof(list); i++) {
		length = snprintf(list + used, sizeof(list) - used, "%s%s",
		    i > 0 ? ", " : "", known[i]);
		used += (size_t)length;
	}
	return fail_set(fail, FAIL_NEVER, "invalid_value",
	    "unknown member %s%s%.*s: the known ones are %s", path, dot, SHOWN,
	    name, list);
}

int
shape_object(const cJSON *value, const char *path, const char *const *known,
    struct fail *fail)
{
	const cJSON *member;
	size_t i;

	if (!cJSON_IsObject(value))
		return shape_refuse(fail, value, path,
		    "an object (names and values)");
	if (known == NULL)
		return 0;
	cJSON_ArrayForEach (member, value) {
		for (i = 0; known[i] != NULL; i++)
			if (strcmp(known[i], member->string) == 0)
				break;
		if (known[i] == NULL)
			return unknown_member(member->string, path, known,
			    fail);
	}
	return 0;
}

int
shape_integer(const cJSON *value, const char *path, int64_t least, int64_t most,
    int64_t *ret_number, struct fail *fail)
{
	double number;

	if (!cJSON_IsNumber(value))
		goto refuse;
	number = value->valuedouble;
	if (!(number >= (double)least && number <= (double)most) ||
	    number != (double)(int64_t)number)
		goto refuse;
	*ret_number = (int64_t)number;
	return 0;
refuse:
	return shape_refuse(fail, value, path,
	    "a whole number from %lld to %lld", (long long)least,
	    (long long)most);
}

/*
 * A decimal fraction of few digits is read as the double nearest to it, and
 * dividing the right whole number by the scale gives the same double: the
 * comparison shows exactly whether there were more digits, as long as the
 * scaled number is below 2^53.
 */
int
shape_decimal(const cJSON *value, const char *path, double least, double most,
    int64_t scale, int64_t *ret_scaled, struct fail *fail)
{
	int64_t scaled;
	double number;

	if (!cJSON_IsNumber(value))
		goto refuse;
	number = value->valuedouble;
	if (!(number >= least && number <= most))
		goto refuse;
	number *= (double)scale;
	scaled = (int64_t)(number < 0 ? number - 0.5 : number + 0.5);
	number = value->valuedouble;
	if ((double)scaled / (double)scale != number)
		goto refuse;
	*ret_scaled = scaled;
	return 0;
refuse:
	return shape_refuse(fail, value, path,
	    "a number from %.15g to %.15g in steps of %.15g", least, most,
	    1.0 / (double)scale);
}

int
shape_boolean(const cJSON *value, const char *path, bool *ret_value,
    struct fail *fail)
{
	if (!cJSON_IsBool(value))
		return shape_refuse(fail, value, path, "true or false");
	*ret_value = cJSON_IsTrue(value);
	return 0;
}

int
shape_string(const cJSON *value, const char *path, size_t least, size_t most,
    bool (*fine)(const char *text), const char *must, const char **ret_string,
    struct fail *fail)
{
	size_t length;

	if (!cJSON_IsString(value))
		return shape_refuse(fail, value, path, "a string");
	length = strlen(value->valuestring);
	if (length < least || length > most) {
		if (length == 0)
			return fail_set(fail, FAIL_NEVER, "invalid_value",
			    "%s must not be empty", path);
		return fail_set(fail, FAIL_NEVER, "invalid_value",
		    "%s has %zu bytes, and may have at most %zu", path, length,
		    most);
	}
	if (fine != NULL && !fine(value->valuestring))
		return shape_refuse(fail, value, path, "%s", must);
	*ret_string = value->valuestring;
	return 0;
}

int
shape_choice(const cJSON *value, const char *path, const char *const *choices,
    size_t *ret_index, struct fail *fail)
{
	char list[200] = "";
	size_t i, used = 0;

	for (i = 0; cJSON_IsString(value) && choices[i] != NULL; i++) {
		if (strcmp(choices[i], value->valuestring) == 0) {
			*ret_index = i;
			return 0;
		}
	}
	for (i = 0; choices[i] != NULL && used < sizeof(list); i++) {
		snprintf(list + used, sizeof(list) - used, "%s%s",
		    i == 0                       ? ""
			: choices[i + 1] == NULL ? " or "
						 : ", ",
		    choices[i]);
		used = strlen(list);
	}
	return shape_refuse(fail, value, path, "one of %s", list);
}
