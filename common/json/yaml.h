/* SPDX-License-Identifier: ISC */
/*
 * yaml: YAML by libyaml, as a cJSON value. The JSON schema of YAML 1.2: plain
 * scalars are null, true, false, numbers or strings ("no" and "on" are
 * strings); quoted ones are strings. One document. Refused with FAIL_NEVER,
 * type "invalid_yaml" and the line: anchors and aliases, tags, duplicate
 * keys, keys that are not strings, a merge key, a limit passed, invalid UTF-8,
 * numbers that are not finite. An empty text is null. A byte order mark is
 * skipped.
 */
#ifndef COMMON_JSON_YAML_H
#define COMMON_JSON_YAML_H

#include "common/json/json.h"

/* The caller frees with cJSON_Delete. */
cJSON *
yaml_parse(const char *text, size_t length, const struct json_limits *limits,
    struct fail *fail);

/* Parses a document that a person wrote: JSON when the first character that is
 * not white space is '{' or '[', else YAML. */
cJSON *
yaml_or_json(const char *text, size_t length, const struct json_limits *limits,
    struct fail *fail);

#endif
