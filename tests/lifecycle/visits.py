# SPDX-License-Identifier: MIT
"""Visitors who come when an instance is about to end, ends, or has just ended.

visits.py IDLE_SEC HOST...: for each host, again and again: nobody for about IDLE_SEC, then one to three visitors
within a tenth of a second, each by HTTP or HTTPS, with one request, or several on one connection, between which some
time passes. The kinds come in turn, by chance. Says "running" when each host has had a visitor, goes on until its
standard input ends, and prints a report as load.py does.
"""

import collections
import json
import os
import random
import sys
import threading
import time
from statistics import median

from load import ENDED_WHILE_IDLE, NoAnswer, Plain, Tls, ask


class Visits:
    def __init__(self, idle_sec, hosts):
        self.idle_sec, self.hosts = idle_sec, hosts
        self.end = threading.Event()
        self.lock = threading.Lock()
        self.counts, self.failures, self.seconds = collections.Counter(), [], []
        self.kinds = []  # the next ones

    def _ask_all(self, host, tls, n):
        """n requests, on one connection while the server keeps it; returns how many are left if it did not."""
        began = time.monotonic()
        connection = Tls(host, False) if tls else Plain(False)
        try:
            for done in range(n):
                try:
                    kept = ask(connection, host, done + 1 < n)
                except (NoAnswer, BrokenPipeError):
                    # What a client of the web does by itself: RFC 9112 section 9.3.1.
                    if done == 0:
                        raise
                    with self.lock:
                        self.counts[ENDED_WHILE_IDLE] += 1
                    return n - done
                if done == 0:
                    self._answered(time.monotonic() - began)
                if not kept:
                    return n - done - 1
                time.sleep(random.uniform(0, self.idle_sec / 2))
            return 0
        finally:
            connection.close()

    def _answered(self, sec):
        with self.lock:
            self.seconds.append(sec)

    def _next_kind(self):
        """With TLS or without, and how many requests; each kind comes once in eight visits or more often."""
        with self.lock:
            if not self.kinds:
                self.kinds = [(tls, n) for tls in (False, True) for n in (1, 1, 1, 3)]
                random.shuffle(self.kinds)
            return self.kinds.pop()

    def _visit(self, host, after_sec):
        time.sleep(after_sec)
        tls, n = self._next_kind()
        kind = ("tls" if tls else "plain") + (" kept" if n > 1 else "")
        began = time.monotonic()
        try:
            left = n
            while left > 0:
                left = self._ask_all(host, tls, left)
        except Exception as error:  # pylint: disable=broad-except  (whatever it is, the visit has failed)
            with self.lock:
                self.failures.append({"kind": kind, "host": host, "began": began, "ended": time.monotonic(),
                                      "what": f"{type(error).__name__}: {error}"})
        with self.lock:
            self.counts[kind] += 1

    def _round(self, host):
        visitors = [threading.Thread(target=self._visit, args=(host, random.uniform(0, 0.1)))
                    for _ in range(random.choice((1, 1, 2, 3)))]
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.join()

    def _keep_coming(self, host):
        while not self.end.is_set():
            # An instance that exits needs a tenth of a second or so: most come before, within or just after it.
            self.end.wait(self.idle_sec + random.uniform(-0.05, 0.15))
            self._round(host)

    def run(self):
        for host in self.hosts:
            self._round(host)
        threads = [threading.Thread(target=self._keep_coming, args=(host,)) for host in self.hosts]
        for thread in threads:
            thread.start()
        print("running", flush=True)
        sys.stdin.read()
        self.end.set()
        for thread in threads:
            thread.join()
        print(json.dumps({"counts": self.counts, "failures": self.failures,
                          "longest_sec": max(self.seconds, default=0), "median_sec": median(self.seconds or [0])}))
        sys.stdout.flush()
        os._exit(0)


Visits(float(sys.argv[1]), sys.argv[2:]).run()
