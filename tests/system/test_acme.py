# SPDX-License-Identifier: MIT
"""bellhopctl and instances with Tls=acme. In place of bellhop-acme, a program writes the states that a test has prepared:
what is tested is what bellhopctl asks of it, and makes of its answers."""

import json

import pytest
from test_ctl import ctl, ctl_json, left_of

UNIT, STATES, PREPARED = "/etc/systemd/system/bellhop-acme.service", "/var/lib/bellhop-acme/instances", "/run/prepared-acme"
HOST, OTHER = "dora.example", "www.dora.example"
FILE = "/etc/bellhop/instances/dora.conf"
TLS = "/etc/bellhop/tls/dora"
# It counts its starts and reloads, and publishes states as the real one does. The second part of a state comes later.
PROGRAM = f"""
import glob, os, signal, socket, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
os.makedirs("{STATES}", exist_ok=True)
os.makedirs("{PREPARED}", exist_ok=True)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
while True:
    with open("{PREPARED}/.reads", "a") as reads:
        reads.write("x")
    for path in glob.glob("{PREPARED}/*"):
        with open(path) as file:
            parts = file.read().replace("NOW", str(int(time.time()))).split("---\\n")
        for part in parts:
            unfinished = "{STATES}/." + os.path.basename(path)
            with open(unfinished, "w") as file:
                file.write("[Certificate]\\n" + part)
            os.rename(unfinished, "{STATES}/" + os.path.basename(path))
    notify.send(b"READY=1")
    signal.sigwait([signal.SIGHUP])
"""
GOOD = "Order=NOW\n---\nOrder=NOW\nTried=NOW\nNotBefore=NOW\nNotAfter=4102444800\nNext=4000000000\nCertificate=aa\nWanted=11\n"
BAD = "Tried=NOW\nNext=4000000000\nFailures=1\nError=no host is good\nFailed=dora.example DNS leads to 192.0.2.9, not here\n"
HALF = GOOD + "Failed=www.dora.example DNS leads to 192.0.2.9, not here\n"


class Acme:
    def __init__(self, box):
        self.box = box

    def prepare(self, text, name="dora"):
        self.box.write(f"{PREPARED}/{name}", text)

    def reads(self):
        """How often it has read the files."""
        path = self.box.path(f"{PREPARED}/.reads")
        return len(path.read_text()) if path.exists() else 0

    def has_read(self, times):
        """A reload ends when the signal is sent."""
        self.box.wait_for(f"it has read the files {times} times", lambda: self.reads() >= times)
        return self.reads() == times

    def state(self, name="dora"):
        path = self.box.path(f"{STATES}/{name}")
        return path.read_text() if path.exists() else None


@pytest.fixture(name="acme")
def _acme(box):
    """It is there, and does not run."""
    box.write("/usr/local/lib/prepared-acme", PROGRAM)
    box.write(UNIT, "[Service]\nType=notify\nExecStart=/usr/bin/python3 /usr/local/lib/prepared-acme\n"
                    "ExecReload=/bin/kill -HUP $MAINPID\n")
    box.shell(f"systemctl daemon-reload; systemctl stop bellhop-acme.service; rm -rf {PREPARED} {STATES}; install -d {PREPARED}")
    yield Acme(box)
    box.try_run("bellhopctl", "remove", "dora", "--purge", "--yes")
    box.shell(f"systemctl stop bellhop-acme.service; rm -rf {UNIT} {PREPARED} {STATES}; systemctl daemon-reload;"
              "systemctl reset-failed")


def add(box, *options, **kwargs):
    return ctl(box, "add", "dora", f"--host={HOST}", "--create-user", "--acme", *options, **kwargs)


def steps(box, *arguments, **kwargs):
    return [step["change"] for step in ctl_json(box, *arguments, **kwargs)["changes"]]



def test_add(box, acme):
    """HTTPS from the first minute; bellhop-acme is started once the router has the instance."""
    assert "acme" in steps(box, "add", "dora", f"--host={HOST}", "--create-user", "--acme", "--dry-run")
    lines = add(box).splitlines()
    assert lines.index("have the router read the configuration: it serves dora") < lines.index("start bellhop-acme")
    assert "bellhop-acme is getting a certificate for the website. To see the progress, run: bellhopctl status dora" in lines
    assert "Tls=acme" in box.path(FILE).read_text() and acme.has_read(1)
    box.curl(f"https://{HOST}/", "-k")
    # Browsers warn of the present one, so it does not look like a good one.
    assert " self-signed " in ctl(box, "list", "dora") and "self-signed, ends in " in ctl(box, "status", "dora")
    # The same command has nothing to do, and neither has apply.
    assert steps(box, "apply") == [] and acme.has_read(1)
    box.shell(f"echo '# another comment' >>{FILE}")
    assert "acme" in steps(box, "apply") and acme.has_read(2)
    assert steps(box, "apply") == []
    assert steps(box, "suspend", "dora")[-1] == "acme" and acme.has_read(3)
    assert steps(box, "resume", "dora")[-1] == "acme" and acme.has_read(4)
    acme.prepare(GOOD)
    box.run("systemctl", "reload", "bellhop-acme.service")
    box.wait_for("there is a state", acme.state)
    assert steps(box, "remove", "dora", "--purge", "--yes").count("acme") == 2
    assert acme.state() is None and left_of(box, "dora") == []


def test_wait(box, acme):
    acme.prepare(GOOD)
    lines = add(box, "--wait").splitlines()
    assert [line for line in lines if "bellhop-acme" in line or "valid until" in line] == [
        "start bellhop-acme", "wait for the certificate of dora: bellhop-acme checks the hosts",
        "bellhop-acme has sent its request, and the authority now checks the hosts",
        "dora has a certificate, valid until 2100-01-01T00:00:00Z"]
    # Nothing has to change, so there is nothing to wait for.
    assert steps(box, "set", "dora", "--acme", "--wait") == ["wait"]
    # A new host needs a new one.
    acme.prepare(GOOD.replace("=aa", "=bb").replace("=11", "=22").replace("Order=NOW", "Order=4000000000"))
    assert steps(box, "set", "dora", "--acme", f"--host={HOST} {OTHER}", "--wait")[-4:] == ["acme", "wait", "wait", "wait"]


@pytest.mark.parametrize("state, says", [
    (BAD, ["dora got no certificate: no host is good", f"{HOST}: DNS leads to 192.0.2.9, not here",
           "bellhop-acme tries again in "]),
    (HALF, ["The certificate of dora lacks these hosts:", f"{OTHER}: DNS leads to 192.0.2.9, not here"])])
def test_wait_in_vain(box, acme, state, says):
    acme.prepare(state)
    said = add(box, f"--host={OTHER}", "--wait", status=1)
    for text in says:
        assert text in said
    box.curl(f"https://{HOST}/", "-k")
    # What was wrong is said again, without another try.
    assert says[0] in ctl(box, "set", "dora", "--acme", "--wait", status=1)


def test_others_are_not_kept_from_work_by_a_wait(box, acme):
    """Nobody answers; a signal ends the wait."""
    with box.popen_run("bellhopctl", "add", "dora", f"--host={HOST}", "--create-user", "--acme", "--wait", "--no-legend",
                       stdout=-1) as waits:
        for line in waits.stdout:
            if line.startswith("wait for the certificate"):
                break
        assert steps(box, "apply") == []
        box.shell("pkill -TERM -x bellhopctl")  # a shell in the background ignores SIGINT, also for the commands it runs
        waits.stdout.read()
        assert waits.wait(20) not in (0, 1)
    assert acme.has_read(1) and box.path(FILE).exists()


def test_set(box, acme):
    """An instance without a certificate gets one at once; others keep theirs. Without Tls=acme, bellhop-acme removes
    its state."""
    ctl(box, "add", "dora", f"--host={HOST}", "--create-user")
    assert acme.reads() == 0
    box.curl(f"http://{HOST}/")
    assert steps(box, "set", "dora", "--acme", "--http=redirect") == ["certificate", "file", "router", "server", "acme"]
    box.curl(f"https://{HOST}/", "-k")
    assert acme.has_read(1)
    before = box.shell(f"sha256sum {TLS}/*")
    assert steps(box, "set", "dora", "--tls=files", "--http=serve")[-1] == "acme" and acme.has_read(2)
    assert steps(box, "set", "dora", "--http=serve", "--idle=1h").count("acme") == 0
    assert steps(box, "set", "dora", "--tls=acme")[-1] == "acme"
    assert box.shell(f"sha256sum {TLS}/*") == before
    assert steps(box, "set", "dora", "--tls=acme") == []
    assert "The file of the authority, /etc/bellhop/acme/nowhere.conf, does not exist" in ctl(box, "set", "dora", "--acme=nowhere", status=1)
    assert "only for hosts" in ctl(box, "set", "dora", "--host=", "--address=127.0.0.77", status=1)
    assert ctl_json(box, "export", "dora")["instances"][0]["tls"] == "acme"


def test_renew(box, acme):
    """It tries at once, although its next try is far away."""
    acme.prepare(BAD)
    assert "no host is good" in add(box, "--wait", status=1)
    acme.prepare(GOOD)
    assert steps(box, "cert", "dora", "--renew", "--wait")[:2] == ["acme", "acme"] and acme.has_read(2)
    assert "Certificate=aa" in acme.state()
    ctl(box, "suspend", "dora")
    assert "bellhopctl resume dora" in ctl(box, "cert", "dora", "--renew", status=1)
    ctl(box, "set", "dora", "--tls=files")
    assert "bellhopctl set dora --acme" in ctl(box, "cert", "dora", "--renew", status=1)
    assert "There is no instance 'nobody-there'" in ctl(box, "cert", "nobody-there", "--renew", status=1)


def test_a_stopped_bellhop_acme_is_started_by_apply(box, acme):
    add(box)
    box.run("systemctl", "stop", "bellhop-acme.service")
    assert steps(box, "apply") == ["acme"] and acme.has_read(2)
    box.write("/usr/local/lib/prepared-acme", "exit(1)\n")
    box.run("systemctl", "stop", "bellhop-acme.service")
    assert "systemctl status bellhop-acme.service" in ctl(box, "apply", status=1)


def test_rename(box, acme):
    acme.prepare(GOOD)
    add(box, "--wait")
    text = acme.state()
    box.path(f"{PREPARED}/dora").unlink()
    try:
        assert "acme" in steps(box, "rename", "dora", "erik")
        assert acme.state("erik") == text and acme.state() is None and acme.has_read(2)
    finally:
        box.try_run("bellhopctl", "remove", "erik", "--purge", "--yes")


def pair_of(box, name):
    box.shell(f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 -subj /CN={HOST} "
              f"-addext subjectAltName=DNS:{HOST} -keyout /root/{name}.key -out /root/{name}.pem 2>/dev/null")
    return box.path(f"/root/{name}.pem").read_text()


def test_import(box, acme):
    """The certificate of the plan stays in use until it is replaced, and does not come back."""
    first, second = pair_of(box, "first"), pair_of(box, "second")
    box.write("/root/plan.json", json.dumps({"instances": [{
        "instance": "dora", "hosts": [HOST], "create_user": True, "certificate": "/root/first.pem", "key": "/root/first.key"}]}))
    assert "acme" in steps(box, "import", "/root/plan.json", "--acme") and acme.has_read(1)
    assert box.path(f"{TLS}/fullchain.pem").read_text() == first and "Tls=acme" in box.path(FILE).read_text()
    assert steps(box, "import", "/root/plan.json", "--acme") == []
    assert "bellhop-acme replaces this certificate" in ctl(box, "cert", "dora", "--install", "/root/second.pem", "/root/second.key")
    assert steps(box, "import", "/root/plan.json", "--acme") == []
    assert box.path(f"{TLS}/fullchain.pem").read_text() == second
    box.shell("rm /root/plan.json /root/first.* /root/second.*")
