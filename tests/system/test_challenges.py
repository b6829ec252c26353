# SPDX-License-Identifier: MIT
"""Pending challenges on a real machine: answered by units in their sandboxes, while the site sleeps, and out of reach."""

import re

import pytest

HOST = "carol.example"
FOLDER = "/run/bellhop-acme"
ANSWER = "token.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
DIGEST = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"  # of "abc"
HTTP, TLS = f"{FOLDER}/http-01/{HOST}/token", f"{FOLDER}/tls-alpn-01/{HOST}"
S_CLIENT = f"openssl s_client -connect 127.0.0.1:443 -servername {HOST} -alpn acme-tls/1 </dev/null 2>&1 || true"


def run_as(box, user, *command):
    return box.try_run("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--", *command)


@pytest.fixture(name="pending")
def _pending(box, carol):
    """A challenge of each type for carol, who sleeps; written as bellhop-acme writes them."""
    box.write_instance(carol, f"Host={HOST}\nTls=acme\nHttp=refuse\n")
    box.start_customer(carol)
    wrote = run_as(box, "bellhop-acme", "sh", "-euc", f"""
        umask 022
        mkdir -p {FOLDER}/http-01/{HOST} {FOLDER}/tls-alpn-01
        printf {ANSWER} >{HTTP}
        printf {DIGEST} >{TLS}""")
    assert wrote.returncode == 0, wrote.stderr
    yield carol
    box.run("rm", "-rf", f"{FOLDER}/http-01", f"{FOLDER}/tls-alpn-01")
    box.run("systemctl", "stop", "bellhop-acme-tls.service")


def test_both_are_answered_while_the_site_sleeps(box, pending):
    assert box.curl(f"http://{HOST}/.well-known/acme-challenge/token") == ANSWER
    assert box.curl(f"http://{HOST}/", "-o", "/dev/null", "-w", "%{http_code}") == "403"
    said = box.client("sh", "-c", S_CLIENT)
    assert "ALPN protocol: acme-tls/1" in said and re.search(r"subject=CN = bellhop-acme-tls", said), said
    assert box.show(f"bellhop@{pending}.service", "ActiveState") == "inactive"
    # The client ends without an answer to its last message.
    box.wait_for("it is counted", lambda: box.show("bellhop-acme-tls.service", "StatusText") == "answered challenges: 1")
    # It ends by itself, and starts again.
    box.run("systemctl", "stop", "bellhop-acme-tls.service")
    assert "ALPN protocol: acme-tls/1" in box.client("sh", "-c", S_CLIENT)
    assert box.journal("-u", "bellhop-acme-tls", "-p", "warning") == ""


def test_without_a_challenge_the_site_answers(box, pending):
    """The site sends only the answers of its own ACME client over plain HTTP."""
    box.run("rm", HTTP, TLS)
    box.shell(f"""
        cd /srv/www/{pending}
        echo Require all denied >.htaccess
        install -d .well-known/acme-challenge
        echo own.x >.well-known/acme-challenge/own""")
    assert box.curl(f"http://{HOST}/.well-known/acme-challenge/own") == "own.x"
    assert box.show(f"bellhop@{pending}.service", "ActiveState") == "active"
    assert "ALPN protocol: acme-tls/1" not in box.client("sh", "-c", S_CLIENT)
    assert box.show(f"bellhop@{pending}.service", "ActiveState") == "active"


def test_customers_reach_neither_files_nor_socket(box, pending):
    for path in (FOLDER, f"{FOLDER}/http-01", HTTP, TLS):
        assert "Permission denied" in run_as(box, pending, "cat", path).stderr
    assert "Permission denied" in run_as(box, pending, "sh", "-c", f"echo >{FOLDER}/x").stderr
    program = "import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).connect('/run/bellhop/acme-tls')"
    for user in (pending, "bellhop-acme"):
        assert "PermissionError" in run_as(box, user, "/usr/bin/python3", "-c", program).stderr
    assert run_as(box, "bellhop", "/usr/bin/python3", "-c", program).returncode == 0


@pytest.mark.usefixtures("pending")
def test_accounts_are_hidden_from_the_responder(box):
    """Its files are those of the user of bellhop-acme."""
    box.shell("install -d -o bellhop-acme /var/lib/bellhop-acme; install -o bellhop-acme -m 0400 /dev/null /var/lib/bellhop-acme/test")
    try:
        box.client("sh", "-c", S_CLIENT)
        pid = box.show("bellhop-acme-tls.service", "MainPID")
        inside = ["nsenter", "--target", pid, "--mount", "--", "setpriv", "--reuid=bellhop-acme", "--regid=bellhop-acme", "--clear-groups"]
        for path in ("/var/lib/bellhop-acme/test", "/etc/bellhop/router.conf", "/srv/www"):
            assert "Permission denied" in box.try_run(*inside, "ls", path).stderr
        assert "Read-only file system" in box.try_run(*inside, "touch", f"{FOLDER}/x").stderr
        assert box.run(*inside, "cat", TLS) == DIGEST
    finally:
        box.run("rm", "/var/lib/bellhop-acme/test")
