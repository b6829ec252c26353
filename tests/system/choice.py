# SPDX-License-Identifier: MIT
"""choice.py ADDRESS PORT TLS-PORT [--router] <HOSTS: prints, as JSON, what each host gets over plain HTTP and over TLS. It
starts the Apache of /etc/apache2 in a network of its own, which says the name of the virtual host that it chooses; with
--router, it asks what listens already, and says the status with the body, or why there is no TLS."""

import json
import os
import socket
import ssl
import subprocess
import sys
import time

ADDRESS, PORTS = sys.argv[1], [int(port) for port in sys.argv[2:4]]
BLANK = "\r\n\r\n"
# Whatever the answer is, it says which virtual host gives it.
SERVER = ["apache2", "-DFOREGROUND", "-f", "/etc/apache2/apache2.conf", "-c", "UseCanonicalName On", "-c",
          "Header always set X-Host expr=%{SERVER_NAME}"]


def connect(port):
    end = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection((ADDRESS, port), timeout=30)
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.01)


def answer_of(host, port, tls, method):
    with connect(port) as connection:
        if tls:
            context = ssl._create_unverified_context()  # pylint: disable=protected-access
            connection = context.wrap_socket(connection, server_hostname=host)
        connection.sendall(f"{method} / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
        connection.close()
    return answer


def ask_router(host, port, tls):
    try:
        answer = answer_of(host, port, tls, "GET").decode()
        return f"{answer.split()[1]} {answer.partition(BLANK)[2].strip()}"
    except ssl.SSLError as error:
        return error.reason


def ask(host, port, tls):
    answer = answer_of(host, port, tls, "HEAD")
    return next(line.split(b": ")[1].decode() for line in answer.split(b"\r\n") if line.lower().startswith(b"x-host:"))


def ask_all(how):
    print(json.dumps({host: [how(host, PORTS[0], False), how(host, PORTS[1], True)] for host in sys.stdin.read().split()}))


def main():
    if "--router" in sys.argv:
        ask_all(ask_router)
        return
    os.makedirs("/run/lock/apache2", exist_ok=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", ADDRESS, "dev", "lo"], check=True)
    with subprocess.Popen(SERVER) as server:
        ask_all(ask)
        server.terminate()


if __name__ == "__main__":
    main()
