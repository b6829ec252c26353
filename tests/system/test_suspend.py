# SPDX-License-Identifier: MIT
"""bellhopctl suspend and resume: visitors get 503, nothing of the customer's is used, and neighbours notice nothing."""

import json
import re
import signal

import pytest
from showcase import ALICE, BOB
from test_ctl import _strike, ctl, ctl_json
from test_life import main_pid, status_of, steady

__all__ = ["_strike"]

HOST = "carol.example"
FILE = "/etc/bellhop/instances/carol.conf"
SITE = "bellhop@carol.service"
WORDS = {"http": "This website is suspended.", "https": "<h1>This website is suspended</h1>"}
# Comments, blanks, an order of their own, and no line break at the end.
TEXT = f"# carol's\n\n[Instance]\n  Host = {HOST}  # the host\nHost=*.wild.example\nHttp=serve\n;end"


@pytest.fixture(name="site")
def _site(box, carol):
    """carol, with pages of all kinds, who is served."""
    box.write(FILE, TEXT)
    box.write("/srv/www/carol/page.php", "<?php echo 'by PHP ', posix_getpwuid(posix_geteuid())['name'];")
    box.write_page(carol, "page.cgi", "echo by CGI $(id -un)")
    box.start_customer(carol)
    for page in ("load.txt", "page.php", "page.cgi"):
        assert status_of(box, f"https://{HOST}/{page}") == "200"
    return carol


def answers(box, *args, host=HOST, address="127.0.0.1", path="/"):
    """Over HTTP and HTTPS."""
    return [box.curl(f"{scheme}://{host}{path}", "-w", "%{http_code}", *args, address=address) for scheme in WORDS]


def assert_suspended(box, **where):
    for scheme, said in zip(WORDS, answers(box, **where)):
        assert said.endswith("503") and WORDS[scheme] in said, said


def assert_served(box):
    for page, says in (("load.txt", HOST), ("page.php", "by PHP carol"), ("page.cgi", "by CGI carol")):
        for said in answers(box, path=f"/{page}"):
            assert says in said and said.endswith("200"), said


def steps(box, verb, *options, **kwargs):
    return [step["change"] for step in ctl_json(box, verb, "carol", *options, **kwargs)["changes"]]


def findings(box):
    """Kinds; that no certificate names the wildcard is another matter."""
    checked = json.loads(box.try_run("bellhopctl", "check", "--json").stdout)
    return {entry["kind"] for entry in checked["findings"] if entry["instance"] == "carol"}


def processes(box):
    return box.try_run("ps", "-u", "carol", "-o", "args=").stdout


def test_suspend_and_resume(box, site):
    for host in (ALICE, BOB):
        box.curl(f"http://{host}/")
    pids = [main_pid(box, name) for name in ("alice", "bob")]
    with steady(box, ALICE, BOB):
        assert steps(box, "suspend") == ["file", "router", "server"]
        assert box.path(FILE).read_text() == TEXT + "\nSuspended=yes\n"
        for path in ("/", "/load.txt", "/page.php", "/page.cgi", "/none", "/.well-known/acme-challenge/x"):
            assert_suspended(box, path=path)
        assert_suspended(box, host="a.wild.example")
        for version in ("--http1.1", "--http2"):
            # A server may reset a stream whose body it does not want (RFC 9113 section 8.1), which curl takes for an error.
            form = [] if version == "--http2" else ["-d", "form=1"]
            said = box.curl(f"https://{HOST}/page.cgi", version, "-i", *form)
            assert re.match(r"HTTP/\S+ 503", said) and "retry-after" not in said.lower() and WORDS["https"] in said
        # The next start of the server, too.
        box.run("systemctl", "stop", SITE)
        assert status_of(box, f"http://{HOST}/") == "503"
        assert box.show(SITE, "ActiveState") == "inactive"
        assert status_of(box, f"https://{HOST}/") == "503"
        assert "php" not in processes(box)
        assert steps(box, "resume") == ["file", "router", "server"]
        assert_served(box)
    assert box.path(FILE).read_text() == TEXT + "\n"
    assert [main_pid(box, name) for name in ("alice", "bob")] == pids


@pytest.mark.usefixtures("site")
def test_twice_is_as_once(box):
    assert ctl(box, "resume", "carol") == "carol is not suspended.\n"
    assert steps(box, "suspend", "--dry-run") == ["file", "router", "server"]
    assert box.path(FILE).read_text() == TEXT
    assert "bellhopctl resume carol" in ctl(box, "suspend", "carol")
    before = box.path(FILE).stat().st_ctime_ns, main_pid(box, "carol")
    assert ctl(box, "suspend", "carol") == "carol is already suspended.\n"
    assert steps(box, "suspend") == []
    assert (box.path(FILE).stat().st_ctime_ns, main_pid(box, "carol")) == before
    ctl(box, "resume", "carol")
    assert steps(box, "resume") == []


@pytest.mark.usefixtures("site")
def test_shown(box):
    ctl(box, "suspend", "carol")
    for verb in (["list"], ["status", "carol"]):
        entry, = (entry for entry in ctl_json(box, *verb)["instances"] if entry["instance"] == "carol")
        assert entry["state"] == "suspended"
    assert entry["suspended"] is True
    assert "1 suspended" in ctl(box, "list") and "carol - suspended" in ctl(box, "status", "carol")
    rates = ctl_json(box, "top", "--count=1")["rates"]
    assert {"suspended"} == {rate["state"] for rate in rates if rate["instance"] == "carol"}
    status_of(box, f"http://{HOST}/")
    box.run("journalctl", "--sync")
    assert "suspended: carol.example from" in ctl(box, "status", "carol")
    route = box.try_run("bellhopctl", "route", HOST).stdout
    assert "suspended" in route and "hand-off" in route
    assert 'bellhop_instance_refused_total{instance="carol",reason="suspended"}' in ctl(box, "metrics")


@pytest.mark.usefixtures("site")
def test_default_and_address(box):
    """Nobody else's pages, and none of carol's."""
    box.write(FILE, f"[Instance]\nHost={HOST}\nDefault=yes\nAddress=127.0.0.99\n")
    ctl(box, "apply")
    assert "(carol)" in box.curl("https://whoever.example/")
    ctl(box, "suspend", "carol")
    assert_suspended(box, host="whoever.example")
    assert_suspended(box)
    for said in answers(box, address="127.0.0.99", path="/page.cgi"):
        assert WORDS["https"] in said and said.endswith("503")
    assert "(bob)" in box.curl(f"https://{BOB}/")
    ctl(box, "resume", "carol")
    assert "(carol)" in box.curl("https://whoever.example/")


@pytest.mark.usefixtures("site")
def test_nothing_of_the_customers_is_read(box):
    """What would keep a server from starting, or speak in the place of our words."""
    box.write("/etc/bellhop/sites/carol/hostile.conf", "LoadModule none none.so\n")
    box.write("/etc/bellhop/sites/carol/words.conf", "ErrorDocument 503 'of carol'\nRewriteEngine On\n")
    box.write("/etc/bellhop/sites/carol/php.fpm", "nonsense\n")
    box.write("/srv/www/carol/.htaccess", "Nonsense On\n")
    ctl(box, "suspend", "carol")
    assert_suspended(box)
    box.shell("mv /srv/www/carol /srv/www/carol.away")
    box.run("systemctl", "restart", SITE)
    assert_suspended(box)
    box.run("systemctl", "reload", SITE)
    found = findings(box)
    assert "suspended" in found and not found & {"snippet-error", "document-root-missing", "site-not-reloaded"}
    box.shell("mv /srv/www/carol.away /srv/www/carol; rm /etc/bellhop/sites/carol/* /srv/www/carol/.htaccess")
    ctl(box, "resume", "carol")
    assert_served(box)


@pytest.mark.usefixtures("site")
def test_without_certificate_tls_is_refused(box):
    box.shell("mv /etc/bellhop/tls/carol /root/carol.tls")
    ctl(box, "suspend", "carol")
    assert status_of(box, f"http://{HOST}/") == "503"
    tls = box.try_client("bash", "-c", f"openssl s_client -connect 127.0.0.1:443 -servername {HOST} </dev/null 2>&1")
    assert "unrecognized name" in tls.stdout, tls.stdout
    box.shell("mv /root/carol.tls /etc/bellhop/tls/carol")


def run_for_ever(box):
    """A page that goes on, and a program that it leaves behind."""
    box.write_page("carol", "ever.cgi", "setsid sleep 7777 >/dev/null 2>&1 &\necho begun; exec sleep 8888")
    client = box.popen_client("curl", "-sS", "-o", "/dev/null", "--resolve", f"{HOST}:80:127.0.0.1",
                              f"http://{HOST}/ever.cgi")
    box.wait_for("both programs", lambda: {"sleep 7777", "sleep 8888"} <= set(processes(box).splitlines()))
    return client


@pytest.mark.usefixtures("site")
def test_programs_end(box):
    """While the restart waits for them, new visitors get 503 already."""
    client = run_for_ever(box)
    suspending = box.popen_run("bellhopctl", "suspend", "carol")
    box.wait_for("the stop", lambda: box.show(SITE, "ActiveState") == "deactivating")
    assert_suspended(box)
    assert "sleep 8888" in processes(box)
    assert suspending.wait(60) == 0
    client.wait(20)
    assert "sleep" not in processes(box)
    assert_suspended(box)


@pytest.mark.usefixtures("site")
def test_written_by_hand(box):
    """A reload is not enough, whatever the instance says itself; apply knows that."""
    client = run_for_ever(box)
    box.write(FILE, TEXT + "\nSuspended=yes\n")
    box.run("systemctl", "reload", SITE)
    assert "sleep 7777" in processes(box)
    assert "site-not-reloaded" in findings(box)
    said = [step["what"] for step in ctl_json(box, "apply")["changes"]]
    assert said == ["have the router read the configuration", "because the instance is suspended, restart carol"]
    client.wait(20)
    assert "sleep" not in processes(box)
    assert ctl_json(box, "apply")["changes"] == []
    assert_suspended(box)
    box.write(FILE, TEXT)
    ctl(box, "apply")
    assert_served(box)


@pytest.mark.usefixtures("site")
def test_killed_anywhere_and_given_again(box, strike):
    """Whole or not at all, and the same command completes it."""
    texts = [TEXT + "\n", TEXT + "\nSuspended=yes\n"]
    box.write(FILE, texts[0])
    for at in range(1, 40, 2):
        completed = []
        for verb, before, after in (("suspend", *texts), ("resume", *reversed(texts))):
            completed.append(strike(at, signal.SIGKILL, verb, "carol").returncode == 0)
            assert box.path(FILE).read_text() in (before, after)
            ctl(box, verb, "carol")
            assert box.path(FILE).read_text() == after
            if verb == "suspend":
                assert_suspended(box)
        assert "by CGI carol" in box.curl(f"https://{HOST}/page.cgi")
        if all(completed):
            break
    assert at > 3
    assert not list(box.path("/etc/bellhop/instances").glob(".*"))


@pytest.mark.parametrize("verb", ["suspend", "resume"])
def test_what_can_not_be_done(box, site, verb):  # pylint: disable=unused-argument
    assert "not a valid name of an instance" in ctl(box, verb, "../carol", status=2)
    assert "There is no instance 'nobody'" in ctl(box, verb, "nobody", status=1)
    box.write(FILE, TEXT + "\nNonsense=1\n")
    assert "unknown key Nonsense=" in ctl(box, verb, "carol", status=1)
    assert box.path(FILE).read_text() == TEXT + "\nNonsense=1\n"
    box.write("/root/carol.conf", TEXT + ("\nSuspended=yes\n" if verb == "resume" else ""))
    box.shell(f"ln -sf /root/carol.conf {FILE}; chmod 0711 /root")
    assert "is a symbolic link" in ctl(box, verb, "carol", status=1)
    box.shell(f"rm {FILE} /root/carol.conf; chmod 0700 /root")
    box.write(FILE, TEXT)
