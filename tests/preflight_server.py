# SPDX-License-Identifier: ISC
"""A Composio of a few lines for tests/12-preflight.t.

usage: preflight_server.py ADDRESS-FILE LEDGER

Who asks decides what happens: the user id names the trouble. Each request is
a line in the ledger.
"""
import http.server
import json
import os
import sys
import threading
import urllib.parse

PREFIX = "/api/v3.1"
never = threading.Event()


def tool(slug):
    read = "FETCH" in slug or "PROFILE" in slug
    tags = ["readOnlyHint"] if read else []
    key = "$top" if slug.endswith("_ODD") else "query"
    kind = "date" if slug.endswith("_BAD") else "string"
    return {
        "slug": slug,
        "name": slug,
        "description": 'About "%s".' % slug,
        "toolkit": {"slug": slug.split("_")[0].lower()},
        "version": "20261101_00",
        "input_parameters": {
            "type": "object",
            "properties": {key: {"type": kind}},
        },
        "tags": tags,
        "no_auth": slug.startswith("NEWS_"),
        "is_deprecated": slug.endswith("_OLD"),
    }


ALL = ["GMAIL_FETCH_EMAILS", "GMAIL_CREATE_EMAIL_DRAFT", "GMAIL_OLD",
       "GMAIL_ODD", "GMAIL_BAD", "LINEAR_CREATE_LINEAR_ISSUE", "NEWS_GET",
       "PROBE_PROFILE"]


def account(name, toolkit, status="ACTIVE", **more):
    return {
        "id": name,
        "status": status,
        "status_reason": None,
        "is_disabled": False,
        "toolkit": {"slug": toolkit},
        "auth_config": {"id": "ac_" + toolkit, "is_disabled": False},
        "created_at": "2026-11-01T08:00:00.000Z",
        **more,
    }


ACCOUNTS = {
    **{user: [account("ca_p", "probe")] for user in ("dan", "erin", "fay")},
    "bob": [account("ca_g", "gmail")],
    "dora": [account("ca_g", "gmail", alias="work"),
             account("ca_h", "gmail", alias=None, word_id="gmail_red-castle"),
             account("ca_bob", "gmail", user_id="bob")],
    "carol": [
        account("ca_g", "gmail", "EXPIRED", status_reason="token refresh"),
        account("ca_l", "linear", is_disabled=True),
    ],
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, value, raw=None):
        body = json.dumps(value).encode() if raw is None else raw
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def record(self):
        with open(sys.argv[2], "a", encoding="utf-8") as ledger:
            ledger.write("%s %s\n" % (self.command, self.path))

    def list_of(self, items):
        self.answer(200, {"items": items, "next_cursor": None})

    def do_GET(self):
        self.record()
        url = urllib.parse.urlparse(self.path)
        query = urllib.parse.parse_qs(url.query)
        path = url.path[len(PREFIX):]
        if url.path.startswith("/v1/models/"):
            self.model(url.path[11:])
            return
        if self.headers.get("x-api-key") != "test-composio-key":
            self.answer(401, {"error": {"message": "Invalid API key"}})
        elif path == "/tools" and "tool_slugs" in query:
            wanted = query["tool_slugs"][0].split(",")
            self.list_of([tool(slug) for slug in ALL if slug in wanted])
        elif path == "/tools":
            self.list_of([tool(slug) for slug in ALL if
                          slug.lower().startswith(query["toolkit_slug"][0])])
        elif path == "/connected_accounts":
            self.accounts(query["user_ids"][0])
        elif path == "/auth_configs":
            self.list_of([])
        elif path in ("/toolkits/gmail", "/toolkits/linear"):
            self.answer(200, {"slug": path[10:]})
        else:
            self.answer(404, {"error": {"message": "not found"}})

    def model(self, name):
        if self.headers.get("authorization") != "Bearer test-model-key":
            self.answer(401, {"type": "error", "error": {
                "type": "authentication_error", "message": "no"}})
        elif name == "claude-busy":
            self.answer(529, {"type": "error", "error": {
                "type": "overloaded_error", "message": "busy"}})
        elif name == "claude-elsewhere":
            self.answer(404, {"detail": "Not Found"})
        elif name == "claude-opus-5-5":
            self.answer(200, {"type": "model", "id": name,
                              "max_tokens": 128000})
        else:
            self.answer(404, {"type": "error", "error": {
                "type": "not_found_error", "message": "model: " + name}})

    def accounts(self, user):
        if user == "hang":
            never.wait()
        elif user == "down":
            self.answer(503, {"message": "down"})
        elif user == "garbage":
            self.answer(200, None, b"<html>busy</html>")
        elif user == "shapeless":
            self.answer(200, {"items": [{"id": "ca_1"}], "next_cursor": None})
        else:
            self.list_of(ACCOUNTS.get(user, [account("ca_g", "gmail"),
                                             account("ca_l", "linear")]))

    def execute(self, body):
        if body["user_id"] == "erin":
            self.answer(200, {"data": {"status_code": 401}, "error":
                              "401 Client Error", "successful": False})
        elif body["user_id"] == "fay":
            self.answer(500, {"message": "broken"})
        else:
            self.answer(200, {"data": {"user": {"emailAddress":
                              body["user_id"] + "@example.net"}},
                              "error": None, "successful": True})

    def do_POST(self):
        self.record()
        body = json.loads(self.rfile.read(
            int(self.headers["content-length"])))
        if self.path.startswith(PREFIX + "/tools/execute/"):
            self.execute(body)
        elif self.path == PREFIX + "/auth_configs":
            self.answer(201, {"auth_config": {"id": "ac_new"}})
        else:
            self.answer(201, {
                "redirect_url": "https://connect.example/"
                                + body["auth_config_id"],
                "expires_at": "2026-11-23T21:00:00.000Z",
                "connected_account_id": "ca_new",
            })


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(sys.argv[1] + ".new", "w", encoding="utf-8") as address_file:
    address_file.write("http://127.0.0.1:%d" % server.server_port)
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
