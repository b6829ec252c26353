# SPDX-License-Identifier: MIT
"""Requests HOST on one connection, and then, for each line of input, the host in that line.

again.py PROTOCOL ADDRESS HOST: PROTOCOL is http/1.1 or h2, over TLS. Says the status of each answer, and "closed" when the server
ends the connection without one.
"""

import socket
import ssl
import struct
import sys

TIMEOUT = 20
HEADERS, SETTINGS, GOAWAY = 1, 4, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1
STATUS_200 = 0x88  # RFC 7541 appendix A, static table, as one byte


class Http1:
    def __init__(self, connection):
        self.connection, self.file = connection, connection.makefile("rb")

    def ask(self, host):
        self.connection.sendall(f"GET /load.txt HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        status = self.file.readline().split()
        if not status:
            return "closed"
        size = 0
        while (line := self.file.readline().lower()) not in (b"\r\n", b""):
            if line.startswith(b"content-length:"):
                size = int(line.split()[1])
        self.file.read(size)
        return status[1].decode()


class Http2:
    def __init__(self, connection):
        self.connection, self.file, self.stream = connection, connection.makefile("rb"), 1
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(SETTINGS, 0, 0))

    @staticmethod
    def frame(kind, flags, stream, payload=b""):
        return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload

    def read_frame(self):
        head = self.file.read(9)
        if len(head) < 9:
            return GOAWAY, 0, 0, b""
        size = int.from_bytes(head[:3], "big")
        return head[3], head[4], int.from_bytes(head[5:9], "big"), self.file.read(size)

    def ask(self, host):
        """GET https://HOST/load.txt, in fields without Huffman's code."""
        fields = b"\x82\x87\x04\x09/load.txt\x41" + bytes([len(host)]) + host.encode()
        self.connection.sendall(self.frame(HEADERS, END_STREAM | END_HEADERS, self.stream, fields))
        while True:
            kind, flags, stream, payload = self.read_frame()
            if kind == SETTINGS and not flags & ACK:
                self.connection.sendall(self.frame(SETTINGS, ACK, 0))
            if kind == GOAWAY:
                return "closed"
            if kind == HEADERS and stream == self.stream:
                self.stream += 2
                # A table size update may come first.
                return "200" if STATUS_200 in payload[:4] else "other"


def main(protocol, address, host):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    with context.wrap_socket(socket.create_connection((address, 443), TIMEOUT), server_hostname=host) as connection:
        assert connection.selected_alpn_protocol() == protocol
        client = {"http/1.1": Http1, "h2": Http2}[protocol](connection)
        print(client.ask(host), flush=True)
        for line in sys.stdin:
            try:
                print(client.ask(line.strip()), flush=True)
            except (ConnectionError, ssl.SSLError):
                print("closed", flush=True)


main(*sys.argv[1:])
