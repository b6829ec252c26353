# SPDX-License-Identifier: MIT
"""Clients that stop in the middle of their first words.

half.py N HOST: opens N connections, by turns HTTP and HTTPS, and sends half of a request's head or of a ClientHello on
each; says "half" and waits for a line of input; then goes on, prints each answer's body, and ends with status 0.
"""

import socket
import ssl
import sys


def pump(connection, session, outgoing, incoming, act):
    """Runs one step of TLS over the connection."""
    while True:
        try:
            result = act()
            connection.sendall(outgoing.read())
            return result
        except ssl.SSLWantReadError:
            connection.sendall(outgoing.read())
            if part := connection.recv(65536):
                incoming.write(part)
            else:
                incoming.write_eof()


class Client:
    def __init__(self, host, tls):
        self.host, self.tls = host, tls
        self.request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        self.connection = socket.create_connection(("127.0.0.1", 443 if tls else 80), timeout=30)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        first = self._hello() if tls else self.request
        self.connection.sendall(first[:len(first) // 2])
        self.rest = first[len(first) // 2:]

    def _hello(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.session = context.wrap_bio(self.incoming, self.outgoing, server_hostname=self.host)
        try:
            self.session.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    def _step(self, act):
        return pump(self.connection, self.session, self.outgoing, self.incoming, act)

    def finish(self):
        self.connection.sendall(self.rest)
        if self.tls:
            self._step(self.session.do_handshake)
            self._step(lambda: self.session.write(self.request))
        answer = b""
        try:
            while part := self._step(lambda: self.session.read(65536)) if self.tls else self.connection.recv(65536):
                answer += part
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            pass
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), answer
        return body.decode()


def main(n, host):
    clients = [Client(host, tls=i % 2 == 1) for i in range(n)]
    print("half", flush=True)
    sys.stdin.readline()
    for client in clients:
        print(client.finish(), end="", flush=True)


main(int(sys.argv[1]), sys.argv[2])
