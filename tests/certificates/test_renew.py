# SPDX-License-Identifier: MIT
"""Certificates with a life of seconds are renewed several times under load, and no connection fails."""

import time

import pytest
from authority import Authority, certificate, ordered_again, read_acme_files, serial_of, served, state, wait_for_certificate
from clients import ALL_KINDS, load
from fixtures import publish
from watch import owner_of, watched

VALIDITY_SEC, RENEWALS = 12, 3
# A reload may end kept connections between two requests, which is not a failure in HTTP.
MANY = 10**6
CUSTOMERS = {"rita": "apache", "nora": "nginx", "rosa": "apache"}
BUSY = ("rita", "nora")


@pytest.fixture(name="short", scope="module")
def _short(box, dns):
    """An authority whose certificates expire soon; it validates each host once."""
    short = Authority(box, "short", 14300, prompt=True, validity_sec=VALIDITY_SEC, reuse_percent=100)
    # uacme polls an order every 5 s; after two polls, the new certificate is due already.
    short.configure(RetrySec="1s")
    dns.has(*(f"{name}.example" for name in CUSTOMERS))
    for name, server in CUSTOMERS.items():
        box.run("bellhopctl", "add", name, "--create-user", f"--host={name}.example", f"--server={server}", "--acme=short")
        publish(box, name, f"{name}.example")
    for name in CUSTOMERS:
        wait_for_certificate(box, name)
    yield short
    for name in CUSTOMERS:
        box.run("bellhopctl", "remove", name, "--purge", "--yes")
    read_acme_files(box)
    short.stop()


def is_fresh(known):
    return known["Failures"] == 0 and known["NotAfter"] > time.time()


def test_renewed_under_load(box, short):
    hosts = [f"{name}.example" for name in BUSY]
    seen = {name: set() for name in CUSTOMERS}
    with watched(box) as openings, load(box, *hosts) as report:
        began = {name: box.show(f"bellhop@{name}.service", "InvocationID") for name in BUSY}

        def look():
            for name in BUSY:
                seen[name].add(serial_of(served(box, f"{name}.example")))
            # rosa has no visitors.
            seen["rosa"].add(serial_of(certificate(box, "rosa")))
            return all(len(serials) > RENEWALS for serials in seen.values())
        box.wait_for("renewals of each", look, seconds=180)
    report.assert_nothing_failed(*ALL_KINDS, idle_ends=MANY)
    assert {owner_of(path) for _, _, path in openings.found} == set(CUSTOMERS)
    assert openings.by_others(lambda path: box.uid(owner_of(path))) == []
    # Running instances were reloaded, and rosa's was not started.
    assert {name: box.show(f"bellhop@{name}.service", "InvocationID") for name in BUSY} == began
    assert box.show("bellhop@rosa.service", "InvocationID") == ""
    for name in CUSTOMERS:
        box.wait_for(f"a certificate of {name} that is not due", lambda name=name: is_fresh(state(box, name)),
                     seconds=60)

    def has_one_order_for_each_certificate():
        again = ordered_again(box)
        return len(short.orders()) <= len(short.issued()) + sum(again[name] for name in CUSTOMERS)
    # An order can be in progress.
    box.wait_for("the end of an order", has_one_order_for_each_certificate, seconds=60)


def test_due_at_once(box, dns):
    """A new certificate that is due for renewal already is renewed after RetrySec=."""
    tiny = Authority(box, "tiny", 14700, prompt=True, validity_sec=2, refused_percent=0)
    tiny.configure(RetrySec="1s")
    dns.has("tina.example")
    box.run("bellhopctl", "add", "tina", "--create-user", "--host=tina.example", "--acme=tiny")
    try:
        box.wait_for("renewals", lambda: len(tiny.issued()) > RENEWALS, seconds=180)
        # The pause doubles.
        assert state(box, "tina")["Failures"] >= RENEWALS
    finally:
        box.run("bellhopctl", "remove", "tina", "--purge", "--yes")
        read_acme_files(box)
        tiny.stop()
