# SPDX-License-Identifier: MIT
"""The owner of a host, or the server that answers for it, tries to delay the certificates of others. A script replaces uacme."""

import pathlib
import subprocess
import time

import pytest
from authority import certificate, read_acme_files, serial_of, served, state, wait_for_certificate
from box import Failed

CLIENT = "/usr/bin/uacme"
GATE, RECALL = "/run/gate", "/run/recall"
PROBLEM = "urn:ietf:params:acme:error"
# As uacme does what each name says.
SCRIPT = f"""#!/bin/bash
case " $* " in *' new '* | *' update '*) echo 'uacme: account created at https://acme.example/1' && exit ;; esac
# The question whether to renew early.
case " $* " in *' --days '*)
    echo "asks with $(openssl pkey -noout -text -in "$(sed 's/.*--confdir \\([^ ]*\\).*/\\1/' <<<"$*")/private/key.pem" | grep P-256)"
    [ ! -e {RECALL} ] || echo 'uacme: no account associated with a key'
    exit 1 ;;
esac
hosts=$(openssl req -in "${{@: -1}}" -noout -text | sed -n 's/.*DNS://p')
type=rejectedIdentifier
printf '\nuacme: creating new order at https://acme.example/2\n'
case $hosts in
limited*) type=rateLimited ;;
fault*) type=serverInternal ;;
endless*) yes ;;
signed*)
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 9 -subj /CN=test -keyout /tmp/k -out /tmp/c
    openssl x509 -req -in "${{@: -1}}" -CA /tmp/c -CAkey /tmp/k -copy_extensions copy -days 90 -out "${{@: -1:1}}.new"
    exec mv "${{@: -1:1}}.new" "$(dirname "${{@: -1}}")/request-cert.pem" ;;
slow*) until [ -e {GATE} ]; do sleep 0.1; done ;;
esac
echo '{{"type": "{PROBLEM}:'$type'", "detail": "no certificate for '$hosts'"}}'
exit 2
"""


@pytest.fixture(name="client", scope="module", autouse=True)
def _client(box, dns):  # pylint: disable=unused-argument
    box.run("cp", CLIENT, f"{CLIENT}.real")
    box.write(CLIENT, SCRIPT, 0o755)
    yield
    box.run("mv", f"{CLIENT}.real", CLIENT)


@pytest.fixture(name="add")
def _add(box, dns):
    """Adds an instance whose host is named as itself."""
    names = set()

    def add(name, authority, *options):
        dns.has(f"{name}.example")
        box.run("bellhopctl", "add", name, "--create-user", f"--host={name}.example", f"--acme={authority}", *options)
        names.add(name)

    yield add
    for name in names:
        box.run("bellhopctl", "remove", name, "--purge", "--yes")


def configure(box, name, **settings):
    lines = {"Directory": f"https://{name}.example/dir", "RetrySec": "1h", **settings}
    box.write(f"/etc/bellhop/acme/{name}.conf", "[Acme]\n" + "".join(f"{key}={value}\n" for key, value in lines.items()))


def wait_for_try(box, name, seconds=60):
    box.wait_for(f"a try for {name}", lambda: state(box, name).get("Tried"), seconds=seconds)
    return state(box, name)


@pytest.mark.parametrize("what", ["limited", "fault"])
def test_one_name_that_the_authority_takes_no_orders_for(box, add, what):
    """As a customer with a client of their own can bring about, or with a DNS server."""
    configure(box, what, OrdersMax=1)
    add(what, what)
    assert "Error" in wait_for_try(box, what)
    for name in ("nina", "otto"):
        add(name, what)
        wait_for_try(box, name)
    # Two that follow each other: it concerns them all.
    for n in (1, 2):
        add(f"{what}{n}", what)
        wait_for_try(box, f"{what}{n}")
    add("paul", what)
    with pytest.raises(Failed):
        wait_for_try(box, "paul", seconds=3)


def test_another_authority_within_an_order(box, add):
    for name in ("first", "second"):
        configure(box, name, OrdersMax=1)
    box.path(GATE).unlink(missing_ok=True)
    add("slow", "first")
    box.wait_for("the order", lambda: state(box, "slow").get("Order"))
    box.run("bellhopctl", "set", "slow", "--acme=second")
    box.write(GATE, "")
    box.wait_for("the second order", lambda: len(state(box, "slow").get("Order", [])) > 1)
    box.wait_for("its end", lambda: state(box, "slow")["Tried"] >= state(box, "slow")["Order"][-1])
    add("nina", "first")
    wait_for_try(box, "nina")
    add("otto", "second")
    wait_for_try(box, "otto")


def test_early_renewal(box, add):
    """The authority asks for an early renewal (RFC 9773). The uacme of Debian 12 does not ask."""
    configure(box, "first")
    add("signed2", "first")
    known = wait_for_certificate(box, "signed2")

    def try_again():
        box.run("systemctl", "stop", "bellhop-acme.service")
        box.run("sed", "-i", "s/^Next=.*/Next=1/", "/var/lib/bellhop-acme/instances/signed2")
        box.run("systemctl", "start", "bellhop-acme.service")
        box.wait_for("a try", lambda: state(box, "signed2").get("Next", 1) != 1)
        return state(box, "signed2")

    assert try_again()["Certificate"] == known["Certificate"]
    assert "asks with NIST CURVE: P-256" in box.path("/var/lib/bellhop-acme/orders/signed2/log").read_text()
    box.write(RECALL, "")
    again = try_again()
    box.path(RECALL).unlink()
    assert again["Certificate"] != known["Certificate"] == again["Recalled"] and again["Failures"] == 0
    assert "the authority asks for an early renewal of the certificate of signed2" in box.journal("-u", "bellhop-acme")
    assert try_again()["Certificate"] == again["Certificate"]
    assert len(state(box, "signed2")["Order"]) == 2


def test_reload_that_has_failed(box, add):
    """The next try makes up for it: the server would keep the old certificate until it ends."""
    configure(box, "first", RetrySec="2s")
    add("signed", "first")
    wait_for_certificate(box, "signed")
    drop_in = "/run/systemd/system/bellhop@signed.service.d/test.conf"
    box.run("systemctl", "start", "bellhop@signed.service")
    box.write(drop_in, "[Service]\nExecReload=\nExecReload=false\n")
    box.shell("systemctl daemon-reload; rm /etc/bellhop/tls/signed/fullchain.pem /var/lib/bellhop-acme/orders/signed/*.pem")
    box.try_run("bellhopctl", "cert", "signed", "--renew")
    try:
        box.wait_for("the reload fails", lambda: "reloaded" in state(box, "signed").get("Error", ""))
    finally:
        box.shell(f"rm -r $(dirname {drop_in}); systemctl daemon-reload")
    wait_for_certificate(box, "signed")
    assert serial_of(served(box, "signed.example")) == serial_of(certificate(box, "signed"))


def test_removed_within_an_order(box, add):
    """A later customer of that name does not inherit anything."""
    configure(box, "first")
    box.path(GATE).unlink(missing_ok=True)
    add("slow", "first")
    box.wait_for("the order", lambda: state(box, "slow").get("Order"))
    box.run("bellhopctl", "remove", "slow", "--purge", "--yes")
    box.write(GATE, "")
    box.wait_for("the end of the order", lambda: box.try_run("pgrep", "-x", "uacme").returncode != 0)
    for folder in ("instances", "orders"):
        path = box.path(f"/var/lib/bellhop-acme/{folder}/slow")
        box.wait_for(f"no {folder}", lambda path=path: not path.exists())
    add("slow", "first")
    wait_for_try(box, "slow")


def test_authority_that_sends_without_end(box, add):
    """Much of it would be in the log, until the time is over."""
    configure(box, "first")
    add("endless", "first")
    assert "Error" in wait_for_try(box, "endless")
    assert box.path("/var/lib/bellhop-acme/orders/endless/log").stat().st_size <= 1 << 26


def test_full_disk(box, add):
    """Nothing can be noted, so it is still due; not at once."""
    configure(box, "first")
    add("nina", "first")
    wait_for_try(box, "nina")
    box.shell("""
        systemctl stop bellhop-acme.service
        mount -t tmpfs -o ro none /var/lib/bellhop-acme/instances
        systemctl start bellhop-acme.service
    """)
    before = int(box.show("bellhop-cert.socket", "NAccepted"))
    time.sleep(5)  # it could try again and again
    assert int(box.show("bellhop-cert.socket", "NAccepted")) - before < 8
    box.run("umount", "/var/lib/bellhop-acme/instances")


def test_clock_that_was_wrong(box, add):
    """It is set back, and the times that were noted before are far in the future."""
    configure(box, "first", OrdersPerHour=20)
    add("nina", "first")
    wait_for_try(box, "nina")
    box.run("systemctl", "stop", "bellhop-acme.service")
    ahead = int(time.time()) + 10**8
    orders = "".join(f"Order={ahead + n}\n" for n in range(20))
    box.shell(f"""
        cd /var/lib/bellhop-acme/instances
        sed -i 's/^Next=.*/Next={ahead + 90000}/; s/^Tried=.*/Tried={ahead}/' nina
        echo '{orders}' >>nina
    """)
    read_acme_files(box)
    box.wait_for("a try", lambda: 0 < state(box, "nina").get("Tried", 0) < ahead, seconds=60)
    assert not [order for order in state(box, "nina")["Order"] if order > time.time() + 60]
    assert state(box, "nina")["Next"] < ahead
    add("otto", "first")
    wait_for_try(box, "otto")


def test_dns_that_never_answers(box):
    """A name of many labels, each of which could have CAA records."""
    configure(box, "first", CaaDomain="first.example")
    before = box.path("/etc/resolv.conf").read_text()
    box.client("nft", "add table inet test; add chain inet test in { type filter hook input priority 0; };"
               "add rule inet test in ip daddr 127.0.0.9 drop")
    box.write("/etc/resolv.conf", "nameserver 127.0.0.9\n")
    try:
        box.run("bellhopctl", "add", "nina", "--create-user", f"--host={'a.' * 30}nina.example", "--acme=first")
        assert "DNS does not answer" in str(wait_for_try(box, "nina")["Failed"])
    finally:
        box.write("/etc/resolv.conf", before)
        box.client("nft", "delete table inet test")
        box.run("bellhopctl", "remove", "nina", "--purge", "--yes")


def test_file_system_that_never_answers(box, add):
    """Even a process that is killed waits for it, if not who has started that. It is the customer's process."""
    configure(box, "first")
    add("nina", "first")
    wait_for_try(box, "nina")
    box.write("/tmp/hangs.py", pathlib.Path(__file__).with_name("hangs.py").read_text())
    box.run("bash", "-c", "[ -e /dev/fuse ] || mknod /dev/fuse c 10 229; chmod 666 /dev/fuse")
    hanging = box.popen_run("/usr/bin/python3", "/tmp/hangs.py", "nina", "/etc/bellhop/tls/nina", stdout=subprocess.PIPE)
    try:
        box.wait_for("the mount", lambda: "/tls/nina" in box.run("cat", "/proc/self/mounts"))
        done = box.try_run("timeout", "90", "bellhopctl", "cert", "nina", "--request")
        assert hanging.stdout.readline() == "asked\n"
        assert done.returncode == 1 and "did not answer" in done.stderr
    finally:
        box.try_run("umount", "--lazy", "/etc/bellhop/tls/nina")
        box.try_run("pkill", "-KILL", "-f", "^/usr/bin/python3 /tmp/hangs.py")
        hanging.wait(timeout=20)
