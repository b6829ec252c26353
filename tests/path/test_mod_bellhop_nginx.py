# SPDX-License-Identifier: MIT
"""nginx as the server of an instance: what is the same with Apache, in the words of test_mod_bellhop.py, and what is not."""

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess

import handoff
import pytest
import test_mod_bellhop
import test_virtual_hosts
from handoff import Instance
from test_mod_bellhop import SUSPENDED, get, read_response
from test_virtual_hosts import CODE

SAME = """
    test_bad_messages_do_no_harm
    test_child_killed_while_idle
    test_first_request_for_another_host
    test_foreign_host_of_a_suspended_one
    test_foreign_sender_is_refused
    test_get
    test_keep_alive
    test_no_handoff_is_lost_by_stop_and_start
    test_policy_for_plain_http_is_for_each_request
    test_queued_handoffs_are_served_by_the_next_start
    test_refusals_are_logged_at_a_limited_rate
    test_reload_leaves_new_connections_alone
    test_second_request_for_another_host_is_misdirected
    test_sni_of_ours_host_of_another
    test_start_without_socket_says_what_to_do
    test_stop_amidst_a_reload_is_heeded
    test_stop_while_it_starts_is_not_lost
    test_target_for_another_host
    test_tls_versions
    test_unknown_host_by_reason
"""
globals().update({name: getattr(test_mod_bellhop, name) for name in SAME.split()})
test_canonical_host = test_virtual_hosts.test_canonical_host
HOSTS = "Host=alice.example www.alice.example blog.alice.example *.shop.example\nIdleSec=0"


@pytest.fixture(name="mpm", params=["nginx"])
def _mpm(request):
    return request.param


@pytest.fixture(name="instance")
def _instance(mpm):
    with Instance(mpm, settings="Host=alice.example *.shop.example\nIdleSec=0") as instance:
        yield instance.start()


@pytest.fixture(name="suspended")
def _suspended(mpm):
    """Nothing of the customer's would let a server start."""
    with Instance(mpm, settings="Host=alice.example\nSuspended=yes", snippet="nonsense;") as instance:
        yield instance.start()


@pytest.fixture(name="canonical")
def _canonical():
    with Instance("nginx", settings=HOSTS + "\nCanonical=WWW.alice.example.") as instance:
        instance.path("www/new.html", text="new\n")
        os.makedirs(instance.path("www/.well-known/acme-challenge"))
        instance.path("www/.well-known/acme-challenge/token", text="token\n")
        yield instance.start()


def lines(instance, kind, n):
    found = []

    def are_there():
        found[:] = instance.lines.text(kind).splitlines()
        return len(found) >= n

    instance.wait_until(are_there, f"{n} lines")
    return found


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PROPFIND", "X"])
def test_suspended(suspended, method):
    for path in ("/", "/none", "/.htaccess", "/x.php?y"):
        with suspended.connect() as connection, connection.makefile("rb") as file:
            connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: alice.example\r\nContent-Length: 0\r\n\r\n".encode())
            status, headers, body = read_response(file, method)
            assert status == 503 and headers["content-type"].startswith("text/html")
            assert method == "HEAD" or SUSPENDED in body.decode()
    assert SUSPENDED in suspended.curl("https:/", "--http2")[1]
    assert suspended.run("--test").returncode == 0


def test_idle_exit_waits_for_open_connections():
    with Instance("nginx", settings="Host=alice.example\nIdleSec=1s", snippet="keepalive_timeout 60s;") as instance:
        with instance.connect() as connection, connection.makefile("rb") as file:
            get(connection, "alice.example")
            instance.start()  # after the request: otherwise it may end before it has a connection
            assert read_response(file)[0] == 200
            with pytest.raises(subprocess.TimeoutExpired):
                instance.process.wait(3)
            get(connection, "alice.example")
            assert read_response(file)[0] == 200
        instance.notify.wait("^STOPPING=1")
        assert instance.process.wait(handoff.TIMEOUT) == 0


def test_access_log(instance):
    """Nothing that a client sends ends the line or a quoted text."""
    with instance.connect() as connection, connection.makefile("rb") as file:
        get(connection, "ALICE.example:80", '/a"b\\c%22\xff', b"User-Agent: a\"b\\\x7f\xc3\xa4\r\nReferer: http://x/\r\n")
        assert read_response(file)[0] == 404
    assert instance.curl("https:/", "--http2", host="x.shop.example")[0] == 0
    first, second = lines(instance, 16, 2)
    port, tls_port = instance.router.port, instance.router.tls_port
    assert re.fullmatch(rf'alice\.example:{port} 127\.0\.0\.1 - - \[\d\d/\w+/\d{{4}}:[\d:]{{8}} [+-]\d{{4}}\] '
                        r'"GET /a\\"b\\\\c%22\\xc3\\xbf HTTP/1\.1" 404 \d+ "http://x/" "a\\"b\\\\\\x7f\\xc3\\xa4"', first), first
    assert re.fullmatch(rf'x\.shop\.example:{tls_port} 127\.0\.0\.1 - - .* "GET / HTTP/2\.0" 200 \d+ "-" "curl/[\d.]+"',
                        second), second


def test_lines_of_a_round_go_together():
    """In the order of their requests; also if they are more than one message has room for."""
    n, word = 40, "x" * 600
    with Instance("nginx", settings="Host=alice.example\nIdleSec=0", snippet="keepalive_timeout 60s;") as instance, \
            contextlib.ExitStack() as stack:
        instance.start()
        clients = [stack.enter_context(instance.connect()) for _ in range(n)]
        files = [stack.enter_context(client.makefile("rb")) for client in clients]
        for i, (client, file) in enumerate(zip(clients, files)):
            get(client, "alice.example")
            assert read_response(file)[0] == 200
            lines(instance, 16, i + 1)
        worker, = instance.children()
        n_messages = instance.lines.n_messages
        os.kill(worker, signal.SIGSTOP)
        for i, client in enumerate(clients):
            get(client, "alice.example", f"/?{i}-{word}")
        os.kill(worker, signal.SIGCONT)
        for file in files:
            assert read_response(file)[0] == 200
        found = re.findall(r"\?(\d+)-x{600} ", "\n".join(lines(instance, 16, 2 * n)[n:]))
    assert found == [str(i) for i in range(n)]
    assert 2 <= instance.lines.n_messages - n_messages < n // 2


def test_error_log(instance):
    """Nothing that a client sends ends the line, or controls a terminal."""
    with instance.connect() as connection, connection.makefile("rb") as file:
        get(connection, "alice.example", "/a%0ab%1b[2J%c2%9b%5c", b"Referer: \x1b\xc2\x9b\x01\r\n")
        assert read_response(file)[0] == 404
    line, = lines(instance, 17, 1)
    assert r'/www/a\nb\x1b[2J\xc2\x9b\\" failed' in line and r'referrer: "\x1b\xc2\x9b\x01"' in line, line


def test_error_log_has_no_uploads(instance):
    """A form with a picture is not a mistake."""
    instance.path("www/x.php", text="<?php")
    assert instance.curl("/x.php", "--data-binary", f"@{os.path.realpath('/proc/self/exe')}")[0] == 0
    instance.curl("/none")
    instance.wait_until(lambda: "/none" in instance.lines.text(17), "its line")
    assert "buffered" not in instance.lines.text(17)


def test_error_log_of_start_is_on_stderr():
    with Instance("nginx", snippet="nonsense on;") as instance:
        with pytest.raises(AssertionError):
            instance.start()
        with open(instance.path("stderr"), encoding="utf-8") as file:
            assert 'unknown directive "nonsense" in ' + instance.path("config/sites") in file.read()


def test_configuration_is_tested_as_it_starts(instance):
    done = instance.run("--test")
    assert (done.returncode, "test is successful" in done.stderr) == (0, True)
    instance.path("config/sites", instance.user, "bad.conf", text="location / {\n    nonsense;\n}\n")
    done = instance.run("--test")
    assert done.returncode != 0 and f"config/sites/{instance.user}/bad.conf:2" in done.stderr


def test_files_that_are_nobodys(instance):
    instance.path("www/.htaccess", text="secret")
    instance.path("www/.user.ini", text="secret")
    os.symlink("/etc/passwd", instance.path("www/passwd"))
    os.lchown(instance.path("www/passwd"), pwd.getpwnam(instance.user).pw_uid, -1)
    for path in ("/.htaccess", "/.htpasswd", "/.user.ini", "/passwd"):
        assert instance.curl(path, *CODE)[1].split()[0] in ("403", "404"), path


@pytest.mark.parametrize("name", ["x.php", "x.PHP", "x.php5", "x.phtml", "x.pht", "x.phar", "x.php/more"])
def test_source_of_php_is_never_sent(instance, name):
    """No PHP runs here, so there is an error instead."""
    instance.path("www", name.partition("/")[0], text="<?php secret")
    for path in (name, name.replace(".", "%2e")):
        status, text = instance.curl(f"/{path}", "-i")
        assert status == 0 and "secret" not in text and " 50" in text.splitlines()[0], text


def test_files_that_no_snippet_sends():
    """By no name, and by no place."""
    snippet = ("rewrite ^/v[0-9]+/(.*)$ /$1 last; location ^~ /static/ { } location ^~ /c/ { try_files /$arg_x =404; }"
               "location ~ ^/d-(.*)$ { alias %s/www/$1; } location ~ ^/ { }")
    with Instance("nginx") as instance:
        instance.path("config/sites", instance.user, "test.conf", text=snippet % instance.folder)
        for folder in ("static", "a\nb"):
            os.mkdir(instance.path("www", folder))
        names = (".htaccess", ".htpasswd", ".user.ini", "x.php", "x.PHP5", "x.phps", "x.cgi", "x.Pl")
        for name in (*names, *(f"static/{name}" for name in names), "a\nb/x.php"):
            instance.path("www", name, text="secret")
        instance.start()
        for path in ("/{}", "/v1/{}", "/static/{}", "/c/?x={}", "/d-{}", "/d-static/{}"):
            for name in names:
                status, text = instance.curl(path.format(name), *CODE)
                assert status == 0 and text.split()[-1] == "403" and "secret" not in text, (path, name, text)
        assert instance.curl("/d-index.html") == (0, "hello\n")
        instance.path("config/sites", instance.user, "test.conf", text="")
        instance.process.send_signal(signal.SIGHUP)
        instance.notify.wait("^RELOADING=1")
        instance.notify.wait("^READY=1")
        assert "secret" not in instance.curl("/a%0ab/x.php", *CODE)[1]


def test_location_without_php():
    """The log has what to do, where something can be done."""
    with Instance("nginx", snippet="location ^~ / { }") as instance:
        for name in ("x.php", "x.cgi"):
            instance.path("www", name, text="secret")
        instance.start()
        for name in ("x.php", "x.cgi"):
            assert "secret" not in instance.curl(f"/{name}")[1]
        php, cgi = lines(instance, 17, 2)
        assert "include bellhop's php.conf" in php and "php.conf" not in cgi


def test_largest_body(instance):
    """More would fill the disk."""
    instance.path("www/x.php", text="<?php")
    for size, status in ((1 << 30, b"100"), ((1 << 30) + 1, b"413")):
        with instance.connect() as connection:
            connection.sendall(b"POST /x.php HTTP/1.1\r\nHost: alice.example\r\nExpect: 100-continue\r\n"
                               b"Content-Length: %d\r\n\r\n" % size)
            assert connection.recv(12) == b"HTTP/1.1 " + status


def test_host_of_a_target():
    """Programs see the host that was admitted, as with Apache."""
    with Instance("nginx", snippet="location = /host { return 200 $http_host; }") as instance:
        instance.start()
        for target, seen in (("", "www.shop.example:8080"), ("http://alice.example", "alice.example"),
                             ("http://ALICE.example:81", "ALICE.example:81")):
            with instance.connect() as connection, connection.makefile("rb") as file:
                connection.sendall(f"GET {target}/host HTTP/1.1\r\nHost: www.shop.example:8080\r\n\r\n".encode())
                assert read_response(file)[2].decode() == seen


def test_longest_host():
    host = ".".join(["a" * 63] * 3 + ["b" * 61])
    with Instance("nginx", settings=f"Host={host} alice.example") as instance:
        os.mkdir(instance.path("www", host))
        instance.path("www", host, "index.html", text="long")
        instance.start()
        with instance.connect() as connection, connection.makefile("rb") as file:
            get(connection, host)
            assert read_response(file)[2] == b"long"


def test_hosts_with_folders(instance):
    with Instance("nginx", settings=HOSTS) as other:
        for folder in ("blog.alice.example", "_.shop.example"):
            os.makedirs(other.path("www", folder))
            other.path("www", folder, "index.html", text=folder)
        os.makedirs(other.path("config/tls", other.user, "blog.alice.example"))
        handoff.self_signed(other.path("config/tls", other.user, "blog.alice.example"), "blog.alice.example")
        for top, _, files in os.walk(other.path("config/tls")):
            for file in files:
                os.chmod(os.path.join(top, file), 0o644)
        other.start()
        for host, text in (("alice.example", "hello\n"), ("blog.alice.example", "blog.alice.example"),
                           ("a.shop.example", "_.shop.example")):
            assert other.curl("/", host=host) == other.curl("https:/", host=host) == (0, text)
        # Its folder may be a link, as others may: to what is of the same owner.
        shutil.rmtree(other.path("www/_.shop.example"))
        for target, status in (("/etc", "403"), ("blog.alice.example", "200")):
            os.symlink(target, other.path("www/_.shop.example"))
            os.lchown(other.path("www/_.shop.example"), pwd.getpwnam(other.user).pw_uid, -1)
            os.chown(other.path("www/blog.alice.example"), pwd.getpwnam(other.user).pw_uid, -1)
            for path in ("/hostname", "/passwd") if target == "/etc" else ("/",):
                assert other.curl(path, *CODE, host="a.shop.example")[1].split()[-1] == status
            os.unlink(other.path("www/_.shop.example"))
    assert instance.curl("/", host="a.shop.example") == (0, "hello\n")


def test_other_signals(instance):
    """A second binary would take the descriptors of the first; a SIGHUP reads the same configuration again."""
    server, = instance.servers()
    instance.wait_until(instance.children, "a worker")
    worker, = instance.children()
    os.kill(server, signal.SIGUSR2)
    os.kill(server, signal.SIGHUP)
    instance.wait_until(lambda: instance.children() and worker not in instance.children(), "a new worker")
    assert instance.curl("/") == (0, "hello\n")
    assert instance.servers() == [server]


def test_killed_amidst_a_reload_of_its_own():
    """If any process ends a worker, its connections have ended."""
    with Instance("nginx", settings="Host=alice.example\nIdleSec=1s", snippet="keepalive_timeout 60s;") as instance:
        with instance.connect() as connection, connection.makefile("rb") as file:
            get(connection, "alice.example")
            instance.start()
            assert read_response(file)[0] == 200
            connection.sendall(b"GET / HTTP/1.1\r\n")
            worker, = instance.children()
            os.kill(instance.servers()[0], signal.SIGHUP)
            instance.wait_until(lambda: len(instance.children()) == 2, "a second worker")
            os.kill(worker, signal.SIGKILL)
            assert instance.process.wait(handoff.TIMEOUT) == 0


def test_server_that_can_start_no_worker():
    """nginx does not try again. Without an end, no visitor would be served any more."""
    with Instance("nginx", settings="Host=alice.example") as instance:
        instance.start()
        instance.wait_until(instance.children, "a worker")
        server, = instance.servers()
        become = ["setpriv", "--reuid", instance.user, "--regid", str(pwd.getpwnam(instance.user).pw_gid),
                  "--clear-groups"] if handoff.AS_ROOT else []
        subprocess.run([*become, "prlimit", f"--pid={server}", "--nofile=5:5"], check=True)
        os.kill(instance.children()[0], signal.SIGKILL)
        with instance.connect() as waiting:
            get(waiting, "alice.example")
            assert instance.process.wait(handoff.TIMEOUT) == -signal.SIGKILL
            assert "started no process that receives" in instance.errors()
            with waiting.makefile("rb") as file:
                instance.start()
                assert read_response(file)[0] == 200


def test_reloads_leave_no_descriptors(instance):
    def watched():
        """Processes that bellhop-instance watches."""
        folder, n = f"/proc/{instance.process.pid}/fd", 0
        for fd in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                n += os.readlink(f"{folder}/{fd}") == "anon_inode:[pidfd]"
        return n

    def count():
        instance.wait_until(lambda: len(instance.servers()) == len(instance.children()) == 1 and watched() == 2,
                            "the last server alone")
        return instance.n_fds(), instance.n_fds(instance.servers()[0])

    before = count()
    for _ in range(5):
        instance.process.send_signal(signal.SIGHUP)
        instance.notify.wait("^RELOADING=1")
        instance.notify.wait("^READY=1")
    assert count() == before


@pytest.mark.parametrize("n", [31, 32])
def test_more_requests_than_connections(n):
    """Those that are passed on to a program take two."""
    with Instance("nginx", settings="Host=alice.example\nIdleSec=0") as instance, \
            socket.socket(socket.AF_UNIX) as program, contextlib.ExitStack() as stack:
        program.bind(instance.path("run/program"))
        os.chmod(instance.path("run/program"), 0o777)
        program.listen(100)
        program.settimeout(handoff.TIMEOUT)
        instance.path("config/sites", instance.user, "test.conf",
                      text=f"location / {{ proxy_pass http://unix:{instance.path('run/program')}; }}")
        instance.start(BELLHOP_NGINX_CONNECTIONS=str(n))
        instance.router.reason = handoff.REASON_ADDRESS  # hands off with the first bytes
        clients = [stack.enter_context(instance.connect()) for _ in range(40)]
        for client in clients:
            get(client, "alice.example", extra=b"Connection: close\r\n")
        for _ in clients:
            passed, _ = program.accept()
            with passed:
                assert passed.recv(4096).startswith(b"GET / ")
                passed.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
        for client in clients:
            assert read_response(stack.enter_context(client.makefile("rb")))[0] == 200


def test_more_clients_than_connections():
    """Those that wait for their next request give way."""
    with Instance("nginx", settings="Host=alice.example\nIdleSec=0", snippet="keepalive_timeout 60s;") as instance:
        instance.start(BELLHOP_NGINX_CONNECTIONS="16")
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                client = stack.enter_context(instance.connect())
                file = stack.enter_context(client.makefile("rb"))
                get(client, "alice.example")
                assert read_response(file)[0] == 200
        assert instance.curl("/") == (0, "hello\n")
