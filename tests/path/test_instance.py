# SPDX-License-Identifier: MIT
"""bellhop-instance with the real Apache: what it starts, what it publishes, and that no server's end or failure loses anything."""

import os
import pathlib
import signal
import subprocess
import threading
import time

import handoff
import pytest
from handoff import Instance

SLOW = """#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'
echo >{run}/begun-$QUERY_STRING
read x <{run}/go-$QUERY_STRING
echo done
"""


@pytest.fixture(name="instance")
def _instance():
    with Instance(settings="Host=alice.example\nIdleSec=0", tls=False) as instance:
        yield instance.start()


def state(instance):
    """What the instance publishes, as bellhopctl reads it."""
    with open(instance.path("run/state"), encoding="ascii") as file:
        return dict(line.split("=", 1) for line in file.read().splitlines())


def serves(instance):
    return instance.curl("/") == (0, "hello\n")


class Slow:
    """Requests that take until somebody lets them go."""

    def __init__(self, instance, *names):
        self.instance, self.threads, self.answers = instance, {}, {}
        instance.path("www/slow.cgi", text=SLOW.format(run=instance.path("run")), mode=0o755)
        for name in names:
            self.begin(name)

    def begin(self, name):
        os.mkfifo(self.instance.path(f"run/go-{name}"))
        os.chmod(self.instance.path(f"run/go-{name}"), 0o666)
        self.threads[name] = threading.Thread(target=lambda: self.answers.update(
            {name: self.instance.curl(f"/slow.cgi?{name}")}))
        self.threads[name].start()
        self.instance.wait_until(lambda: os.path.exists(self.instance.path(f"run/begun-{name}")), f"{name} has begun")

    def finish(self, name):
        with open(self.instance.path(f"run/go-{name}"), "w", encoding="ascii") as go:
            go.write("\n")
        self.threads[name].join(handoff.TIMEOUT)
        return self.answers.get(name)


def reload(instance, wait=True):
    instance.process.send_signal(signal.SIGHUP)
    instance.notify.wait("^RELOADING=1")
    if wait:
        instance.notify.wait("^READY=1")


def reload_that_hangs(instance):
    """Its new server waits for somebody to read its log."""
    os.mkfifo(instance.path("run/fifo"))
    os.chmod(instance.path("run/fifo"), 0o666)
    instance.path("config/sites", instance.user, "zz-hang.conf", text=f"ErrorLog {instance.path('run/fifo')}\n")
    reload(instance, wait=False)


# --- what it publishes ---


def test_state(instance):
    began = time.time()
    assert (state(instance)["VERSION"], state(instance)["STATE"], state(instance)["HANDOFFS"]) == ("1", "ready", "0")
    read = int(state(instance)["READ_USEC"])
    assert serves(instance)
    instance.wait_until(lambda: (state(instance)["HANDOFFS"], state(instance)["CONNECTIONS"]) == ("1", "0"), "counted")
    assert began - 1 < int(state(instance)["LAST_HANDOFF_USEC"]) / 1e6 < time.time() + 1
    reload(instance)
    assert (state(instance)["STATE"], state(instance)["RELOAD"]) == ("ready", "done")
    assert read < int(state(instance)["READ_USEC"]) < time.time() * 1e6
    # The old server that continues counts as well.
    assert state(instance)["HANDOFFS"] == "1"
    assert instance.stop() == 0
    assert state(instance)["STATE"] == "stopping"


def test_last_connection_of_an_old_server_is_counted(instance):
    """Its end is published although the server is gone at the same moment."""
    slow = Slow(instance, "old")
    reload(instance)
    assert slow.finish("old") == (0, "done\n")
    instance.wait_until(lambda: len(instance.servers()) == 1, "one server")
    instance.wait_until(lambda: state(instance)["CONNECTIONS"] == "0", "no connection")


def test_what_runs_finds_nothing_of_the_supervisor(instance):
    """Programs of the site, piped logs, and readers of the server's environment."""
    instance.path("www/env.cgi", text="#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv\n", mode=0o755)
    instance.path("config/sites", instance.user, "pipe.conf",
                  text=f'CustomLog "|/bin/sh -c \'env >{instance.path("run/piped")}; cat >/dev/null\'" "%h"\n')
    reload(instance)
    texts = [instance.curl("/env.cgi")[1]]
    instance.wait_until(lambda: os.path.exists(instance.path("run/piped")) and os.path.getsize(instance.path("run/piped")),
                        "piped log")
    with open(instance.path("run/piped"), encoding="utf-8") as file:
        texts.append(file.read())
    for text in texts:
        assert "PATH=" in text and not [line for line in text.splitlines() if
                                        line.startswith(("NOTIFY_", "LISTEN_", "BELLHOP_", "WATCHDOG_"))]


def test_orphans_are_the_supervisors(instance):
    """systemd would wait for each before it does anything else, so a site with many would delay starts of units."""
    instance.path("www/orphan.cgi", mode=0o755, text="#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n"
                  "for n in $(seq 200); do (true &) >/dev/null 2>&1; done\n(exec sleep 60 >/dev/null 2>&1 & echo $!)\n")
    status, pid = instance.curl("/orphan.cgi")
    process = pathlib.Path(f"/proc/{pid.strip()}")
    assert status == 0 and f"PPid:\t{instance.process.pid}\n" in (process / "status").read_text(encoding="ascii")
    os.kill(int(pid), signal.SIGKILL)
    instance.wait_until(lambda: not process.exists(), "nothing is left of it")
    children = pathlib.Path(f"/proc/{instance.process.pid}/task/{instance.process.pid}/children")
    instance.wait_until(lambda: len(children.read_text(encoding="ascii").split()) == 1, "the server alone")
    assert serves(instance)


# --- reload ---


def test_reload_that_fails_leaves_the_old_server(instance):
    server = instance.servers()
    instance.path("config/sites", instance.user, "broken.conf", text="NoSuchDirective on\n")
    reload(instance)
    assert state(instance)["RELOAD"] == "failed" and instance.servers() == server and serves(instance)
    os.unlink(instance.path("config/sites", instance.user, "broken.conf"))
    reload(instance)
    assert state(instance)["RELOAD"] == "done" and serves(instance)
    instance.wait_until(lambda: len(instance.servers()) == 1 and instance.servers() != server, "one new server")


def test_reload_command_tells_how_it_went(instance):
    command = [instance.path("module/bellhop-instance"), f"--config={instance.path('config')}",
               f"--reload={instance.process.pid}", instance.user]

    def run():
        return subprocess.run(command, env=instance.environment(), capture_output=True, text=True,
                              timeout=handoff.TIMEOUT, check=False)

    server = instance.servers()
    assert run().returncode == 0 and not set(server) & set(instance.servers()[-1:])
    instance.path("config/sites", instance.user, "broken.conf", text="NoSuchDirective on\n")
    done = run()
    assert done.returncode == 1 and "The old one is still running" in done.stderr and serves(instance)
    assert instance.stop() == 0
    assert run().returncode == 1


def test_reloads_that_come_together(instance):
    """None is lost: the last one has read what was there when it was asked for."""
    for i in range(5):
        instance.path("config/instances", instance.user + ".conf",
                      text=f"[Instance]\nHost=alice.example host{i}.example\nIdleSec=0\n")
        instance.process.send_signal(signal.SIGHUP)
    instance.wait_until(lambda: instance.curl("/", "-H", "Host: host4.example", "-w", "%{http_code}")[1][-3:] == "200",
                        "the last one is in force")
    instance.wait_until(lambda: len(instance.servers()) == 1, "one server")


def test_server_that_never_gets_ready_is_given_up(instance):
    """Its log can't be opened, say: the old server goes on, and a stop does not wait for the new one."""
    reload_that_hangs(instance)
    assert serves(instance)
    assert instance.stop() == 0


def test_reload_that_is_asked_for_while_another_one_fails(instance):
    """The second one may read files that the first one has not seen, so it is not lost with it."""
    server = instance.servers()
    reload_that_hangs(instance)
    instance.wait_until(lambda: len(instance.servers()) == 2, "a new server")
    (new,) = set(instance.servers()) - set(server)
    os.unlink(instance.path("config/sites", instance.user, "zz-hang.conf"))
    instance.process.send_signal(signal.SIGHUP)
    os.kill(new, signal.SIGKILL)
    instance.notify.wait("^RELOADING=1")
    instance.notify.wait("^READY=1")
    assert state(instance)["RELOAD"] == "done" and serves(instance)


def test_connections_of_before_a_reload_have_their_time_but_not_without_bound(instance):
    """Four old servers may finish what they have; beyond that the oldest is ended."""
    slow = Slow(instance)
    for name in "abcde":
        assert not slow.answers
        slow.begin(name)
        reload(instance)
    slow.threads["a"].join(handoff.TIMEOUT)
    assert slow.answers["a"] != (0, "done\n")
    assert [slow.finish(name) for name in "bcde"] == [(0, "done\n")] * 4
    assert serves(instance)
    instance.wait_until(lambda: len(instance.servers()) == 1, "one server")


def test_server_that_does_not_end_is_killed(instance):
    """However many there are: the instance has no more servers than it may, and sleeps when all of them are gone."""
    for _ in range(6):
        os.kill(max(instance.servers()), signal.SIGSTOP)
        reload(instance)
    assert serves(instance)
    instance.wait_until(lambda: len(instance.servers()) == 1, "one server")


def test_server_that_ends_during_a_reload_is_followed_by_the_new_one(instance):
    server = instance.servers()
    reload_that_hangs(instance)
    instance.wait_until(lambda: len(instance.servers()) == 2, "a new server")
    os.kill(server[0], signal.SIGKILL)
    instance.wait_until(lambda: "replaces it" in instance.errors(), "the old one is gone")
    log = os.open(instance.path("run/fifo"), os.O_RDONLY | os.O_NONBLOCK)
    instance.notify.wait("^READY=1")
    assert state(instance)["RELOAD"] == "done" and serves(instance)
    assert "the server that a reload started replaces it" in instance.errors()
    os.close(log)


def test_both_servers_of_a_reload_end(instance):
    server = instance.servers()
    reload_that_hangs(instance)
    instance.wait_until(lambda: len(instance.servers()) == 2, "a new server")
    (new,) = set(instance.servers()) - set(server)
    os.kill(server[0], signal.SIGKILL)
    instance.wait_until(lambda: instance.servers() == [new], "the old one is gone")
    os.kill(new, signal.SIGKILL)
    assert instance.process.wait(handoff.TIMEOUT) == -signal.SIGKILL


def test_killed_server_leaves_no_process_behind(instance):
    """They would hold memory and connections that nobody counts any more."""
    slow = Slow(instance, "old")
    server, = instance.servers()
    children = instance.children()
    reload(instance)
    os.kill(server, signal.SIGKILL)
    instance.wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children), "its children are gone")
    slow.threads["old"].join(handoff.TIMEOUT)
    assert slow.answers["old"] != (0, "done\n") and serves(instance)


# --- stop and end ---


def test_stop_that_lasts_loses_no_visitor(instance):
    """What is cut after 30 seconds is what came before the order to stop, not a request of that moment."""
    slow = Slow(instance, "old")
    instance.path("www/short.cgi", text="#!/bin/sh\nsleep 0.3\nprintf 'Content-Type: text/plain\\n\\nshort\\n'\n", mode=0o755)
    instance.process.send_signal(signal.SIGTERM)
    answers = []
    while "old" not in slow.answers:
        answers.append(instance.curl("/short.cgi"))
        instance.notify.wait("STATUS=")
    answers += [instance.curl("/") for _ in range(5)]
    assert set(answers) == {(0, "short\n"), (0, "hello\n")}
    assert instance.process.wait(handoff.TIMEOUT) == 0


def test_new_connections_are_served_while_an_old_one_finishes(instance):
    """systemd starts the unit again when all has ended: nobody waits that long."""
    slow = Slow(instance, "old")
    server = instance.servers()
    instance.process.send_signal(signal.SIGTERM)
    instance.notify.wait("^STOPPING=1")
    assert serves(instance)
    assert set(server) < set(instance.servers())
    assert slow.finish("old") == (0, "done\n")
    assert instance.process.wait(handoff.TIMEOUT) == 0
    # What came behind the end is for the next start.
    with instance.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: alice.example\r\nConnection: close\r\n\r\n")
        instance.start()
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_stop_with_a_broken_configuration(instance):
    """No other server starts, so the queue waits for the next start."""
    slow = Slow(instance, "old")
    instance.path("config/sites", instance.user, "broken.conf", text="NoSuchDirective on\n")
    instance.process.send_signal(signal.SIGTERM)
    instance.notify.wait("^STOPPING=1")
    with instance.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: alice.example\r\nConnection: close\r\n\r\n")
        instance.wait_until(lambda: "NoSuchDirective" in instance.errors(), "another server was tried")
        assert slow.finish("old") == (0, "done\n")
        assert instance.process.wait(handoff.TIMEOUT) == 0
        os.unlink(instance.path("config/sites", instance.user, "broken.conf"))
        instance.start()
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_server_that_ends_with_success_is_a_failure(instance):
    """As a success, systemd would start it again and again, and the stand-in would not answer."""
    assert serves(instance)
    os.kill(instance.servers()[0], signal.SIGTERM)
    assert instance.process.wait(handoff.TIMEOUT) == 1
    assert "ended by itself (exit status 0)" in instance.errors()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_end_of_the_server_is_that_of_the_instance(instance, number):
    """systemd and the stand-in judge by it."""
    assert serves(instance)
    os.kill(instance.servers()[0], number)
    assert instance.process.wait(handoff.TIMEOUT) == -number
    assert f"ended by itself (signal {int(number)})" in instance.errors()
    instance.start()
    assert serves(instance)


def test_start_that_fails_says_which_step():
    with Instance(tls=False, snippet="NoSuchDirective on") as instance:
        instance.start(wait=False)
        assert instance.process.wait(handoff.TIMEOUT) == 1
        assert "NoSuchDirective" in instance.errors() and "ended before it was ready (exit status 1)" in instance.errors()
    with Instance(tls=False) as instance:
        os.rmdir(instance.path("run"))
        instance.start(wait=False)
        assert instance.process.wait(handoff.TIMEOUT) == 1
        assert "can't start Apache: can't listen for its readiness" in instance.errors()
        os.mkdir(instance.path("run"))


def test_handoff_socket_that_is_shut_ends_the_instance(instance):
    instance.handoff.socket.shutdown(handoff.socket.SHUT_RD)
    assert instance.process.wait(handoff.TIMEOUT) == 0
    instance.notify.wait("shut down the hand-off socket")
