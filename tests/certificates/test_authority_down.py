# SPDX-License-Identifier: MIT
"""An authority fails or takes no orders: this does not count as a failure of customers, and bellhop-acme recovers."""

import pathlib

import many
import pytest
from authority import HERE, HOST, Authority, issued_too_often, read_acme_files, start, state, wait_for_certificate

FIRST = 800
LIMITED_PORT = 14500


@pytest.fixture(name="gone", scope="module")
def _gone(box, dns):  # pylint: disable=unused-argument
    gone = Authority(box, "gone", 14400, prompt=True)
    gone.configure(RetrySec="2s", OrdersMax=4)
    yield gone
    gone.stop()


@pytest.fixture(name="crowd")
def _crowd(box, dns, request):
    first, n, authority = request.param
    names = many.names(n, FIRST + first)
    dns.has(*map(many.host, names))
    many.create(box, names, FIRST + first, f"Tls=acme\nAcme={authority}\n")
    yield names
    many.remove(box, names)
    box.shell(f"rm -rf {' '.join(f'/etc/bellhop/tls/{name}' for name in names)}")
    read_acme_files(box)


def nothing_in_progress(box):
    return box.show("bellhop-acme.service", "StatusText").endswith(", 0 orders in progress")


def tried(box, names):
    return [name for name in names if state(box, name).get("Tried")]


def assert_no_failure_counted(box, names):
    assert {state(box, name).get("Failures", 0) for name in names} == {0}


@pytest.mark.parametrize("crowd", [(0, 8, "gone")], indirect=True)
def test_it_falls_silent(box, dns, authority, gone, crowd):  # pylint: disable=unused-argument
    """Two orders have begun by then, and six not yet."""
    early, late = crowd[:2], crowd[2:]
    for name in late:
        box.path(f"/etc/bellhop/instances/{name}.conf").rename(box.path(f"/etc/bellhop/instances/{name}.later"))
    box.run("bellhopctl", "apply")
    box.wait_for("orders", lambda: len(gone.orders()) == len(early))
    with gone.out_of_reach():
        for name in late:
            box.path(f"/etc/bellhop/instances/{name}.later").rename(box.path(f"/etc/bellhop/instances/{name}.conf"))
        box.run("bellhopctl", "apply")
        # Another authority is not affected.
        dns.has("paul.example")
        box.run("bellhopctl", "add", "paul", "--create-user", "--host=paul.example", "--acme", "--wait")
        box.wait_for("tries have failed", lambda: len(tried(box, late)) >= 2 and len(tried(box, early)) == 2, seconds=120)
        assert_no_failure_counted(box, crowd)
        # An order that has begun can also end before the authority falls silent.
        for name in tried(box, crowd):
            assert "Error" in state(box, name) or (name in early and state(box, name).get("Certificate"))
    for name in crowd:
        wait_for_certificate(box, name)
    assert_no_failure_counted(box, crowd)
    box.run("bellhopctl", "remove", "paul", "--purge", "--yes")


@pytest.mark.parametrize("crowd", [(20, 4, "limited")], indirect=True)
def test_it_takes_no_orders(box, gone, crowd):
    box.write(f"{HERE}/limited.py", (pathlib.Path(__file__).parent / "limited.py").read_text())
    start(box, "limited", "", f"/usr/bin/python3 {HERE}/limited.py {LIMITED_PORT} {HERE}/https.pem {HERE}/https.key")
    url = f"https://{HOST}:{LIMITED_PORT}/directory"
    box.wait_for("the authority", lambda: box.try_run("curl", "-sf", url).returncode == 0)
    gone.configure(name="limited", Directory=url, OrdersMax=2, RetrySec="1h")
    box.run("bellhopctl", "apply")
    box.wait_for("a try", lambda: tried(box, crowd), seconds=60)
    # Between its parts, a try runs no uacme.
    box.wait_for("what was begun ends", lambda: nothing_in_progress(box), seconds=60)
    # The pause is for all instances of the authority, also after a reload.
    read_acme_files(box)
    assert box.path(f"{HERE}/limited.log").read_text().split().count("/newOrder") == len(tried(box, crowd)) <= 2
    assert_no_failure_counted(box, crowd)
    assert all("too many new orders recently" in state(box, name)["Error"] for name in tried(box, crowd))
    # Another authority can be tried at once.
    gone.configure(name="limited")
    box.run("systemctl", "restart", "bellhop-acme.service")
    for name in crowd:
        box.run("bellhopctl", "cert", name, "--renew")
    for name in crowd:
        wait_for_certificate(box, name)
    box.run("systemctl", "stop", "limited")


@pytest.mark.parametrize("crowd", [(40, 6, "moody")], indirect=True)
def test_it_refuses_nonces(box, crowd):
    """uacme gives up after three refused nonces; the order is then made again at once."""
    moody = Authority(box, "moody", 14600, prompt=True, refused_percent=25)
    moody.configure(RetrySec="1s")
    box.run("bellhopctl", "apply")
    for name in crowd:
        wait_for_certificate(box, name)
    assert_no_failure_counted(box, crowd)
    assert issued_too_often(box, moody, crowd) == {}
    moody.stop()
