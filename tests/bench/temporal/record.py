# SPDX-License-Identifier: ISC
"""Passes requests on to another server and records them.

usage: record.py URL ADDRESS-FILE REQUESTS

Ends by SIGTERM; until then REQUESTS has all that were sent, in order, as
worker.py and main.go send them again.
"""
import http.client
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

target = urlsplit(sys.argv[1]).netloc
kept = []


def write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)


class Recorder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() not in ("host", "content-length")}
        kept.append({"path": self.path, "headers": headers,
                     "body": body.decode()})
        write(sys.argv[3], json.dumps(kept))
        there = http.client.HTTPConnection(target)
        there.request("POST", self.path, body, headers)
        answer = there.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length",
                                    "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
write(sys.argv[2], f"http://127.0.0.1:{server.server_port}")
server.serve_forever()
