# SPDX-License-Identifier: MIT
"""bellhopctl check tests the customer's configuration, which may load the customer's code: what that code finds of
root, and what the customer's other programs can do to root meanwhile."""

import errno
import json
import os
import subprocess
import unicodedata

import pytest
from test_mistakes import find

SITES, WWW = "/etc/bellhop/sites/carol", "/srv/www/carol"

# Loaded by the server: copies what the kernel says of it, and runs a program.
MODULE = f"""
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void load(void)
{{
        char text[4096];
        const ssize_t size = read(open("/proc/self/status", O_RDONLY | O_CLOEXEC), text, sizeof(text));

        (void)!write(open("{WWW}/status", O_WRONLY | O_CREAT | O_CLOEXEC, 0644), text, size);
        (void)!system("{WWW}/intruder");
}}
"""

# That program. The process that it leaves is of another session.
INTRUDER = f"""#!/usr/bin/python3
import fcntl, json, os, subprocess, termios
report = dict(uid=os.getresuid(), session=os.getsid(0), terminal=0, typed=False, folder=os.getcwd(),
              files=dict((int(n), os.readlink("/proc/self/fd/" + n)) for n in os.listdir("/proc/self/fd")
                         if os.path.exists("/proc/self/fd/" + n)))
try:
    terminal = os.open("/dev/tty", os.O_RDWR)
    for letter in b"id":
        fcntl.ioctl(terminal, termios.TIOCSTI, bytes([letter]))
    report["typed"] = True
except OSError as error:
    report["terminal"] = error.errno
with open("{WWW}/status") as status:
    report["status"] = dict(line.strip().split(":", 1) for line in status)
report["shared"] = os.listdir("/dev/shm")
subprocess.Popen(["sleep", "10101"], start_new_session=True, stdin=-3, stdout=-3, stderr=-3)
with open("{WWW}/report", "w") as file:
    json.dump(report, file)
"""


@pytest.fixture(name="intruder", scope="module")
def intruder_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("intruder")
    (folder / "module.c").write_text(MODULE)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "module.so", folder / "module.c"], check=True)
    return (folder / "module.so").read_bytes()


@pytest.fixture(name="report")
def report_fixture(box, intruder):
    """What the intruder has found, with root at a terminal."""
    box.path(f"{WWW}/module.so").write_bytes(intruder)
    box.write(f"{WWW}/intruder", INTRUDER, 0o755)
    box.write(f"{SITES}/x.conf", f"Include {WWW}/x.conf\n")
    box.write(f"{WWW}/x.conf", f"LoadModule intruder_module {WWW}/module.so\n")
    box.shell(f"chown -R carol: {WWW}; touch /dev/shm/roots")
    done = box.try_run("script", "-qec", "bellhopctl check --no-pager", "/dev/null")
    assert box.path(f"{WWW}/report").exists(), done.stdout
    report = json.loads(box.path(f"{WWW}/report").read_text())
    assert report["uid"] == [box.uid("carol")] * 3
    yield report
    box.shell("rm -f /dev/shm/roots; pkill -KILL -u carol -f 'sleep 10101' || true")


def test_root_has_no_terminal_for_a_customer(report):
    assert not report["typed"] and report["terminal"] == errno.ENXIO, report


def test_nothing_of_roots_is_left_open(box, report):
    files = {int(number): target for number, target in report["files"].items()}
    # What is to be judged is in a file that this process has made itself.
    assert files.pop(0) in ("/dev/null", "/memfd:input (deleted)") and files[1] == files[2] and files[1].startswith("pipe:"), report
    assert set(files) == {1, 2} and report["folder"] == "/" and report["shared"] == [], report
    assert box.path("/dev/shm/roots").exists()


def test_no_other_program_of_the_customer_traces_it(report):
    """By the capability that keeps them out of the server: the kernel compares these."""
    assert int(report["status"]["CapPrm"], 16) == 1 << 11, report
    assert report["status"]["NoNewPrivs"].strip() == "1", report


def test_nothing_goes_on_after_the_check(box, report):
    assert report and box.try_run("pgrep", "-u", "carol", "-f", "sleep 10101").stdout == ""


FREEZER = """import os, signal
open("/run/freezer/runs", "w")
while True:
    try:
        os.kill(-1, signal.SIGSTOP)
    except ProcessLookupError:
        pass
"""


@pytest.fixture(name="frozen")
def frozen_fixture(box):
    """All processes of carol are stopped, by one outside of the instance."""
    box.write(f"{SITES}/a.conf", "# none\n")
    assert "carol" in box.curl("http://carol.example/", "-L", "-k", "--resolve", "carol.example:443:127.0.0.1")
    box.run("systemd-run", "--quiet", "--unit=freezer", "--uid=carol", "-p", "RuntimeDirectory=freezer",
            "/usr/bin/python3", "-c", FREEZER)
    box.wait_for("it runs", lambda: box.path("/run/freezer/runs").exists())
    yield box
    box.shell("systemctl kill --signal=KILL freezer.service; systemctl reset-failed freezer.service || true; "
              "pkill -CONT -u carol || true")


def run_within(box, *command):
    """Far above what any of it may take; a hang takes for ever."""
    done = box.try_run("timeout", "--signal=KILL", "80", *command)
    assert done.returncode not in (124, 137), done
    return done


@pytest.mark.parametrize("options", [["--json"], []])
def test_stopped_test_does_not_hold_up_the_check(frozen, options):
    done = run_within(frozen, "bellhopctl", "check", "--no-pager", *options)
    assert done.returncode == 1 and "could not be checked: their test did not end within" in done.stdout, done
    if options:
        found = json.loads(done.stdout)["findings"]
        assert [entry["instance"] for entry in found if entry["kind"] == "snippet-error"] == ["carol"]
    assert "\ncarol " in frozen.run("bellhopctl", "list", "--no-pager")


def test_stopped_customer_does_not_hold_up_others(frozen):
    """Reload waits for a process of the customer, and systemd ends that."""
    assert run_within(frozen, "bellhopctl", "apply", "--dry-run").returncode == 0
    assert run_within(frozen, "systemctl", "reload", "bellhop@carol.service").returncode == 1
    assert run_within(frozen, "bellhopctl", "status", "carol", "--no-pager").returncode == 0
    assert run_within(frozen, "bellhopctl", "cert", "carol", "--no-pager").returncode == 0


KILLER = """import os, signal
open("/run/killer/runs", "w")
while True:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as words:
                if b"--test" in words.read().split(b"\\0") and int(pid) != os.getpid():
                    os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass
"""


def test_killed_test_is_no_error_of_the_snippet(box):
    box.write(f"{SITES}/a.conf", "# none\n")
    box.run("systemd-run", "--quiet", "--unit=killer", "--uid=carol", "-p", "RuntimeDirectory=killer",
            "/usr/bin/python3", "-c", KILLER)
    try:
        box.wait_for("it runs", lambda: box.path("/run/killer/runs").exists())
        assert "could not be checked: their test was killed" in find(box, "snippet-error")["what"]
    finally:
        box.run("systemctl", "stop", "killer.service")


# Each with its line, and the beginning of what is said of it.
ERRORS = {
    "after a comment": ("# fine\nFrobnicate On\n", 2, "Invalid command 'Frobnicate'"),
    "after warnings": ("NameVirtualHost *:80\n" * 3 + "KeepAlive error\n", 4, "KeepAlive must be On or Off"),
    # More than the test's output is kept of.
    "after a thousand warnings": ("NameVirtualHost *:80\n" * 1000 + "Frobnicate\n", 1001, "Invalid command"),
    "section that is not closed": ("\n<VirtualHost *:80>\n", 2, "<VirtualHost> was not closed"),
    "no such module": ("LoadModule error_module /error.so\n", 1, "Cannot load /error.so into server"),
    "in words of the file's own": ("Error \"Syntax error on line 9 of /etc/passwd: no\"\n", 1, "Syntax error on line 9"),
}


@pytest.mark.parametrize("error", ERRORS)
def test_error_in_a_snippet_is_named(box, error):
    text, line, words = ERRORS[error]
    box.write(f"{SITES}/error: x.conf" if line == 4 else f"{SITES}/error.conf", text)
    found = find(box, "snippet-error")
    assert found["what"].startswith(words) and "\n" not in found["what"], found
    assert (found["file"], found["line"]) == (f"{SITES}/error: x.conf" if line == 4 else f"{SITES}/error.conf", line)


def test_error_in_php_is_named(box):
    """As by a reload, which tests it as well."""
    box.write(f"{SITES}/php.fpm", "; fine\n[www]\nfrobnicate = yes\n")
    found = find(box, "snippet-error")
    assert found["what"] == "unknown entry 'frobnicate'"
    assert (found["file"], found["line"]) == (f"{SITES}/php.fpm", 3)


def test_names_of_files_are_only_shown(box):
    """Whatever bytes the customer has put into them."""
    name = b"\xff\x9b31m\xe2\x80\xae\xc2\x9b\x1b[1m\"\\\n\xe2\x80\xa8.conf"
    box.path(SITES).mkdir(exist_ok=True)
    os.symlink("/etc/shadow", bytes(box.path(SITES)) + b"/" + name)
    assert find(box, "snippet-error")["file"].startswith(SITES)
    said = box.try_run("bellhopctl", "check", "--no-pager").stdout
    assert all(c == "\n" or unicodedata.category(c)[0] != "C" and unicodedata.category(c) not in ("Zl", "Zp")
               for c in said)
