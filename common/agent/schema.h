/* SPDX-License-Identifier: ISC */
/*
 * schema: makes the schema of a tool's input one that the model's service
 * takes. Pure. That service refuses a whole request for one schema that is not
 * JSON Schema (2020-12), is not of type object, has anyOf, oneOf or allOf at
 * its top, or has a property whose name is not ^[a-zA-Z0-9_.-]{1,64}$.
 */
#ifndef COMMON_AGENT_SCHEMA_H
#define COMMON_AGENT_SCHEMA_H

#include <cjson/cJSON.h>

#include "common/base/buf.h"
#include "common/base/fail.h"
#include "common/json/span.h"

/* Changes SCHEMA where it is plain what is meant: no type at its top, names
 * required twice, members that are null, the exclusive limits and tuples of
 * older drafts, names of properties that the service refuses. Such names get
 * aliases, which the model uses; ALIASES, an empty object, gets alias and name
 * of each. FAIL_NO, type "refused", when the service would refuse it still. */
int
schema_fit(cJSON *schema, cJSON *aliases, struct fail *fail);

/* Adds INPUT, raw JSON, to BUF, with the names in the place of their ALIASES (raw
 * JSON) where SCHEMA, as schema_fit has left it, has properties: at any depth, but
 * not among keys that the model chooses. Without a SCHEMA (length 0) every key is
 * taken for a property. No other byte changes. */
void
schema_restore(struct span aliases, struct span schema, struct span input,
    struct buf *buf);

#endif
