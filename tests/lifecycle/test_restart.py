# SPDX-License-Identifier: MIT
"""A stop, restart or reload while somebody downloads slowly: the download goes on, and nobody else waits for its end."""

import subprocess
import time

import pytest

SIZE = 6_000_000
PER_SEC = 1_000_000


@pytest.fixture(name="downloads")
def downloads_fixture(box, trio):
    """Starts a slow download from each, one for each MPM, and returns how they went."""
    for name in trio:
        box.path(f"/srv/www/{name}/large.bin").write_bytes(b"x" * SIZE)
        box.run("chown", f"{name}:", f"/srv/www/{name}/large.bin")
        box.write_instance(name, f"Host={name}.example\nIdleSec=0\n")
        box.run("systemctl", "stop", f"bellhop@{name}.service")
    clients = []

    def begin():
        for name in trio:
            clients.append(box.popen_client(
                "curl", "-sSk", "--limit-rate", PER_SEC, "--resolve", f"{name}.example:443:127.0.0.1", "-o", "/dev/null",
                "-w", "%{http_code} %{size_download}", f"https://{name}.example/large.bin",
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        for name in trio:
            box.wait_for(f"{name} sends", lambda name=name: box.show(
                f"bellhop@{name}.service", "StatusText").startswith("1 connections"))

    def end():
        return [client.communicate(timeout=60)[0] for client in clients]

    yield begin, end
    for name in trio:
        box.write_instance(name, f"Host={name}.example\nIdleSec=1s\n")
        box.run("systemctl", "stop", f"bellhop@{name}.service")


@pytest.mark.parametrize("action", ["restart", "stop", "reload"])
def test_slow_download_keeps_nobody_waiting(box, trio, downloads, action):
    begin, end = downloads
    begin()
    box.run("systemctl", "--no-block", action, *(f"bellhop@{name}.service" for name in trio))
    for name in trio:
        began = time.monotonic()
        assert box.curl(f"https://{name}.example/load.txt").strip() == f"{name}.example"
        # A second until another server starts; the rest is for a busy machine.
        assert time.monotonic() - began < 5
    assert end() == [f"200 {SIZE}"] * len(trio)
    for name in trio:
        box.wait_for("all is settled", lambda name=name: box.show(f"bellhop@{name}.service", "Job") in ("", "0"))
        assert box.curl(f"http://{name}.example/load.txt").strip() == f"{name}.example"
        assert box.show(f"bellhop@{name}.service", "Result") == "success"
