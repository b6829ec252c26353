# SPDX-License-Identifier: MIT
"""bellhopctl list, route and top, as far as they need no systemd: of files, and of a router that runs."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest
from handoff import TIMEOUT
from router import A, B, C, D
from test_bellhopctl import BELLHOPCTL, control_router, run, start
from test_router_metrics import Scraped

FLEET = {A: "Host=alice.example *.shop.example", B: "Host=bob.example\nHttp=redirect", C: "Default=yes",
         D: "Address=192.0.2.7 192.0.2.8:443"}


@pytest.fixture(name="fleet", scope="module")
def _fleet():
    router = Scraped(FLEET)
    os.rename(router.control_path, f"{router.folder}/run/control")
    with router:
        yield router


def where(router):
    return f"--config={router.folder}/config", f"--runtime={router.folder}/run"


def routes(router, *arguments, status=0):
    done = subprocess.run([BELLHOPCTL, "route", "--json", *where(router), *arguments], text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=TIMEOUT, check=False)
    assert (done.returncode, done.stderr) == (status, ""), done
    return {entry["protocol"]: entry for entry in json.loads(done.stdout)["routes"]}


@pytest.mark.parametrize("offline", [True, False], ids=["files", "router"])
@pytest.mark.parametrize("asked, tls, plain", [
    ("alice.example", ("hand-off", A, "exact", "alice.example"), ("hand-off", A, "exact", "alice.example")),
    ("Alice.Example.", ("hand-off", A, "exact", "alice.example"), ("hand-off", A, "exact", "alice.example")),
    ("a.b.shop.example", ("hand-off", A, "wildcard", "*.shop.example"), ("hand-off", A, "wildcard", "*.shop.example")),
    ("bob.example", ("hand-off", B, "exact", "bob.example"), ("redirect", B, "exact", "bob.example")),
    ("nobody.example", ("hand-off", C, "default", None), ("hand-off", C, "default", None)),
    ("192.0.2.7", ("hand-off", D, "address", "192.0.2.7"), ("hand-off", D, "address", "192.0.2.7")),
    ("192.0.2.8", ("hand-off", D, "address", "192.0.2.8:443"), ("hand-off", C, "default", None)),
    ("192.0.2.8:80", ("hand-off", C, "default", None), ("hand-off", C, "default", None)),
    ("2001:db8::1", ("hand-off", C, "default", None), ("hand-off", C, "default", None)),
    ("[2001:db8::1]:443", ("hand-off", C, "default", None), ("hand-off", C, "default", None))])
def test_route(fleet, asked, tls, plain, offline):
    found = routes(fleet, asked, *(["--offline"] if offline else []))
    for protocol, expected in (("tls", tls), ("http", plain)):
        entry = found[protocol]
        assert (entry["outcome"], entry["instance"], entry["why"], entry["route"]) == expected
        assert entry["files_agree"] is True and entry["reason"] is None
        assert entry["file"] == f"{fleet.folder}/config/instances/{entry['instance']}.conf" and entry["line"] == 2
    for protocol in found:
        assert routes(fleet, asked, f"--{protocol}") == {protocol: found[protocol]}


@pytest.mark.parametrize("asked", ["a..example", "a b", "-", "a/b", "a&b=c", "1.2.3.4:99999", "alice.example:80", ""])
def test_route_of_what_is_none(fleet, asked):
    assert "is neither a host nor an address" in run("route", *where(fleet), "--", asked, status=1)


def test_route_says_when_the_files_say_something_else():
    with control_router() as router:
        router.write(f"instances/{A}.conf", "[Instance]\nHost=new.example\nHttp=refuse\n")
        found = routes(router, "new.example", status=1)
        assert [found["tls"][key] for key in ("outcome", "reason", "files_agree")] == ["refuse", "unknown-host", False]
        assert routes(router, "new.example", "--tls", "--offline")["tls"]["instance"] == A
        found = routes(router, "new.example", "--http", "--offline", status=1)
        assert (found["http"]["reason"], found["http"]["instance"]) == ("plain-http", A)
        said = subprocess.run([BELLHOPCTL, "route", *where(router), "new.example"], text=True, capture_output=True,
                              timeout=TIMEOUT, check=False).stdout
        assert f"The configuration files were changed, and now give another answer: hand-off {A}, exact: Host=new.example." in said


@pytest.mark.parametrize("setting, says", [("Tls=acme", True), ("Tls=files", False), ("Tls=acme\nSuspended=yes", False)])
def test_route_names_challenges(tmp_path, setting, says):
    (tmp_path / "instances").mkdir()
    (tmp_path / f"instances/{A}.conf").write_text(f"[Instance]\nHost=*.shop.example\n{setting}\n")
    said = subprocess.run([BELLHOPCTL, "route", "--offline", f"--config={tmp_path}", f"--runtime={tmp_path}", "--tls", "a.shop.example"],
                          text=True, capture_output=True, check=False, timeout=TIMEOUT).stdout
    assert (f"challenges of the authority for *.shop.example are answered by bellhop itself, not by {A}." in said) == says, said


def test_route_of_no_router(tmp_path):
    for folder in ("config", "run"):
        (tmp_path / folder).mkdir()
    said = run("route", f"--config={tmp_path}/config", f"--runtime={tmp_path}/run", "a.example", status=1)
    assert "no process listens on the router's control socket" in said and "With --offline, bellhopctl reads the files instead." in said


def test_list(fleet):
    fleet.write("instances/1wrong.conf", "[Instance]\n")
    path = fleet.write("instances/man.conf", "[Instance]\nHosts=a.example\n")
    try:
        listed = {entry["instance"]: entry for entry in json.loads(run("list", "--json", *where(fleet)))["instances"]}
        assert list(listed) == sorted([*FLEET, "man"])
        assert listed[A]["user"] == A and isinstance(listed[A]["handoffs"], int) and listed["man"]["handoffs"] is None
        text = run("list", *where(fleet))
        assert "Files with a mistake, which are not in use: 1." in text and text.splitlines()[1].split()[0] == B
        assert len(run("list", "--no-legend", *where(fleet)).splitlines()) == len(listed)
    finally:
        os.unlink(path)


def names_in(fleet, *arguments):
    return [entry["instance"] for entry in json.loads(run("list", "--json", *arguments, *where(fleet)))["instances"]]


def test_list_of_some(fleet):
    listed = {entry["instance"]: entry["hosts"] for entry in json.loads(run("list", "--json", *where(fleet)))["instances"]}
    assert listed == {A: ["alice.example", "*.shop.example"], B: ["bob.example"], C: [], D: []}
    assert names_in(fleet, B) == names_in(fleet, "Bob.*") == [B]
    assert names_in(fleet, "*.example") == sorted([A, B]) and names_in(fleet, "nobody") == []
    assert names_in(fleet, B, "alice.example") == sorted([A, B])
    assert names_in(fleet, "--state=active,failed") == [] and len(names_in(fleet, "--state=unknown,idle")) == len(FLEET)
    text = run("list", "nobody", *where(fleet))
    assert text.startswith(f"\n0 of {len(FLEET)} instances\n"), text
    assert "There is no state 'asleep'." in run("list", "--state=asleep", *where(fleet), status=2)
    assert "is not a column" in run("list", "--sort=HOSTS", *where(fleet), status=2)


def test_list_in_another_order(fleet):
    assert names_in(fleet) == sorted(FLEET) and names_in(fleet, "--sort=-instance") == sorted(FLEET, reverse=True)
    # Those without a host are last, in either direction.
    rest = sorted([C, D])
    assert names_in(fleet, "--sort=hosts") == [A, B, *rest] and names_in(fleet, "--sort=-hosts") == [B, A, *rest]


def test_list_fits_the_terminal(fleet):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    subprocess.run([BELLHOPCTL, "list", "--no-pager", "--no-legend", A, *where(fleet)], stdout=slave, timeout=TIMEOUT,
                   check=True, env=dict(os.environ, NO_COLOR="1"))
    os.close(slave)
    line = os.read(master, 4096).decode().rstrip("\r\n")
    os.close(master)
    assert len(line) <= 80 and line.endswith(" alice.exa...") and "..." not in run("list", A, *where(fleet)), line


def entry_of(router, name):
    return next(entry for entry in json.loads(run("list", "--json", *where(router)))["instances"]
                if entry["instance"] == name)


def shown(fleet):
    """By status, which fails where no systemd says what the state is."""
    done = start("status", D, *where(fleet))
    assert (done.returncode, done.stderr) == (1, "") and f"{D} - unknown" in done.stdout, done
    return done.stdout


@pytest.mark.parametrize("verb", [["list"], ["check"], ["apply", "--dry-run"]])
def test_configuration_that_is_not_there(tmp_path, verb):
    assert "/nowhere: No such file or directory" in run(*verb, f"--config={tmp_path}/nowhere", status=1)


def test_list_of_nobody(tmp_path):
    assert run("list", f"--config={tmp_path}", f"--runtime={tmp_path}").startswith(
        "There are no instances. 'bellhopctl add NAME --host HOST' adds one.\n")
    assert json.loads(run("list", "--json", f"--config={tmp_path}", f"--runtime={tmp_path}")) == {"instances": []}


def test_top_elsewhere(fleet):
    text = run("top", "-n", "2", "-d", "0.1", "--json", *where(fleet))
    looks = [json.loads("{" + look) for look in text.split("\n{")[1:]] + [json.loads(text.split("\n{")[0])]
    assert len(looks) == 2 and {entry["instance"] for entry in looks[0]["rates"]} == {None, *FLEET}
    assert looks[0]["rates"][0]["accepted_per_second"] == 0
    for wrong in (["-n0"], ["-nx"], ["-d0.01"], ["-d", "x"], ["--count=1x"]):
        assert "is not a number" in run("top", *wrong, *where(fleet), status=2)


class Screen:
    """A terminal with a program on it."""

    def __init__(self, *arguments):
        self.ours, self.its = pty.openpty()
        self.size(24, 100)
        self.before = termios.tcgetattr(self.its)
        self.process = subprocess.Popen([BELLHOPCTL, *arguments], stdin=self.its, stdout=self.its, stderr=self.its,
                                        env=dict(os.environ, TERM="xterm"))
        self.text = ""

    def size(self, rows, columns):
        fcntl.ioctl(self.its, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def expect(self, pattern):
        """Reads until it is there, and gives what was before."""
        while not (found := re.search(pattern, self.text, re.DOTALL)):
            assert select.select([self.ours], [], [], TIMEOUT)[0], self.text
            self.text += os.read(self.ours, 65536).decode()
        self.text = self.text[found.end():]
        return found.string[:found.start()]

    def type(self, keys):
        os.write(self.ours, keys.encode())

    def end(self, status=0):
        assert self.process.wait(TIMEOUT) == status
        assert termios.tcgetattr(self.its) == self.before
        os.close(self.ours)
        os.close(self.its)


FRAME = r"\x1b\[H\x1b\[J\d\d:\d\d:\d\d  4 instances.*\r\nINSTANCE +STATE.*\r\n"


@pytest.mark.parametrize("end", ["q", signal.SIGINT, signal.SIGTERM], ids=["q", "SIGINT", "SIGTERM"])
def test_top_on_a_terminal(fleet, end):
    screen = Screen("top", "-d", "0.1", *where(fleet))
    screen.expect(r"\x1b\[\?1049h\x1b\[\?25l")
    for _ in range(2):
        screen.expect(FRAME)
    if end == "q":
        screen.type("xq")
    else:
        screen.process.send_signal(end)
    screen.expect(r"\x1b\[\?25h\x1b\[\?1049l$")
    screen.end()


def test_top_follows_the_size_of_the_terminal(fleet):
    screen = Screen("top", "-d", "60", *where(fleet))
    # Nothing to show before the second look; and it goes on to wait.
    screen.expect("Looking")
    screen.process.send_signal(signal.SIGWINCH)
    screen.type("q")
    assert "INSTANCE" not in screen.expect(r"\x1b\[\?1049l$")
    screen.end()
    screen = Screen("top", "-d", "0.5", *where(fleet))
    screen.expect(FRAME)
    started = time.monotonic()
    for rows in (5, 10, 24):
        screen.size(rows, 100)
        screen.process.send_signal(signal.SIGWINCH)
        screen.expect(FRAME)
    assert time.monotonic() - started < TIMEOUT
    screen.type("q")
    screen.end()


def test_check_says_once_what_all_share(fleet):
    """Except to programs, and for one instance."""
    def check(*options):
        return start("check", *options, *where(fleet)).stdout

    fourth = fleet.write("instances/man.conf", "[Instance]\nHost=man.example\n")
    single = [entry for entry in json.loads(check("--json"))["findings"] if entry["kind"] == "no-tls"]
    names = sorted(entry["instance"] for entry in single)
    shared = [line for line in check().splitlines() if line.endswith(": there is no certificate")]
    assert len(names) == 4 and shared == [f"note 4 instances ({', '.join(names[:3])} and 1 more): there is no certificate"]
    os.unlink(fourth)
    alone = check(f"--instance={A}")
    assert f"note {A}: {fleet.folder}/config/tls/{A}: there is no certificate\n" in alone and f" {B}: " not in alone
    assert "\n1 instance checked: " in alone
    assert "There is no instance 'nobody-here'" in run("check", "--instance=nobody-here", *where(fleet), status=1)


def test_check_counts_an_instance_once(fleet):
    names = ("lp", "man", "news", "uucp")
    files = [fleet.write(f"instances/{name}.conf", "[Instance]\nHots=a.example\n") for name in names]
    try:
        fleet.write("instances/man.conf", "[Instance]\nHots=a.example\nHots=b.example\n")
        told = start("check", *where(fleet)).stdout
    finally:
        for file in files:
            os.unlink(file)
    assert [line for line in told.splitlines() if "unknown key Hots=" in line] == [
        "error 4 instances (lp, man, news and 1 more): unknown key Hots= in [Instance]; did you mean Host=?"]


def test_check_breaks_lines_between_words(fleet):
    path = fleet.write("instances/man.conf", "[Instance]\nHosts=a.example b.example\nIdleSec=soon, or a little later\n")
    try:
        piped = start("check", *where(fleet)).stdout
        screen = Screen("check", "--no-pager", *where(fleet))
        text = screen.expect(r"errors?, \d+ warnings?\.")
        screen.end(status=1)
    finally:
        os.unlink(path)
    text = re.sub(r"\x1b\[[0-9;]*m|\r", "", text)
    assert max(map(len, piped.splitlines())) > 100
    assert all(len(line) <= 100 or len(line.split()) == 1 for line in text.splitlines()), text
    words = text.replace(" \\\n", " ").split()
    assert words[:-1] == piped.split()[:len(words) - 1]


@pytest.mark.parametrize("answer", ["y", "", "nobodyhere "])
def test_purge_asks_on_a_terminal(tmp_path, answer):
    """Nothing but the name will do; and what is asked for is not done before."""
    screen = Screen("remove", "nobodyhere", "--purge", f"--config={tmp_path}")
    screen.expect("will be permanently removed.*Type the name to continue: ")
    screen.type(answer + "\n")
    screen.expect("Nothing was changed")
    screen.end(status=1)
