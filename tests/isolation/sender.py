# SPDX-License-Identifier: MIT
"""Hands one connection to an instance, as a router would that does not seal: sender.py HOST TARGET

By this the fence of an instance can be tried without the seal. The request comes from a client of our own.
"""

import os
import pwd
import socket
import struct
import sys
import time


def main():
    host, target = sys.argv[1:]
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname(), timeout=20)
    passed, _ = listener.accept()
    passed.setblocking(True)
    client.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())

    router = pwd.getpwnam("bellhop")
    os.setgroups([])
    os.setgid(router.pw_gid)
    os.setuid(router.pw_uid)
    handoff = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    handoff.connect(f"/run/bellhop/{host.partition('.')[0]}.handoff")
    name = host.encode()
    header = struct.pack("=4sBBBBQ", b"BHOP", 1, 3, 2, len(name), time.clock_gettime_ns(time.CLOCK_MONOTONIC))
    socket.send_fds(handoff, [header + name], [passed.fileno()])
    passed.close()
    try:
        while client.recv(4096):
            pass
    except ConnectionResetError:
        pass  # it was disconnected, as it must be


if __name__ == "__main__":
    main()
