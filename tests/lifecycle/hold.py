# SPDX-License-Identifier: MIT
"""A connection that stays open and silent.

hold.py KIND HOST: connects, has an answer, and says "held"; at a line of input it uses the connection once more, says
"alive" and ends. KIND: keep-alive, http2, websocket (at /ws, to an app that sends back what it gets) or download (of
/large, which is more than all buffers on the way hold).
"""

import socket
import struct
import sys

from load import TIMEOUT, Plain, ask, tls_context

PING, SETTINGS, ACK = 6, 4, 1


def keep_alive(host):
    connection = Plain(False)
    assert ask(connection, host, True)
    yield
    assert not ask(connection, host, False)


def frame(kind, flags, payload=b""):
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, 0) + payload


def read_frame(file):
    """(type, flags, payload)"""
    head = file.read(9)
    return head[3], head[4], file.read(int.from_bytes(head[:3], "big"))


def http2(host):
    """Settings and pings only: a connection counts without any stream."""
    context = tls_context()
    context.set_alpn_protocols(["h2"])
    with context.wrap_socket(socket.create_connection(("127.0.0.1", 443), TIMEOUT), server_hostname=host) as connection:
        assert connection.selected_alpn_protocol() == "h2"
        file = connection.makefile("rb")
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0))
        assert read_frame(file)[0] == SETTINGS
        connection.sendall(frame(SETTINGS, ACK))
        yield
        connection.sendall(frame(PING, 0, b"are you?"))
        while (seen := read_frame(file))[0] != PING:
            pass
        assert seen == (PING, ACK, b"are you?")


def websocket(host):
    with socket.create_connection(("127.0.0.1", 80), TIMEOUT) as connection, connection.makefile("rb") as file:
        connection.sendall(f"GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
        assert b" 101 " in file.readline()
        while file.readline() != b"\r\n":
            pass
        yield
        connection.sendall(b"are you?")
        assert file.read(8) == b"are you?"


def download(host):
    with socket.create_connection(("127.0.0.1", 80), TIMEOUT) as connection, connection.makefile("rb") as file:
        connection.sendall(f"GET /large HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert b" 200 " in file.readline()
        size = 0
        while (line := file.readline().lower()) != b"\r\n":
            if line.startswith(b"content-length:"):
                size = int(line.split()[1])
        assert size > 0
        yield
        assert len(file.read()) == size


def main(kind, host):
    client = {"keep-alive": keep_alive, "http2": http2, "websocket": websocket, "download": download}[kind](host)
    next(client)
    print("held", flush=True)
    sys.stdin.readline()
    assert next(client, "end") == "end"
    print("alive", flush=True)


main(*sys.argv[1:])
