# SPDX-License-Identifier: MIT
"""A mail server in the box, in miniature."""

import json
import subprocess

# A mail server on port 25, which says what it got: a line of JSON for each message.
SERVER = r"""import json, socketserver, threading
lock = threading.Lock()
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 mx\r\n")
        sender, lines = None, None
        for line in self.rfile:
            if lines is not None and line != b".\r\n":
                lines.append(line.decode())
                continue
            if lines is not None:
                with lock:  # print() writes the end of a line by itself
                    print(json.dumps([sender, "".join(lines)]), flush=True)
                lines = None
            if line.startswith(b"MAIL"):
                sender = line.strip().decode()[10:]
            if line.startswith(b"DATA"):
                lines = []
            self.wfile.write(b"354 go on\r\n" if line.startswith(b"DATA") else b"250 fine\r\n")
            if line.startswith(b"QUIT"):
                return
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 100
with Server(("127.0.0.1", 25), Handler) as server:
    print("ready", flush=True)
    server.serve_forever()
"""


class MailServer:
    def __init__(self, box):
        # Its end is the end of all waiting for it.
        self.process = box.popen_client("timeout", "600", "/usr/bin/python3", "-c", SERVER, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready\n"

    def next(self):
        return json.loads(self.process.stdout.readline())
