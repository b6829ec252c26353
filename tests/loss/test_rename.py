# SPDX-License-Identifier: MIT
"""Constant load while a customer is renamed, once and again: not one connection fails, and no download is cut."""

import hashlib
import signal
import threading

import pytest
from clients import ALL_KINDS, load
from fixtures import publish
from showcase import BOB

MANY = 10**6
HOST = "carol.example"
DOWNLOAD_SEC = 8
RATE = 8 << 20  # more than all buffers on the way hold


@pytest.fixture(name="site")
def _site(box, carol):
    """carol, or dave; gone afterwards, whatever the name."""
    box.run("usermod", "-c", "bellhop customer", carol)
    box.start_customer(carol)
    yield carol
    for name in ("carol", "dave"):
        box.try_run("bellhopctl", "remove", "--purge", "--yes", name)
    box.create_customer("carol", [HOST])
    publish(box, "carol", HOST)


def rename(box, old, new):
    done = box.try_run("bellhopctl", "rename", old, new)
    assert done.returncode == 0, done
    return new, old


def test_5_renames(box, site):
    uid, (old, new) = box.uid(site), ("carol", "dave")
    with load(box, HOST, BOB) as report:
        for _ in range(5):
            old, new = rename(box, old, new)
    report.assert_nothing_failed(*ALL_KINDS, idle_ends=MANY)
    assert box.uid(old) == uid


def test_renames_of_an_instance_that_sleeps(box, site):
    """Each visitor starts it, before, in between and afterwards."""
    old, new = site, "dave"
    with load(box, HOST) as report:
        ended = threading.Event()

        def put_to_sleep():
            # One that starts is left to serve, however long its start takes.
            while not ended.wait(0.3):
                for name in ("carol", "dave"):
                    if box.show(f"bellhop@{name}.service", "ActiveState") == "active":
                        box.try_run("systemctl", "stop", f"bellhop@{name}.service")

        thread = threading.Thread(target=put_to_sleep)
        thread.start()
        try:
            for _ in range(4):
                old, new = rename(box, old, new)
        finally:
            ended.set()
            thread.join()
    report.assert_nothing_failed(*ALL_KINDS, idle_ends=MANY)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_long_download(box, site, scheme, tmp_path):
    path, got = f"/srv/www/{site}/large.bin", tmp_path / "got"
    box.shell(f"head -c {DOWNLOAD_SEC * RATE} /dev/urandom > {path}; chown {site}: {path}")
    digest = hashlib.sha256(box.path(path).read_bytes()).hexdigest()
    client = box.popen_client("curl", "-sSk", "--limit-rate", RATE, "--connect-to", "::127.0.0.1:", "-o", got,
                              f"{scheme}://{HOST}/large.bin")
    try:
        box.wait_for("the download", lambda: got.exists() and got.stat().st_size > 0)
        rename(box, "carol", "dave")
        assert client.wait(timeout=60) == 0
        assert hashlib.sha256(got.read_bytes()).hexdigest() == digest
    finally:
        client.send_signal(signal.SIGTERM)
        client.wait()
