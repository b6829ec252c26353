# SPDX-License-Identifier: MIT
"""A change of the configuration: in one step, without a pause, and without loss where a file is bad."""

import os
import re
import select
import signal
import time

import pytest
from handoff import AS_ROOT, REASON_ADDRESS, REASON_DEFAULT
from router import A, B, C, D, GID, Router, http, parse_reply

N_HOSTS = 100_000
HOSTS = {A: "Host=alice.example", B: "Host=bob.example"}


def status_of(router, host):
    return parse_reply(router.ask(http(host)))[0]


def write_instance(router, name, text):
    return router.write(f"instances/{name}.conf", f"[Instance]\n{text}\n")


def write_many(router, name, n=N_HOSTS, suffix="example"):
    write_instance(router, name, "\n".join(f"Host=host-{i}.{suffix}" for i in range(n)))


def status_text(router):
    return router.notify.messages[-1]


def n_loads(router):
    return router.errors().count("serving ")


def is_quiet(router):
    """No notification is there."""
    return not select.select([router.notify.socket], [], [], 0)[0]


def read_notifications(router):
    """All that are there: as systemd does, so that the router need not wait for room."""
    while not is_quiet(router):
        router.notify.wait("")


# --- without a pause ---


def test_hand_offs_go_on_while_a_hundred_thousand_hosts_are_read():
    with Router(HOSTS) as router:
        router.expect(A, http("alice.example"))
        write_many(router, B)
        n_times = 0
        for _ in range(20):
            router.process.send_signal(signal.SIGHUP)
            text = router.notify.wait("^RELOADING=1")
            begin = int(re.search(r"^MONOTONIC_USEC=(\d+)$", text, re.MULTILINE)[1]) * 1000
            n = 0
            while is_quiet(router) or "READY=1" not in router.notify.wait(""):
                n += router.expect(A, http("alice.example")).accepted_nsec > begin
            router.expect(B, http(f"host-{N_HOSTS - 1}.example"))
            assert status_of(router, "bob.example") == 421
            n_times += n >= 5  # fewer if the test itself stalls
            if n_times == 2:  # the second time as many are freed
                break
        assert n_times == 2


def test_another_signal_means_one_more_load():
    """However many there were: what was changed before the last one is in force behind READY=1."""
    assert any(is_loaded_once_more() for _ in range(10))


def is_loaded_once_more():
    """False if the first load ends before all signals are there, as the test stalls."""
    with Router(HOSTS) as router:
        write_many(router, B)
        router.process.send_signal(signal.SIGHUP)
        router.notify.wait("^RELOADING=1")
        write_instance(router, C, "Host=charlie.example")
        router.add_socket(C)
        for _ in range(5):
            router.process.send_signal(signal.SIGHUP)
            router.notify.wait("^RELOADING=1")
        if n_loads(router) > 1:
            return False
        router.notify.wait("^READY=1")
        assert n_loads(router) == 3
        router.expect(C, http("charlie.example"))
        router.reload()
        assert n_loads(router) == 4
        return True


def test_burst_of_signals():
    with Router(HOSTS) as router:
        write_many(router, B, 2000)
        router.expect(A, http("alice.example"))
        before = router.n_fds()
        for i in range(300):
            router.process.send_signal(signal.SIGHUP)
            read_notifications(router)
            if i % 20 == 0:
                router.expect(A, http("alice.example"))
        write_instance(router, C, "Host=charlie.example")
        router.add_socket(C)
        router.process.send_signal(signal.SIGHUP)
        router.notify.wait("^READY=1\nSTATUS=3 instances")
        router.expect(C, http("charlie.example"))
        read_notifications(router)
        assert router.n_fds() == before + 1  # its hand-off socket


def test_end_while_loading():
    with Router(HOSTS) as router:
        write_many(router, B)
        router.process.send_signal(signal.SIGHUP)
        router.notify.wait("^RELOADING=1")
        router.stop()
        router.start()


# --- a bad file keeps what it had ---


@pytest.mark.parametrize("bad", ["Host=bob.example\nHosts=x.example", "Host=b@b.example", ""],
                         ids=["unknown key", "bad host", "nothing"])
def test_bad_file_keeps_its_instance(bad):
    before = "Host=bob.example *.shop.example\nAddress=127.0.0.2\nDefault=yes"
    with Router({A: "Host=alice.example", B: before}, listen_on=("127.0.0.1", "127.0.0.2")) as router:
        path = write_instance(router, B, bad)
        # Its number among the instances changes as well.
        write_instance(router, "backup", "Host=backup.example")
        for _ in range(2):  # what was kept once is kept again
            assert router.reload().instances == 3
            found = [line for line in router.errors().splitlines() if line.startswith(f"<4>{path}")]
            assert found
            assert found[0][3:] in status_text(router) and "1 instances keep their old settings" in status_text(router)
            assert router.expect(B, http("bob.example")).host == "bob.example"
            router.expect(B, http("www.shop.example"))
            assert router.expect(B, http("unknown.example")).reason == REASON_DEFAULT
            assert router.expect(B, http("alice.example"), 1).reason == REASON_ADDRESS
            router.expect(A, http("alice.example"))
        # Mended, it is as it says.
        write_instance(router, B, "Host=new.example")
        assert router.reload().instances == 3
        assert "errors" not in status_text(router)
        router.expect(B, http("new.example"))
        assert status_of(router, "bob.example") == status_of(router, "unknown.example") == 421


def test_kept_routes_yield_to_others():
    """What a good file names is where it says; the rest stays."""
    with Router({B: "Host=bob.example moved.example\nAddress=127.0.0.2\nDefault=yes",
                 D: "Host=dora.example"}, listen_on=("127.0.0.1", "127.0.0.2")) as router:
        bad = write_instance(router, B, "Host=b@b.example")
        # One sorts before, one behind.
        write_instance(router, A, "Host=alice.example\nAddress=127.0.0.2\nDefault=yes")
        good = write_instance(router, C, "Host=charlie.example moved.example")
        for name in (A, C):
            router.add_socket(name)
        assert router.reload().instances == 4
        assert f"{bad}: moved.example now leads to {C} ({good}:2)" in router.errors()
        router.expect(C, http("moved.example"))
        router.expect(B, http("bob.example"))
        router.expect(D, http("dora.example"))
        router.expect(A, http("nobody.example"))
        router.expect(A, http("bob.example"), 1)


def test_new_conflict_keeps_what_the_later_one_had():
    """A slip of the pen in one customer's file takes from another only what it names."""
    first, second = sorted((A, B))
    with Router({first: "Host=first.example", second: "Host=second.example both.example"}) as router:
        write_instance(router, first, "Host=first.example both.example")
        router.reload()
        router.expect(second, http("second.example"))
        router.expect(first, http("both.example"))
        assert f"{second}.conf:2: both.example already leads to {first}" in router.errors()


def test_bad_new_file_is_left_out():
    with Router(HOSTS) as router:
        path = write_instance(router, C, "Host=bob.example")
        assert router.reload().instances == 2
        assert f"{path}:2: bob.example already leads to {B}" in status_text(router)
        assert "stay" not in status_text(router)
        router.expect(B, http("bob.example"))


def test_removed_file_removes_the_instance():
    with Router(HOSTS) as router:
        path = write_instance(router, B, "Host=b@b.example")
        router.reload()
        router.expect(B, http("bob.example"))
        os.unlink(path)
        assert router.reload().instances == 1
        assert status_of(router, "bob.example") == 421
        # And what it had is forgotten.
        write_instance(router, B, "Host=b@b.example")
        assert router.reload().instances == 1


@pytest.mark.skipif(not AS_ROOT, reason="as the owner we could read it")
def test_unreadable_file_keeps_its_instance():
    with Router(HOSTS) as router:
        os.chmod(f"{router.folder}/config/instances/{B}.conf", 0)
        assert router.reload().instances == 2
        router.expect(B, http("bob.example"))


@pytest.mark.parametrize("name", ["router.conf", "router.conf.d/10-new.conf"])
def test_bad_settings_keep_the_old_ones(name):
    with Router(HOSTS, "SniffTimeoutSec=300ms") as router:
        path = router.write(name, "[Router]\nSniffTimeoutSec=1h\nNonsense=1\n")
        # Instances are read all the same.
        write_instance(router, B, "Host=new.example")
        router.reload()
        assert f"the router keeps its old settings; the first error: {path}:3: unknown key Nonsense=" in status_text(router)
        assert parse_reply(router.ask(b"GET / HTTP/1.1\r\n"))[0] == 408
        router.expect(B, http("new.example"))


def test_status_is_plain_text():
    with Router(HOSTS) as router:
        write_instance(router, B, "Host=b\u00fcb.example\nHost=" + "x" * 3000)
        router.reload()
        line, = [line for line in status_text(router).splitlines() if line.startswith("STATUS=")]
        assert line.isascii() and line.isprintable() and len(line) < 700


def fail_to_load(router):
    """What can't be read as a whole: the folder of instances is a file."""
    os.rename(f"{router.folder}/config/instances", f"{router.folder}/config/away")
    router.write("instances", "")


def mend(router):
    os.unlink(f"{router.folder}/config/instances")
    os.rename(f"{router.folder}/config/away", f"{router.folder}/config/instances")


def test_failed_load_keeps_all():
    with Router(HOSTS) as router:
        fail_to_load(router)
        assert router.reload().instances == 2
        assert "can't be read: Not a directory; the old one remains in force" in status_text(router)
        assert "<3>the configuration in " in router.errors()
        router.expect(A, http("alice.example"))
        mend(router)
        write_instance(router, C, "Host=charlie.example")
        assert router.reload().instances == 3
        assert "can't" not in status_text(router)


# --- asking for a reload, and waiting ---


@pytest.fixture(name="asked")
def _asked():
    """A router with a runtime folder of its own, as RuntimeDirectory= makes one."""
    router = Router(HOSTS)
    os.mkdir(f"{router.folder}/state")
    os.chown(f"{router.folder}/state", router.uid, GID)
    try:
        router.start(RUNTIME_DIRECTORY=f"{router.folder}/state")
        yield router
        if router.process.poll() is None:
            router.stop()
    finally:
        router.close()


def ask(router, pid=None):
    read_notifications(router)
    return router.run(f"--reload={pid or router.process.pid}", RUNTIME_DIRECTORY=f"{router.folder}/state")


def test_asking_returns_when_the_change_is_in_force(asked):
    asked.add_socket(C)
    for i in range(20):
        write_instance(asked, C, f"Host=new-{i}.example")
        done = ask(asked)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        asked.expect(C, http(f"new-{i}.example"))
        assert status_of(asked, f"new-{i - 1}.example") == 421


def test_asking_while_it_loads_waits_for_the_next_load(asked):
    write_many(asked, B)
    asked.add_socket(C)
    asked.process.send_signal(signal.SIGHUP)
    asked.notify.wait("^RELOADING=1")
    write_instance(asked, C, "Host=charlie.example")
    assert ask(asked).returncode == 0
    asked.expect(C, http("charlie.example"))


def test_asking_tells_of_errors_and_failure(asked):
    path = write_instance(asked, B, "Host=b@b.example")
    done = ask(asked)
    assert done.returncode == 0
    assert done.stderr.startswith("<4>the configuration has errors") and f"{path}:2: " in done.stderr
    fail_to_load(asked)
    done = ask(asked)
    assert done.returncode == 1
    assert done.stderr.startswith("<3>the configuration in ") and "old one remains in force" in done.stderr
    mend(asked)
    write_instance(asked, B, "Host=bob.example")
    assert (ask(asked).returncode, ask(asked).stderr) == (0, "")


def test_asking_who_is_not_there(asked):
    done = ask(asked, 2 ** 31 - 1)
    assert done.returncode == 1 and done.stderr.startswith("<3>can't reload the router, process 2147483647: ")
    for wrong in ("0", "-1", "x", "1x", "99999999999"):
        assert asked.run(f"--reload={wrong}").returncode == 2
    assert "RUNTIME_DIRECTORY is not set" in asked.run("--reload=1").stderr


def test_asking_who_ends_meanwhile(asked):
    begin = time.monotonic()
    with asked.paused():
        asked.process.send_signal(signal.SIGTERM)
        pid = asked.process.pid
        os.kill(pid, signal.SIGKILL)
        done = ask(asked)
    asked.process.wait(20)
    assert done.returncode == 1 and "can't reload the router" in done.stderr
    assert time.monotonic() - begin < 10
