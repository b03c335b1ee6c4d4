# SPDX-License-Identifier: ISC
"""Puts TLS with HTTP/2 before a server, and asks clients for a certificate.

usage: tls_proxy.py TARGET-HOST:PORT ADDRESS-FILE CERTIFICATE KEY CLIENT-CA
"""
import contextlib
import os
import socket
import ssl
import sys
import threading


def copy(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def serve(context, plain, target):
    try:
        client = context.wrap_socket(plain, server_side=True)
        server = socket.create_connection(target)
    except OSError:
        plain.close()
        return
    for end in (client, server):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=copy, args=(client, server), daemon=True).start()
    copy(server, client)


def main():
    host, _, port = sys.argv[1].rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    context.load_verify_locations(sys.argv[5])
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    listener = socket.create_server(("127.0.0.1", 0))
    with open(sys.argv[2] + ".new", "w", encoding="ascii") as file:
        file.write(f"127.0.0.1:{listener.getsockname()[1]}\n")
    os.rename(sys.argv[2] + ".new", sys.argv[2])
    while True:
        plain, _ = listener.accept()
        threading.Thread(
            target=serve, args=(context, plain, (host, int(port))), daemon=True
        ).start()


main()
