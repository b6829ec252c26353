# SPDX-License-Identifier: MIT
"""Programs are killed at random moments; all customers get their certificates, and none is issued twice."""

import random
import time

import many
import pytest
from authority import has_certificate, issued_too_often, read_acme_files

FIRST, N = 500, 16
STRIKES = 25


def strike_manager(box):
    box.try_run("systemctl", "kill", "--kill-who=main", "--signal=KILL", "bellhop-acme.service")


def strike_worker(box):
    """Kills the process of an order; its uacme continues."""
    main = box.show("bellhop-acme.service", "MainPID")
    workers = [pid for pid in box.try_run("pgrep", "-x", "bellhop-acme").stdout.split() if pid != main]
    if workers:
        box.try_run("kill", "-KILL", random.choice(workers))


def strike_cert(box):
    box.try_run("pkill", "-KILL", "-x", "bellhop-cert")


def restart_acme(box):
    box.run("systemctl", "restart", "bellhop-acme.service")


def restart_router(box):
    box.run("systemctl", "restart", "bellhop-router.service")


def strike_router(box):
    box.try_run("systemctl", "kill", "--kill-who=main", "--signal=KILL", "bellhop-router.service")


def strike_client(box):
    box.try_run("pkill", "-KILL", "-x", "-n", "uacme")


WITHOUT_CLIENT = (strike_manager, strike_worker, strike_cert, restart_acme, restart_router, strike_router)


@pytest.fixture(name="crowd")
def _crowd(box, dns, request):
    """New customers, whose orders have just begun."""
    authority = request.getfixturevalue({"default": "authority", "slow": "slow"}[request.param[1]])
    authority.configure(OrdersMax=8, RetrySec="1s", RetryMaxSec="2s")
    names = many.names(N, FIRST + 100 * request.param[0])
    dns.has(*map(many.host, names))
    many.create(box, names, FIRST + 100 * request.param[0], f"Tls=acme\nAcme={request.param[1]}\n")
    box.run("bellhopctl", "apply")
    yield names
    many.remove(box, names)
    box.shell(f"rm -rf {' '.join(f'/etc/bellhop/tls/{name}' for name in names)}")
    authority.configure()
    read_acme_files(box)


def strike(box, names, strikes, seed):
    """Kills at random until all have a certificate, at most STRIKES times."""
    print("seed", seed)
    dice, n = random.Random(seed), 0
    while not all(has_certificate(box, name) for name in names) and n < STRIKES:
        time.sleep(dice.uniform(0, 0.5))  # so that it meets all steps of an order
        dice.choice(strikes)(box)
        n += 1
    box.wait_for("the router", lambda: box.show("bellhop-router.service", "ActiveState") == "active")
    # An instance whose process was killed waits for 30 s, and uacme asks the authority less and less often.
    box.wait_for("all have a certificate", lambda: all(has_certificate(box, name) for name in names), seconds=180)


@pytest.mark.parametrize("crowd", [(0, "slow")], indirect=True)
def test_nothing_is_issued_twice(box, slow, crowd):
    strike(box, crowd, WITHOUT_CLIENT, random.randrange(10**6))
    assert issued_too_often(box, slow, crowd) == {}


@pytest.mark.parametrize("crowd", [(1, "default")], indirect=True)
def test_the_client_is_killed(box, authority, crowd):
    """A second certificate is issued if uacme is killed between issue and download."""
    strike(box, crowd, (strike_client, strike_client, strike_manager), random.randrange(10**6))
    for name in crowd:
        assert authority.has_signed(many.host(name))
