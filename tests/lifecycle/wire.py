# SPDX-License-Identifier: MIT
"""A relay that counts what goes over the wire.

wire.py PORT TO [STOP-AFTER]: listens on 127.0.0.1:PORT and passes connections on to port TO of 127.0.0.1; says "ready".
With STOP-AFTER, it reads no more of an answer than that, says "stopped" once the kernel takes no more either, and
abandons the connection at a line of input. When its input ends, and all connections have, it prints how many there
were, and what the kernel says that they have sent and received in all.
"""

import json
import select
import socket
import struct
import sys
import threading
import time


def figures(connection):
    """(bytes that the peer has acknowledged, bytes received)"""
    return struct.unpack_from("=QQ", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), 120)


class Relay:
    def __init__(self, port, to, stop_after):
        self.to, self.stop_after = to, stop_after
        self.listener = socket.create_server(("127.0.0.1", port))
        self.go_on = threading.Event()
        self.lock = threading.Lock()
        self.n = self.sent = self.received = 0

    def stop(self, server):
        seen, since = figures(server), time.monotonic()
        while time.monotonic() < since + 0.5:
            time.sleep(0.01)
            if (now := figures(server)) != seen:
                seen, since = now, time.monotonic()
        print("stopped", flush=True)
        self.go_on.wait()

    def pump(self, client, server):
        n, open_ends = 0, {client: server, server: client}
        while open_ends:
            for source in select.select(list(open_ends), [], [])[0]:
                try:
                    part = source.recv(65536)
                    n += len(part) if source is server else 0
                    open_ends[source].sendall(part)
                except OSError:
                    return
                if not part:
                    try:
                        open_ends.pop(source).shutdown(socket.SHUT_WR)
                    except OSError:
                        return
                if self.stop_after and n >= self.stop_after:
                    self.stop(server)
                    return

    def serve(self, client):
        with client, socket.create_connection(("127.0.0.1", self.to)) as server:
            self.pump(client, server)
            sent, received = figures(server)
            with self.lock:
                self.n += 1
                self.sent += sent
                self.received += received

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            thread = threading.Thread(target=self.serve, args=(client,))
            self.threads.append(thread)
            thread.start()

    def run(self):
        self.threads = []
        threading.Thread(target=self.accept, daemon=True).start()
        print("ready", flush=True)
        while sys.stdin.readline():
            self.go_on.set()
        self.go_on.set()
        for thread in list(self.threads):
            thread.join()
        print(json.dumps({"n": self.n, "sent": self.sent, "received": self.received}), flush=True)


Relay(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0).run()
