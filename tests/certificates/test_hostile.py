# SPDX-License-Identifier: MIT
"""A hostile customer with an instance and a shell tries to get a certificate for a neighbour's host, and to keep others from
getting theirs."""

import collections
import subprocess

import pytest
from authority import certificate, names_of, read_acme_files, state, wait_for_certificate
from mallory import Hostile

NAME, HOST, FOLDER = "mallory", "mallory.example", "/etc/bellhop/tls/mallory"
VICTIM, VICTIM_HOST = "vera", "vera.example"
CHALLENGES = "/run/bellhop-acme"
ORDERS_MAX = 3
EC = "openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256"
# Files in place of the key.
KEYS = {
    "pipe": "mkfifo privkey.pem",
    "link to the neighbour's": f"ln -s ../{VICTIM}/privkey.pem privkey.pem",
    "link to a device": "ln -s /dev/zero privkey.pem",
    "folder": "mkdir privkey.pem",
    "huge": "truncate -s 8G privkey.pem",
    "encrypted": f"{EC} -aes256 -pass pass:secret -out privkey.pem",
    "garbage": "head -c 10000 /dev/urandom >privkey.pem",
    "of another kind": "openssl genpkey -quiet -algorithm X25519 -out privkey.pem",
}
# Stops all processes of its user, for ever.
STOPS = "import os, signal\nwhile True:\n    os.kill(-1, signal.SIGSTOP)\n"
TOUCHES = """
import ctypes, os, sys
pid, libc = int(sys.argv[1]), ctypes.CDLL(None, use_errno=True)
for name in ("mem", "maps", "environ", "fd/0", "fd/1", "root"):
    try:
        os.stat(f"/proc/{pid}/{name}/.") if name == "root" else open(f"/proc/{pid}/{name}", "rb").read(1)
        print("done", name)
    except PermissionError:
        pass
if libc.ptrace(16, pid, 0, 0) == 0:
    print("done ptrace")
"""


@pytest.fixture(name="mallory", scope="module")
def _mallory(box, dns, authority):
    dns.has(HOST, VICTIM_HOST)
    authority.configure()
    hostile = Hostile(box, NAME, network="no")
    box.run("bellhopctl", "add", VICTIM, "--create-user", f"--host={VICTIM_HOST}", "--acme", "--wait")
    box.run("bellhopctl", "set", NAME, "--acme")
    wait_for_certificate(box, NAME)
    yield hostile
    for name in (NAME, VICTIM):
        box.run("bellhopctl", "remove", name, "--purge", "--yes")
    # All instances share an account, which the authority already trusts with the neighbour's host.
    counts = collections.Counter(authority.issued())
    assert counts[(VICTIM_HOST,)] == 1
    assert [names for names in counts if VICTIM_HOST in names and len(names) > 1] == []


def shell(box, script, check=True):
    """Runs it as the customer does in a shell."""
    command = ("setpriv", f"--reuid={NAME}", f"--regid={NAME}", "--clear-groups", "bash", "-euc", script)
    return box.run(*command) if check else box.try_run(*command)


def begin_again(box, name=NAME):
    """Begins a try for the instance, as when it is due. The state has no Tried= until the try ends."""
    box.run("systemctl", "stop", "bellhop-acme.service")
    box.run("sed", "-i", "s/^Next=.*/Next=0/; s/^Tried=.*/Tried=0/", f"/var/lib/bellhop-acme/instances/{name}")
    box.run("systemctl", "start", "bellhop-acme.service")


def try_again(box, name=NAME):
    """Returns the state after the try."""
    begin_again(box, name)
    box.wait_for("the end of the try", lambda: state(box, name).get("Tried"), seconds=60)
    return state(box, name)


def replace_key(box, script):
    shell(box, f"cd {FOLDER}; rm -rf privkey.pem fullchain.pem; {script}")


def heal(box):
    replace_key(box, f"{EC} -out privkey.pem; chmod 0400 privkey.pem")


def test_sees_no_challenge(box, mallory):
    """Neither a neighbour's nor its own."""
    box.shell(f"""
        install -d -o bellhop-acme -g bellhop-acme {CHALLENGES}/http-01/{HOST} {CHALLENGES}/http-01/{VICTIM_HOST}
        printf token.secret >{CHALLENGES}/http-01/{VICTIM_HOST}/token
        printf token.own >{CHALLENGES}/http-01/{HOST}/token
    """)
    paths = [CHALLENGES, f"{CHALLENGES}/http-01", f"{CHALLENGES}/http-01/{VICTIM_HOST}",
             f"/var/lib/bellhop-acme/orders/{VICTIM}", "/var/lib/bellhop-acme/accounts/default/private",
             # What it can open, it can lock, and orders wait for these locks.
             "/var/lib/bellhop-acme/accounts/default"]
    seen = mallory.do("lists", path=paths)
    assert [path for path in paths if seen[path] not in ("ENOENT", "EACCES")] == [], seen
    assert set(mallory.do("reads", path=[f"{CHALLENGES}/http-01/{VICTIM_HOST}/token"]).values()) <= {"ENOENT", "EACCES"}
    for command in (f"ls {CHALLENGES}", f"cat {CHALLENGES}/http-01/{VICTIM_HOST}/token", f"touch {CHALLENGES}/http-01/x",
                    "ls /var/lib/bellhop-acme/accounts/default/private", "ls /var/lib/bellhop-acme/accounts/default",
                    f"ls /var/lib/bellhop-acme/orders/{VICTIM}"):
        assert "Permission denied" in shell(box, command, check=False).stderr, command
    # The router answers each host with its own challenge.
    path = "/.well-known/acme-challenge/token"
    assert (box.curl(f"http://{HOST}{path}"), box.curl(f"http://{VICTIM_HOST}{path}")) == ("token.own", "token.secret")
    box.path(f"{CHALLENGES}/http-01/{HOST}/token").unlink()
    assert "secret" not in box.curl(f"http://{HOST}{path}")


def test_its_own_client_keeps_working(box, mallory):  # pylint: disable=unused-argument
    """Other tokens still come from the document root while a challenge is pending."""
    folder = f"/srv/www/{NAME}/.well-known/acme-challenge"
    shell(box, f"mkdir -p {folder}; echo own >{folder}/own-token; echo forged >{folder}/token")
    box.shell(f"install -d {CHALLENGES}/http-01/{HOST}; printf token.ours >{CHALLENGES}/http-01/{HOST}/token")
    assert box.curl(f"http://{HOST}/.well-known/acme-challenge/own-token") == "own\n"
    assert box.curl(f"http://{HOST}/.well-known/acme-challenge/token") == "token.ours"
    box.shell(f"rm -r {CHALLENGES}/http-01/*.example")


def test_reaches_no_socket(box, mallory):
    sockets = ["/run/bellhop-cert/socket", "/run/bellhop-acme-tls/socket", "/run/bellhop/acme-tls"]
    assert set(mallory.do("knocks", path=sockets).values()) <= {"ENOENT", "EACCES"}
    for path in sockets[:1]:
        assert box.path(path).is_socket()
        done = shell(box, f"exec python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"{path}\")'", check=False)
        assert "PermissionError" in done.stderr


def test_keys_that_are_none(box, mallory, authority):  # pylint: disable=unused-argument
    """Each fails soon, for this customer alone, and without an order."""
    n_orders = len(authority.orders())
    for what, script in KEYS.items():
        replace_key(box, script)
        known = try_again(box)
        assert "Error" in known and not box.path(f"{FOLDER}/fullchain.pem").exists(), (what, known)
    assert len(authority.orders()) == n_orders
    heal(box)
    assert "Error" not in try_again(box) and names_of(certificate(box, NAME)) == (HOST,)


def test_files_in_the_way(box, mallory, authority):  # pylint: disable=unused-argument
    """Links in place of the new files, and a copy of the neighbour's certificate."""
    victim = certificate(box, VICTIM)
    box.write("/tmp/victim.pem", victim)
    shell(box, f"""
        cd {FOLDER}; rm -f fullchain.pem
        cp /tmp/victim.pem fullchain.pem
        ln -s ../{VICTIM}/fullchain.pem .fullchain.pem.new
        ln -s ../{VICTIM}/privkey.pem .privkey.pem.new
    """)
    known = try_again(box)
    assert "Error" not in known and names_of(certificate(box, NAME)) == (HOST,)
    assert certificate(box, VICTIM) == victim


def test_key_is_replaced_within_an_order(box, mallory, authority):  # pylint: disable=unused-argument
    heal(box)
    n_orders = len(state(box, NAME)["Order"])
    with authority.held():
        begin_again(box)
        # The state has the order when the request is signed, before the authority gets it.
        box.wait_for("the order", lambda: len(state(box, NAME).get("Order", [])) > n_orders, seconds=60)
        heal(box)
    box.wait_for("the end of the try", lambda: state(box, NAME).get("Tried"), seconds=60)
    assert "the installed private key belongs to another certificate" in state(box, NAME)["Error"]
    assert not box.path(f"{FOLDER}/fullchain.pem").exists()
    assert "Error" not in try_again(box) and names_of(certificate(box, NAME)) == (HOST,)


def stopped(box):
    """Returns the stopped process that works with the customer's key. If the try ended before the loop stopped it, begins
    again."""
    if state(box, NAME).get("Tried"):
        begin_again(box)
    return box.try_run("pgrep", "-u", NAME, "-x", "--runstates", "T", "bellhop-cert").stdout.strip()


def suspend_acme(box):
    """Stops bellhop-acme for a moment while it waits for an answer, as a suspended machine does."""
    box.run("pkill", "-STOP", "-x", "bellhop-acme")
    box.wait_for("the stop", lambda: box.run("pgrep", "-x", "bellhop-acme") == box.run(
        "pgrep", "-x", "--runstates", "T", "bellhop-acme"))
    box.run("pkill", "-CONT", "-x", "bellhop-acme")


def test_stops_its_processes(box, dns, mallory, authority):  # pylint: disable=unused-argument
    """The process that works with its key is stopped, but others get certificates, and its memory is out of reach."""
    dns.has("nina.example")
    authority.configure(OrdersMax=2)
    heal(box)
    loop = box.popen_run("setpriv", f"--reuid={NAME}", f"--regid={NAME}", "--clear-groups", "python3", "-c", STOPS,
                         stdout=subprocess.DEVNULL)
    try:
        pid = box.wait_for("its process is stopped", lambda: stopped(box), seconds=60)
        suspend_acme(box)
        box.run("bellhopctl", "add", "nina", "--create-user", "--host=nina.example", "--acme", "--wait")
        assert authority.has_signed("nina.example")
        # The try still waits for this process.
        assert box.run("pgrep", "-u", NAME, "-x", "bellhop-cert").strip() == pid and not state(box, NAME).get("Tried")
    finally:
        box.run("pkill", "-KILL", "-u", NAME, "-f", "SIGSTOP")
        loop.wait(timeout=20)
    # The customer can end the process, but not look into it.
    box.write("/tmp/touches.py", TOUCHES)
    assert shell(box, f"exec python3 /tmp/touches.py {pid}") == ""
    shell(box, f"kill -KILL {pid}")
    shell(box, "kill -CONT -1")
    box.wait_for("the end of the try", lambda: state(box, NAME).get("Tried"), seconds=60)
    box.run("bellhopctl", "remove", "nina", "--purge", "--yes")
    authority.configure()
    assert "Error" not in try_again(box)


def test_does_not_use_up_the_limits(box, dns, mallory, authority):  # pylint: disable=unused-argument
    """Each new key needs a new certificate."""
    dns.has("nina.example")
    limit = len(state(box, NAME)["Order"]) + ORDERS_MAX
    authority.configure(name="strict", OrdersPerWeekPerInstance=limit)
    box.run("bellhopctl", "set", NAME, "--acme=strict", "--wait")
    assert len(state(box, NAME)["Order"]) == limit - ORDERS_MAX
    before = len(authority.orders())
    for _ in range(ORDERS_MAX + 2):
        heal(box)
        known = try_again(box)
    assert len(authority.orders()) == before + ORDERS_MAX
    assert f"{limit} orders were made in a week" in known["Error"]
    box.run("bellhopctl", "add", "nina", "--create-user", "--host=nina.example", "--acme=strict", "--wait")
    box.run("bellhopctl", "remove", "nina", "--purge", "--yes")
    read_acme_files(box)
