# SPDX-License-Identifier: ISC
"""Puts TLS and HTTP/2 before a server, as the real services have them.

usage: h2_front.py TARGET-HOST:PORT ADDRESS-FILE CERTIFICATE KEY [FAULT=N]

The N-th call of a tool meets FAULT: "refuse" (RST_STREAM with REFUSED_STREAM),
"goaway" (a GOAWAY that names the stream before), "cut" or "reset" (the target answers, and
the connection ends instead). The first two do not reach the target.
"""
import contextlib
import http.client
import os
import socket
import ssl
import struct
import sys
import threading

import h2.config
import h2.connection
import h2.errors
import h2.events

TARGET = sys.argv[1]
FAULT, _, AT = (sys.argv[5] if len(sys.argv) > 5 else "").partition("=")
calls = 0
lock = threading.Lock()


def forward(headers, body):
    """The status, headers and body with which the target answers."""
    fields = {k: v for k, v in headers.items() if not k.startswith(":")}
    target = http.client.HTTPConnection(TARGET)
    target.request(headers[":method"], headers[":path"], body, fields)
    answer = target.getresponse()
    kept = [
        (k.lower(), v)
        for k, v in answer.getheaders()
        if k.lower() not in ("connection", "transfer-encoding", "keep-alive")
    ]
    return [(":status", str(answer.status)), *kept], answer.read()


def fault_of(path):
    global calls
    if "/tools/execute/" not in path:
        return ""
    with lock:
        calls += 1
        return FAULT if str(calls) == AT else ""


class Front:
    def __init__(self, sock):
        self.sock = sock
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        self.requests = {}

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def answer(self, stream):
        """False when the connection is to end."""
        headers, body = self.requests.pop(stream)
        fault = fault_of(headers[":path"])
        if fault == "refuse":
            self.h2.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
            return True
        if fault == "goaway":
            self.h2.close_connection(last_stream_id=max(stream - 2, 0))
            return False
        fields, data = forward(headers, bytes(body))
        if fault == "reset":
            linger = struct.pack("ii", 1, 0)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        if fault in ("cut", "reset"):
            return False
        self.h2.send_headers(stream, fields)
        size = self.h2.max_outbound_frame_size
        for at in range(0, len(data), size):
            self.h2.send_data(stream, data[at : at + size])
        self.h2.end_stream(stream)
        return True

    def take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.requests[event.stream_id] = (dict(event.headers), bytearray())
        elif isinstance(event, h2.events.DataReceived):
            self.requests[event.stream_id][1].extend(event.data)
            self.h2.acknowledge_received_data(
                event.flow_controlled_length, event.stream_id
            )
        elif isinstance(event, h2.events.StreamEnded):
            return self.answer(event.stream_id)
        return True

    def serve(self):
        self.h2.initiate_connection()
        self.flush()
        while data := self.sock.recv(65536):
            goes_on = all([self.take(event) for event in self.h2.receive_data(data)])
            self.flush()
            if not goes_on:
                return


def serve(context, plain):
    with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Front(sock).serve()


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    context.set_alpn_protocols(["h2"])
    listener = socket.create_server(("127.0.0.1", 0))
    with open(sys.argv[2] + ".new", "w", encoding="ascii") as file:
        file.write(f"https://127.0.0.1:{listener.getsockname()[1]}\n")
    os.rename(sys.argv[2] + ".new", sys.argv[2])
    while True:
        plain, _ = listener.accept()
        threading.Thread(target=serve, args=(context, plain), daemon=True).start()


main()
