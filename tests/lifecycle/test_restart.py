# SPDX-License-Identifier: MIT
"""A stop, restart or reload while somebody downloads slowly: the download goes on, and nobody else waits for its end."""

import subprocess
import sys

import pytest
from conftest import settings_of

SIZE = 30_000_000  # more than the buffers of both sides

# Begins to download, says so, and reads on when it is told to.
CLIENT = """import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
connection = context.wrap_socket(socket.create_connection(("127.0.0.1", 443), 60), server_hostname=sys.argv[1])
connection.sendall(f"GET /large.bin HTTP/1.1\\r\\nHost: {sys.argv[1]}\\r\\nConnection: close\\r\\n\\r\\n".encode())
answer = connection.makefile("rb")
while answer.readline() != b"\\r\\n":
    pass
print("begun", flush=True)
sys.stdin.readline()
print(sum(len(part) for part in iter(lambda: answer.read(65536), b"")), flush=True)
"""


@pytest.fixture(name="downloads")
def downloads_fixture(box, four):
    """Begins a download from each instance; lets them go on and returns how many bytes they got."""
    for name in four:
        box.path(f"/srv/www/{name}/large.bin").write_bytes(b"x" * SIZE)
        box.run("chown", f"{name}:", f"/srv/www/{name}/large.bin")
        box.write_instance(name, settings_of(name, "IdleSec=0"))
        box.run("systemctl", "stop", f"bellhop@{name}.service")
    clients = []

    def begin():
        for name in four:
            clients.append(box.popen_client(sys.executable, "-c", CLIENT, f"{name}.example", stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE))
        for client in clients:
            assert client.stdout.readline() == "begun\n"

    def end():
        return [int(client.communicate("go on\n", timeout=60)[0]) for client in clients]

    yield begin, end
    for name in four:
        box.write_instance(name, settings_of(name, "IdleSec=1s"))
        box.run("systemctl", "stop", f"bellhop@{name}.service")


@pytest.mark.parametrize("action", ["restart", "stop", "reload"])
def test_slow_download_keeps_nobody_waiting(box, four, downloads, action):
    begin, end = downloads
    begin()
    box.run("systemctl", "--no-block", action, *(f"bellhop@{name}.service" for name in four))
    for name in four:
        # curl gives up after twenty seconds; the downloads only continue afterwards.
        assert box.curl(f"https://{name}.example/load.txt").strip() == f"{name}.example"
    assert end() == [SIZE] * len(four)
    for name in four:
        box.wait_for("all is settled", lambda name=name: box.show(f"bellhop@{name}.service", "Job") in ("", "0"))
        assert box.curl(f"http://{name}.example/load.txt").strip() == f"{name}.example"
        assert box.show(f"bellhop@{name}.service", "Result") == "success"
