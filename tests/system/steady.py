# SPDX-License-Identifier: MIT
"""A client that asks again and again, each time on a new connection, by turns over HTTP and HTTPS.

steady.py HOST...: says "running" after one round, goes on until its standard input ends, then prints how many requests
it made and which of them failed, as JSON. A request has failed when its answer does not begin with its host.
"""

import json
import select
import socket
import ssl
import sys


def ask(host, tls):
    with socket.create_connection(("127.0.0.1", 443 if tls else 80), timeout=20) as connection:
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = context.wrap_socket(connection, server_hostname=host)
        with connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 ") or host.encode() not in body:
        raise ValueError(answer[:200])


def main(hosts):
    n, failures = 0, []
    while True:
        for host in hosts:
            for tls in (False, True):
                n += 1
                try:
                    ask(host, tls)
                except Exception as error:  # pylint: disable=broad-except  (whatever it is, the request has failed)
                    failures.append(f"{host} tls={tls}: {type(error).__name__}: {error}")
        if n == 2 * len(hosts):
            print("running", flush=True)
        if select.select([sys.stdin], [], [], 0)[0]:
            print(json.dumps({"n": n, "failures": failures}))
            return


main(sys.argv[1:])
