# SPDX-License-Identifier: MIT
"""One customer gets a certificate, by each type of challenge."""

import os
import stat

import pytest
from authority import (CAA, DNS_MANAGEMENT, STATES, Authority, certificate, has_certificate, names_of, openssl,
                       read_acme_files, serial_of, served, state, wait_for_certificate, wait_for_failure)

HOOK = "/usr/local/lib/dns-hook"
KEY_ID, MAC_KEY = "kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


def add(box, name, *options):
    return box.run("bellhopctl", "add", name, "--create-user", *options)


def remove(box, name):
    box.run("bellhopctl", "remove", name, "--purge", "--yes")


def was_started(box, name):
    return box.show(f"bellhop@{name}.service", "InvocationID") != ""


def public_key(pem):
    return openssl(pem, "-pubkey")


def test_two_commands_to_https(box, dns, authority):
    hosts = ("alice.example", "www.alice.example")
    dns.has(*hosts)
    with authority.held():
        add(box, "alice", *(f"--host={host}" for host in hosts), "--acme")
        first = certificate(box, "alice")
    assert names_of(first) == hosts
    assert openssl(first, "-issuer").partition("=")[2] == openssl(first, "-subject").partition("=")[2]
    known = wait_for_certificate(box, "alice")
    pem = certificate(box, "alice")
    assert names_of(pem) == hosts and public_key(pem) == public_key(first)
    folder = "/etc/bellhop/tls/alice"
    for name in os.listdir(box.path(folder)):
        seen = box.path(f"{folder}/{name}").stat()
        assert (name, stat.S_IMODE(seen.st_mode), seen.st_uid) in [(name, 0o400, box.uid("alice"))
                                                                   for name in ("fullchain.pem", "privkey.pem")]
    # The instance was not started, and a visitor gets the new certificate.
    assert not was_started(box, "alice")
    for host in hosts:
        assert authority.has_signed(host)
    assert serial_of(served(box, hosts[0])) == serial_of(pem)
    assert known["Failures"] == 0 and known["Failed"] == {} and len(known["Order"]) == 1
    assert known["NotAfter"] > known["Next"] > known["Tried"] >= known["NotBefore"]
    account = box.path(f"{STATES}/accounts/default/url").read_text()
    assert account.startswith("https://acme.example:14000/my-account/")
    # Other users cannot read the account key.
    assert box.path(f"{STATES}/accounts/default/private").stat().st_mode & 0o077 == 0


def test_nothing_is_ordered_twice(box, authority):
    orders = authority.orders()
    before = state(box, "alice")
    box.run("systemctl", "restart", "bellhop-acme.service")
    read_acme_files(box)
    assert state(box, "alice") == before
    # A valid certificate in the folder is enough, even after the loss of all states.
    box.shell(f"systemctl stop bellhop-acme.service; rm -r {STATES}/instances/alice {STATES}/orders/alice;"
              "systemctl start bellhop-acme.service")
    known = wait_for_certificate(box, "alice")
    assert (known["Certificate"], known["NotAfter"]) == (before["Certificate"], before["NotAfter"])
    assert authority.orders() == orders


def test_new_host(box, dns, authority):
    """A new certificate has all valid hosts; the state has the reason for each other one."""
    hosts = ("alice.example", "new.alice.example", "www.alice.example")
    dns.has("new.alice.example")
    dns.has("bad.alice.example", address="192.0.2.9")
    n_orders = len(authority.orders())
    before = serial_of(served(box, hosts[0]))
    box.run("bellhopctl", "set", "alice", *(f"--host={host}" for host in (*hosts, "bad.alice.example", "none.alice.example")))
    box.wait_for("the new certificate", lambda: names_of(certificate(box, "alice")) == hosts, seconds=60)
    known = box.wait_for("the end of the try", lambda: has_certificate(box, "alice"))
    assert set(known["Failed"]) == {"bad.alice.example", "none.alice.example"} and "Error" not in known
    assert known["Failed"]["bad.alice.example"].startswith("DNS points bad.alice.example to 192.0.2.9, which is not this machine")
    assert known["Failed"]["none.alice.example"].startswith("DNS has no address of none.alice.example")
    # The instance runs, so it is reloaded.
    box.wait_for("it is in force", lambda: serial_of(served(box, hosts[0])) == serial_of(certificate(box, "alice")) != before)
    assert authority.has_signed("new.alice.example") and len(authority.orders()) == n_orders + 1


def test_caa(box, dns, authority):
    n_orders = len(authority.orders())
    dns.has("carl.example")
    dns.ask(("add-caa", {"host": "carl.example", "policies": [{"tag": "issue", "value": "other.example"}]}))
    add(box, "carl", "--host=carl.example", "--acme")
    known = wait_for_failure(box, "carl")
    assert "other.example" in known["Failed"]["carl.example"] and len(authority.orders()) == n_orders
    dns.ask(("clear-caa", {"host": "carl.example"}),
            ("add-caa", {"host": "carl.example", "policies": [{"tag": "issue", "value": CAA}]}))
    remove(box, "carl")
    add(box, "carl", "--host=carl.example", "--acme", "--wait")
    assert authority.has_signed("carl.example")
    remove(box, "carl")


def test_external_account(box, dns):
    """Without the key, the authority refuses the account."""
    bound = Authority(box, "bound", 14200, prompt=True, external_accounts={KEY_ID: MAC_KEY})
    dns.has("eve.example")
    add(box, "eve", "--host=eve.example", "--acme=bound")
    assert wait_for_failure(box, "eve")["Error"].startswith("bellhop-acme could not make or update its account at the authority: ")
    box.write("/etc/bellhop/acme/bound.account", f"{KEY_ID}:{MAC_KEY}\n")
    box.shell("chown bellhop-acme /etc/bellhop/acme/bound.account; chmod 0400 /etc/bellhop/acme/bound.account")
    bound.configure(ExternalAccountFile="/etc/bellhop/acme/bound.account")
    remove(box, "eve")
    add(box, "eve", "--host=eve.example", "--acme=bound", "--wait")
    assert bound.has_signed("eve.example")
    remove(box, "eve")
    bound.stop()


def write_hook(box, condition):
    """condition: a shell condition under which the hook fails."""
    box.write(HOOK, f"""#!/bin/sh
        if {condition}; then echo "the zone of $3 is not that of a.dennis.example" >&2; exit 7; fi
        case $1 in
        begin) verb=set-txt body="{{\\"host\\": \\"_acme-challenge.$3.\\", \\"value\\": \\"$5\\"}}" ;;
        *) verb=clear-txt body="{{\\"host\\": \\"_acme-challenge.$3.\\"}}" ;;
        esac
        exec curl -sf -o /dev/null -d "$body" "http://{DNS_MANAGEMENT}/$verb"
    """, 0o755)


def test_wildcard_by_dns(box, dns, authority):
    write_hook(box, "false")
    authority.configure(Challenges="dns-01", DnsHook=HOOK)
    add(box, "wilma", "--host=wilma.example", "--host=*.wilma.example", "--acme")
    wait_for_certificate(box, "wilma")
    assert names_of(certificate(box, "wilma")) == ("*.wilma.example", "wilma.example")
    assert authority.has_signed("any.wilma.example") and authority.has_signed("wilma.example")
    remove(box, "wilma")


@pytest.mark.parametrize("condition, reason", [
    ("[ $1$3 = beginbad.dennis.example ]", "exit status 7: the zone of bad.dennis.example is not that of a.dennis.example"),
    # The hook may take half the time of an order.
    ("[ $1$3 = beginbad.dennis.example ] && { sleep 1000 & wait; }", "exit status 124: no end after 6 s")])
def test_hook_that_fails_for_one_host(box, dns, authority, condition, reason):
    write_hook(box, condition)
    authority.configure(Challenges="dns-01", DnsHook=HOOK, OrderTimeoutSec="10s")
    add(box, "dennis", *(f"--host={host}" for host in ("a.dennis.example", "bad.dennis.example", "z.dennis.example")), "--acme")
    known = wait_for_failure(box, "dennis")
    assert known["Failed"] == {"bad.dennis.example": f"DnsHook= ended with {reason}"} and "Error" not in known
    assert names_of(certificate(box, "dennis")) == ("a.dennis.example", "z.dennis.example")
    # Nothing goes on that could keep the lock of the next try.
    assert box.try_run("pgrep", "-x", "sleep", "-u", "bellhop-acme").stdout == ""
    remove(box, "dennis")


def test_many_refused_hosts(box, dns, authority):
    """More hosts are refused than a try has orders. Further tries use half of the orders of a week."""
    good = ("a.ru.example", "z.ru.example")
    bad = {f"b{n}.ru.example" for n in range(6)}
    settings = {"Challenges": "dns-01", "DnsHook": HOOK, "RetrySec": "1s", "RetryMaxSec": "1s"}
    write_hook(box, "[ -e /run/refuse ] && case $3 in b*) true;; *) false;; esac")
    authority.configure(**settings, OrdersPerWeekPerInstance=24)
    box.write("/run/refuse", "")
    add(box, "rudi", *(f"--host={host}" for host in (*good, *bad)), "--acme")
    box.wait_for("12 orders", lambda: len(state(box, "rudi").get("Order", [])) >= 12, seconds=60)
    tried = state(box, "rudi")["Tried"]
    known = box.wait_for("further tries", lambda: state(box, "rudi")["Tried"] > tried + 3 and state(box, "rudi"))
    assert set(known["Failed"]) == bad and len(known["Order"]) == 12
    assert names_of(certificate(box, "rudi")) == good
    box.path("/run/refuse").unlink()
    authority.configure(**settings)
    read_acme_files(box)
    box.wait_for("all names", lambda: names_of(certificate(box, "rudi")) == tuple(sorted((*good, *bad))), seconds=60)
    box.wait_for("no failure", lambda: state(box, "rudi")["Failed"] == {})
    remove(box, "rudi")


@pytest.fixture(name="no_port_80")
def _no_port_80(box):
    """Nothing can connect to port 80."""
    box.client("nft", "add table inet test; add chain inet test in { type filter hook input priority 0; };"
               "add rule inet test in tcp dport 80 reject with tcp reset")
    yield
    box.client("nft", "delete table inet test")


def test_port_443_alone(box, dns, authority, no_port_80):  # pylint: disable=unused-argument
    dns.has("anna.example")
    authority.configure()
    add(box, "anna", "--host=anna.example", "--acme", "--wait")
    assert authority.has_signed("anna.example")
    remove(box, "anna")


def test_whatever_http_says(box, dns, authority):
    """Http= has no effect on challenges, and no instance is started."""
    names = {f"{http}-{challenge[:3]}": (http, challenge)
             for http in ("serve", "redirect", "refuse") for challenge in ("http-01", "tls-alpn-01")}
    for challenge in ("http-01", "tls-alpn-01"):
        authority.configure(name=challenge, Challenges=challenge)
    dns.has(*(f"{name}.example" for name in names))
    for name, (http, challenge) in names.items():
        add(box, name, f"--host={name}.example", f"--http={http}", f"--acme={challenge}")
    for name in names:
        wait_for_certificate(box, name)
        assert not was_started(box, name)
    for name in names:
        remove(box, name)
