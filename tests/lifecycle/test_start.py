# SPDX-License-Identifier: MIT
"""An instance that can't start: its visitors are refused, nobody else notices, and it comes back by itself."""

import re
import time

import pytest
from clients import ALL_KINDS, load
from fixtures import remove
from showcase import ALICE, BOB

PAUSE = 5  # of the stand-in, seconds
ADDRESS = "127.0.0.77"
SITE, TLS = "/etc/bellhop/sites/{}/own.conf", "/etc/bellhop/tls/{}"
OTHER_KEY = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out privkey.pem 2>/dev/null"
LOCK_KEY = ("openssl pkey -aes256 -passout pass:secret -in privkey.pem -out locked; mv locked privkey.pem; "
            "chmod 0644 privkey.pem")


def snippet(text):
    def breaks(box, name):
        box.write(SITE.format(name), text)

    def mends(box, name):
        box.path(SITE.format(name)).unlink()

    return breaks, mends


def tls(command):
    """The command is run in the folder with certificate and key, of which a copy comes back."""
    def breaks(box, name):
        box.shell(f"cp -a {TLS.format(name)} /root/{name}; cd {TLS.format(name)}; {command}")

    def mends(box, name):
        box.shell(f"cd {TLS.format(name)}; rm -f *; cp -a /root/{name}/* .; rm -r /root/{name}")

    return breaks, mends


def drop_in(text, mend):
    """The drop-in stays: what it needs comes."""
    def breaks(box, name):
        box.write(f"/etc/systemd/system/bellhop@{name}.service.d/test.conf", f"[Service]\n{text.format(name)}\n")

    def mends(box, name):
        box.shell(mend.format(name))

    return breaks, mends


def both(one, other):
    def breaks(box, name):
        one[0](box, name)
        other[0](box, name)

    def mends(box, name):
        one[1](box, name)
        other[1](box, name)

    return breaks, mends


def no_root():
    def breaks(box, name):
        box.run("mv", f"/srv/www/{name}", f"/root/www-{name}")

    def mends(box, name):
        box.run("mv", f"/root/www-{name}", f"/srv/www/{name}")

    return breaks, mends


def no_user():
    """Only when the router has read the instance's file: it would leave out an instance without a user."""
    def breaks(box, name):
        box.shell(f"id -u {name} >/root/uid; userdel {name}")

    def mends(box, name):
        box.shell(f"useradd -u $(cat /root/uid) {name}")

    return breaks, mends


def asks_for_passphrase(program):
    return both(snippet(f"SSLPassPhraseDialog exec:/usr/local/bin/{program}\n"),
                tls(LOCK_KEY))


# What is wrong, and what of it systemctl status shows. Those that begin with "ng" have nginx.
CAUSES = {
    "snippet": (snippet("NoSuchDirective on\n"), "Invalid command 'NoSuchDirective'"),
    "nocert": (tls("rm fullchain.pem"), "SSLCertificateFile: file '.*/fullchain.pem' does not exist"),
    "badcert": (tls("echo nonsense > fullchain.pem"), "fullchain.pem"),
    "badkey": (tls("echo nonsense > privkey.pem"), "privkey.pem"),
    "otherkey": (tls(OTHER_KEY), "privkey.pem do not match"),
    "noroot": (no_root(), "no document root: neither /srv/www/noroot nor /home/noroot/public_html exists"),
    "credential": (drop_in("LoadCredential=secret:/etc/secret-of-{0}", "echo x >/etc/secret-of-{0}"),
                   "243/CREDENTIALS"),
    "namespace": (drop_in("BindPaths=/opt/data-of-{0}", "mkdir /opt/data-of-{0}"), "226/NAMESPACE"),
    "nouser": (no_user(), "217/USER"),
    "nobinary": (drop_in("ExecStart=\nExecStart=/usr/local/sbin/instance-of-{0} {0}",
                         "ln -s /usr/lib/bellhop/bellhop-instance /usr/local/sbin/instance-of-{0}"), "203/EXEC"),
    # It asks for a passphrase. With less patience than the template has, so that the test is short.
    "hangs": (both(asks_for_passphrase("hangs"), drop_in("TimeoutStartSec=2s", "true")), "Result: timeout"),
    # That may be by chance, so it is tried again until the visitor has waited for five seconds.
    "killed": (asks_for_passphrase("kills"), "Result: signal"),
    "ngsnippet": (snippet("no_such_directive on;\n"), 'unknown directive "no_such_directive" in .*/own.conf:1'),
    "ngnocert": (tls("rm fullchain.pem"), 'cannot load certificate ".*/ngnocert/fullchain.pem"'),
    "ngbadkey": (tls("echo nonsense > privkey.pem"), 'cannot load certificate key ".*/ngbadkey/privkey.pem"'),
    "ngotherkey": (tls(OTHER_KEY), "key values mismatch"),
    # It asks nobody for a passphrase.
    "nglocked": (tls(LOCK_KEY), 'cannot load certificate key ".*/nglocked/privkey.pem"'),
}


def host_of(cause):
    return f"{cause}.example"


def get(box, host, path="/load.txt", **kwargs):
    """(status, Retry-After, seconds) of one request over HTTP."""
    status, again, seconds = box.curl(f"http://{host}{path}", "-o", "/dev/null", "-w",
                                      "%{http_code}|%header{retry-after}|%{time_total}", **kwargs).split("|")
    return int(status), again, float(seconds)


def assert_refused(box, host, **kwargs):
    """curl gives up after twenty seconds."""
    assert get(box, host, **kwargs)[:2] == (503, "5")
    tried = box.curl(f"https://{host}/", check=False, **kwargs)
    assert "alert internal error" in tried.stderr, tried


def is_standing_in(box, name):
    return box.show(f"bellhop-standin@{name}.service", "ActiveState") == "active"


def wait_until_tried_again(box, name):
    box.wait_for(f"the stand-in of {name} ends", lambda: not is_standing_in(box, name), PAUSE + 5)


@pytest.fixture(name="broken", scope="module")
def broken_fixture(box):
    """A customer for each cause, who has had a visitor. Others have many meanwhile."""
    box.write("/usr/local/bin/hangs", "#!/bin/sh\nexec sleep 60\n", 0o755)
    box.write("/usr/local/bin/kills", "#!/bin/sh\nkill -SEGV $PPID; sleep 60\n", 0o755)
    for cause in CAUSES:
        box.create_customer(cause, [host_of(cause)], instance="Server=nginx\n" if cause.startswith("ng") else "")
        box.write(f"/srv/www/{cause}/load.txt", cause + "\n")
        box.run("systemctl", "start", f"bellhop@{cause}.socket")
    box.reload_router()
    for cause, ((breaks, _), _) in CAUSES.items():
        breaks(box, cause)
    # Otherwise, their servers end kept connections if the clients stall for five seconds.
    for name in ("alice", "bob"):
        box.write(SITE.format(name), "KeepAliveTimeout 60\n")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "try-restart", "bellhop@alice.service", "bellhop@bob.service")
    with load(box, ALICE, BOB) as report:
        for cause in CAUSES:
            assert_refused(box, host_of(cause))
    report.assert_nothing_failed(*ALL_KINDS)
    for name in ("alice", "bob"):
        box.path(SITE.format(name)).unlink()
    yield
    for cause in CAUSES:
        remove(box, cause)
        box.shell(f"userdel -rf {cause} 2>/dev/null; rm -rf /srv/www/{cause} /etc/bellhop/*/{cause} "
                  f"/etc/systemd/system/bellhop@{cause}.service.d")
    box.run("systemctl", "daemon-reload")


@pytest.fixture(name="mended", scope="module")
def mended_fixture(box, broken):
    """No command for any unit: the causes go, and the pause passes."""
    for cause, ((_, mends), _) in CAUSES.items():
        mends(box, cause)
    for cause in CAUSES:
        wait_until_tried_again(box, cause)


@pytest.mark.parametrize("cause", CAUSES)
def test_reason_is_in_the_status(box, broken, cause):
    text = box.try_run("systemctl", "status", "-n", "30", "--no-pager", "-l", f"bellhop@{cause}.service").stdout
    assert re.search(CAUSES[cause][1], text), text
    line = box.journal("-u", f"bellhop-standin@{cause}.service", f"BELLHOP_INSTANCE={cause}", "-p", "warning")
    assert re.search(f"^instance {cause} can't start ", line, re.MULTILINE), line


@pytest.mark.parametrize("cause", CAUSES)
def test_next_visitor_is_served_when_the_cause_is_gone(box, mended, cause):
    assert get(box, host_of(cause))[0] == 200
    assert box.curl(f"https://{host_of(cause)}/load.txt") == cause + "\n"
    assert box.show(f"bellhop@{cause}.socket", "Result") == "success"


@pytest.fixture(name="journal")
def journal_fixture(box):
    """What of carol's units was written since the test began."""
    cursor = box.run("journalctl", "-q", "-n", "0", "--show-cursor").split("cursor: ")[1].strip()
    return lambda unit, *args: box.journal("--after-cursor", cursor, "-u", f"{unit}@carol.service", *args)


def break_carol(box):
    box.write(SITE.format("carol"), "NoSuchDirective on\n")
    box.start_customer("carol")


def test_few_attempts_while_visitors_come(box, carol, journal):
    break_carol(box)
    began, n, attempts = time.monotonic(), 0, 0
    # More visitors than attempts, however slow the machine is.
    while attempts < 2 or n < 5:
        assert get(box, "carol.example")[0] == 503
        n += 1
        attempts = journal("bellhop", "_PID=1").count("Failed with result")
        assert time.monotonic() < began + 10 * PAUSE
    # An attempt, a pause, another attempt.
    assert 2 <= attempts <= 1 + (time.monotonic() - began) / PAUSE


def test_refusals_are_counted(box, carol, journal):
    break_carol(box)
    for _ in range(3):
        get(box, "carol.example")
    told = "carol can't start (exit-code 1); refused 3 connections"
    box.wait_for("the count", lambda: box.show("bellhop-standin@carol.service", "StatusText") == told, PAUSE)
    wait_until_tried_again(box, carol)
    assert "refused 3 connections of carol" in journal("bellhop-standin", "BELLHOP_INSTANCE=carol")
    explained = box.run("journalctl", "-x", "-u", "bellhop-standin@carol.service")
    assert "you need not start or reset anything" in " ".join(explained.replace("░░", "").split())


def test_routed_by_address(box, carol):
    """Nobody has looked at a byte when such a connection is handed off: TLS and HTTP are told apart all the same."""
    box.write_instance(carol, f"Host=carol.example\nAddress={ADDRESS}\n")
    break_carol(box)
    assert_refused(box, "carol.example", address=ADDRESS)


def test_who_sends_much_reads_the_refusal(box, carol):
    """A reset for what is unread would destroy it."""
    break_carol(box)
    box.run("truncate", "-s", "100K", "/tmp/upload")
    assert get(box, "carol.example")[0] == 503
    status = box.curl("http://carol.example/", "-H", "Expect:", "--data-binary", f"@{box.path('/tmp/upload')}", "-o",
                      "/dev/null", "-w", "%{http_code}")
    assert status == "503"


def test_started_by_hand_after_the_mistake_was_mended(box, carol):
    """No need to wait for the end of the pause."""
    break_carol(box)
    assert get(box, "carol.example")[0] == 503
    box.path(SITE.format("carol")).unlink()
    box.run("systemctl", "start", "bellhop@carol.service")
    assert not is_standing_in(box, carol)
    assert get(box, "carol.example")[0] == 200


@pytest.mark.parametrize("units", [["bellhop@carol.socket"], ["bellhop@carol.socket", "bellhop@carol.service"],
                                   ["bellhop.target"]], ids=["socket", "customer", "all"])
def test_stop_while_refusing(box, carol, units):
    break_carol(box)
    assert get(box, "carol.example")[0] == 503
    began = time.monotonic()
    box.run("systemctl", "stop", *units)
    assert time.monotonic() - began < 4
    assert not is_standing_in(box, carol)
    assert box.show("bellhop@carol.socket", "ActiveState") == "inactive"
    box.run("systemctl", "start", "bellhop.target", "bellhop@alice.socket", "bellhop@bob.socket")


def test_crash_is_no_failed_start(box, carol, journal):
    """It is started again at once: no visitor is refused, and none waits for a pause."""
    box.start_customer(carol)
    waits = []
    for _ in range(3):
        assert get(box, "carol.example")[0] == 200
        box.run("systemctl", "kill", "--signal=SEGV", "bellhop@carol.service")
        box.wait_for("it has crashed", lambda: box.show("bellhop@carol.service", "SubState") != "running")
        status, _, seconds = get(box, "carol.example")
        assert status == 200
        waits.append(seconds)
    # A machine that stalls delays one of them; a pause delays all.
    assert min(waits) < 2
    assert "Started" in journal("bellhop-standin") and "can't start" not in journal("bellhop-standin")


CRASHES = """#!/bin/sh
until grep -q STATE=ready "$RUNTIME_DIRECTORY/state"; do sleep 0.01; done
sleep 0.05
kill -SEGV $PPID
sleep 60
"""


def test_crash_loop_is_slowed_down(box, carol, journal):
    """Ready, and gone in a moment. Nobody is refused: the next start may serve."""
    box.write("/usr/local/bin/crashes", CRASHES, 0o755)
    box.write(SITE.format("carol"), 'CustomLog "|/usr/local/bin/crashes" bellhop\n')
    box.start_customer(carol)
    began, seen = time.monotonic(), set()

    def has_slowed_down():
        seen.add(box.curl("http://carol.example/load.txt", "-o", "/dev/null", "-w", "%{http_code}", check=False).stdout)
        return "crashes (signal 11) repeatedly" in journal("bellhop-standin") and "200" in seen

    box.wait_for("it is slowed down", has_slowed_down, 60)
    for _ in range(3):
        has_slowed_down()
    crashes = journal("bellhop", "_PID=1").count("Failed with result")
    assert "503" not in seen
    # The first one is not slowed down, each later one by half a second.
    assert 3 <= crashes <= 2 + (time.monotonic() - began) / 0.5
    box.path(SITE.format("carol")).unlink()
    box.wait_for("carol is served", lambda: box.curl("http://carol.example/load.txt", check=False).returncode == 0)


def test_drop_in_that_makes_the_unit_invalid(box, carol):
    """systemd can't start such a unit at all, and fails the socket, too."""
    path = "/etc/systemd/system/bellhop@carol.service.d/test.conf"
    box.start_customer(carol)
    box.write(path, "[Service]\nExecStart=/bin/true\n")
    box.run("systemctl", "daemon-reload")
    box.curl("http://carol.example/load.txt", check=False)
    assert_refused(box, "carol.example")
    box.path(path).unlink()
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", "bellhop@carol.socket")
    assert get(box, "carol.example")[0] == 200


def test_time_limit_of_a_start(box):
    assert box.show("bellhop@alice.service", "TimeoutStartUSec") == "15s"
