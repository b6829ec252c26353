# SPDX-License-Identifier: MIT
"""Constant load from many clients at once, by turns over HTTP and HTTPS; every connection that fails is reported.

load.py WORKERS HOST...: WORKERS is a JSON object, kind -> number for each host:
  new    A new connection for each request.
  slow   The same, but the first bytes come in two parts, so the router has to keep the connection meanwhile.
  keep   Requests on one connection as long as the server keeps it.

Prints "running" when each worker has had an answer, continues until its standard input ends (or, if that never comes, for
START_TIMEOUT), and prints a report as JSON. Answers each line of its standard input with the smallest number of answers that
a worker has had.
Times are of the monotonic clock, so the caller can compare them with its own.
"""

import collections
import json
import os
import random
import socket
import ssl
import sys
import threading
import time

TIMEOUT = 30
START_TIMEOUT = 40
PART_PAUSE = 0.3
PATH = "/load.txt"

# What a client of the web does by itself: RFC 9112 section 9.3.1, an answer that never began on a reused connection.
ENDED_WHILE_IDLE = "ended while idle"
# The servers end a connection that has been idle for 5 s. Only a client that stalls comes so late.
CAME_LATE, IDLE_SEC = "came late", 5


class Ended(Exception):
    """The server ended the connection."""


class NoAnswer(Ended):
    """And had not begun to answer the request."""


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Plain:
    def __init__(self, slow):
        self.slow, self.n_received = slow, 0
        self.socket = socket.create_connection(("127.0.0.1", 80), timeout=TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        if self.slow:
            data = send_first_part(self.socket, data)
        self.socket.sendall(data)

    def receive(self):
        data = self.socket.recv(65536)
        self.n_received += len(data)
        return data

    def close(self):
        self.socket.close()


class Tls(Plain):
    """TLS through memory, so that its first bytes can be sent in parts and what arrives is counted."""

    def __init__(self, host, slow):
        self.slow, self.n_received = slow, 0
        self.socket = socket.create_connection(("127.0.0.1", 443), timeout=TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input, self.output = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls_context().wrap_bio(self.input, self.output, server_hostname=host)
        self._first = slow
        try:
            self._drive(self.tls.do_handshake)
        except BaseException:
            self.close()
            raise

    def _flush(self):
        data = self.output.read()
        if self._first and data:
            self._first = False
            data = send_first_part(self.socket, data)
        if data:
            self.socket.sendall(data)

    def _drive(self, step, *args):
        while True:
            try:
                result = step(*args)
                self._flush()
                return result
            except ssl.SSLWantReadError:
                self._flush()
                data = self.socket.recv(65536)
                if not data:
                    raise Ended("end of input within TLS") from None
                self.n_received += len(data)
                self.input.write(data)

    def send(self, data):
        self._drive(self.tls.write, data)

    def receive(self):
        try:
            return self._drive(self.tls.read, 65536)
        except (ssl.SSLZeroReturnError, Ended):
            return b""


def send_first_part(connection, data):
    """Sends half of it, lets some time pass, and returns the rest."""
    half = len(data) // 2
    connection.sendall(data[:half])
    time.sleep(PART_PAUSE)
    return data[half:]


def receive_head(connection):
    answer = b""
    while b"\r\n\r\n" not in answer:
        try:
            data = connection.receive()
        except ConnectionError as error:
            if answer:
                raise
            raise NoAnswer(repr(error)) from None
        if not data:
            raise (Ended if answer else NoAnswer)(f"end of input after {answer!r}")
        answer += data
    return answer


def ask(connection, host, keep):
    """One request. Returns whether the server keeps the connection."""
    connection.send(f"GET {PATH} HTTP/1.1\r\nHost: {host}\r\n"
                    f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n".encode())
    answer = receive_head(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ValueError(answer[:200])
    fields = {name.lower(): value for name, value in
              (line.split(": ", 1) for line in head.decode("ascii").split("\r\n")[1:])}
    while len(body) < int(fields["content-length"]):
        data = connection.receive()
        if not data:
            raise Ended(f"end of input within the body, after {answer!r}")
        body += data
    if body.decode().strip() != host:
        raise ValueError(answer[:200])
    return keep and fields.get("connection", "").lower() != "close"


class Load:
    def __init__(self, workers, hosts):
        self.end, self.running = threading.Event(), threading.Event()
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.failures, self.longest_sec = [], 0.0
        self.threads, self.answers = [], {}
        for kind, n in workers.items():
            for host in hosts:
                for i in range(n):
                    name = f"{kind} {host} {i}"
                    self.answers[name] = 0
                    self.threads.append(threading.Thread(target=self._work, args=(name, kind, host, i % 2 == 1)))

    def _work(self, name, kind, host, tls):
        while not self.end.is_set():
            self._connect(name, kind, host, tls)
            if kind != "keep":
                tls = not tls
            time.sleep(random.uniform(0, 0.02))

    def _connect(self, name, kind, host, tls):
        connection, n_answers, began = None, 0, time.monotonic()
        previous = sent = began
        try:
            connection = Tls(host, kind == "slow") if tls else Plain(kind == "slow")
            while True:
                previous, sent = sent, time.monotonic() if n_answers > 0 else began
                kept = ask(connection, host, kind == "keep" and not self.end.is_set())
                n_answers += 1
                self._answered(name, kind, time.monotonic() - sent)
                if not kept:
                    break
                time.sleep(0.02)
        except Exception as error:  # pylint: disable=broad-except  (whatever it is, the connection has failed)
            idle = None
            if n_answers > 0 and isinstance(error, (NoAnswer, BrokenPipeError)):
                idle = ENDED_WHILE_IDLE if time.monotonic() < previous + IDLE_SEC else CAME_LATE
            self._failed(kind, host, tls, began, connection, idle, f"{type(error).__name__}: {error}")
        finally:
            if connection:
                connection.close()

    def _answered(self, name, kind, sec):
        with self.lock:
            self.counts[kind] += 1
            self.longest_sec = max(self.longest_sec, sec)
            self.answers[name] += 1
            if all(self.answers.values()):
                self.running.set()

    def _failed(self, kind, host, tls, began, connection, idle, what):
        with self.lock:
            if idle:
                self.counts[idle] += 1
                return
            self.failures.append({
                "kind": kind, "host": host, "tls": tls, "began": began, "ended": time.monotonic(),
                "n_received": connection.n_received if connection else 0, "what": what})

    def run(self):
        for thread in self.threads:
            thread.start()
        if self.running.wait(START_TIMEOUT):
            print("running", flush=True)
            for _ in sys.stdin:
                print(min(self.answers.values()), flush=True)
        self.end.set()
        for thread in self.threads:
            thread.join()
        print(json.dumps({"counts": self.counts, "failures": self.failures, "longest_sec": self.longest_sec}))
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    Load(json.loads(sys.argv[1]), sys.argv[2:]).run()
