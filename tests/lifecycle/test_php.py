# SPDX-License-Identifier: MIT
"""PHP without configuration: each customer's own PHP-FPM in the instance, which starts with the first request for
it."""

import json
import os
import re
import subprocess
import threading
import time

import pytest
import sites
from clients import load

HOST = "carol.example"
WWW = "/srv/www/carol"
SITE = "bellhop@carol.service"
PHP_FPM = "/etc/bellhop/sites/carol/php.fpm"
DROP_IN = "/etc/systemd/system/bellhop@carol.service.d/php.conf"
INCLUDE = "include = /etc/bellhop/php/fpm.conf\n[site]\n"
MANY = 10**6
LATER_PHP = """<?php
echo 'at once';
fastcgi_finish_request();
sleep(1);
file_put_contents('/srv/www/carol/later.txt', 'done');
"""


@pytest.fixture(name="site")
def site_fixture(box, carol):
    """carol, with PHP pages and without any further step."""
    for name, text in (("show.php", sites.SHOW_PHP), ("reach.php", sites.REACH_PHP),
                       ("load.php", f"<?php header('Content-Length: {len(HOST) + 1}'); echo '{HOST}', PHP_EOL;"),
                       ("slow.php", "<?php while (!file_exists('go')) usleep(10000); echo 'slow ', getmypid();"),
                       ("later.php", LATER_PHP)):
        box.write(f"{WWW}/{name}", text)
    box.shell(f"chown -R carol: {WWW}")
    box.start_customer(carol)
    return carol


def page(box, path, *args, scheme="https", host=HOST):
    return json.loads(box.curl(f"{scheme}://{host}/{path}", *args))


def status_of(box, path, *args):
    return box.curl(f"http://{HOST}/{path}", "-o", "/dev/null", "-w", "%{http_code}", *args)


def state(box):
    return box.show(SITE, "ActiveState")


def masters(box):
    """PHP-FPM, without its workers, which have its name for a moment, and never a process group of their own."""
    lines = [line.split(maxsplit=2) for line in box.try_run("ps", "-u", "carol", "-o", "pid=,pgid=,args=").stdout.splitlines()]
    return [int(pid) for pid, group, args in lines if args.startswith("php-fpm: master") and pid == group]


def processes(box):
    """Of PHP, starting ones included."""
    return box.try_run("pgrep", "-u", "carol", "php-fpm").stdout.split()


def wait_until_it_sleeps(box):
    box.wait_for("the instance has ended", lambda: state(box) in ("inactive", "failed"))
    assert box.try_run("pgrep", "-u", "carol").stdout == ""


def said_by_php(box):
    """Before it has read its configuration, and behind that."""
    return box.journal("-u", SITE, "-t", "bellhop-instance") + box.log("carol", "error")


def now(box):
    return box.run("date", "+%F %T.%6N").strip()


def choose_fpm(box, path):
    box.write(DROP_IN, f"[Service]\nEnvironment=BELLHOP_PHP_FPM={path}\n")
    box.run("systemctl", "daemon-reload")


# --- what a page sees ---


def test_page(box, site):
    seen = page(box, "show.php/some/path?a=b")
    assert (seen["uid"], seen["user"], seen["sapi"]) == (box.uid(site), site, "fpm-fcgi")
    assert (seen["host"], seen["path"], seen["query"], seen["https"]) == (HOST, "/some/path", {"a": "b"}, "on")
    assert seen["protocol"] == "HTTP/2.0"
    assert (seen["digits"], seen["jit"]) == ("123", "1")
    assert page(box, "show.php", scheme="http")["https"] == "off"
    # Nothing that an administrator would have to look into.
    assert "WARNING" not in said_by_php(box) and "ERROR" not in said_by_php(box)
    assert "php" not in box.log("carol", "error").lower()


def test_post_and_password(box, site):
    seen = page(box, "show.php", "-d", "name=value&other=1", "-u", "visitor:secret")
    assert seen["form"] == {"name": "value", "other": "1"}
    assert seen["authorization"].startswith("Basic ")


def test_session_outlives_the_sleep_of_the_site(box, site, tmp_path):
    cookies = ["-b", tmp_path / "jar", "-c", tmp_path / "jar"]
    assert page(box, "show.php", *cookies)["visits"] == 1
    assert page(box, "show.php", *cookies)["visits"] == 2
    box.run("systemctl", "stop", SITE)
    wait_until_it_sleeps(box)
    assert page(box, "show.php", *cookies)["visits"] == 3
    folder = box.path("/var/lib/bellhop/carol/php-sessions")
    assert list(folder.glob("sess_*"))
    for path in (folder, folder.parent):
        assert (path.stat().st_mode & 0o777, path.stat().st_uid) == (0o700, box.uid(site))


def test_upload(box, site, tmp_path):
    """Larger than PHP's default, which a .user.ini of the customer's lifts; nobody can read that file."""
    box.write(f"{WWW}/.user.ini", "upload_max_filesize = 32M\npost_max_size = 33M\n")
    file = tmp_path / "file"
    file.write_bytes(os.urandom(20_000_000))
    digest = box.client("sha256sum", file).split()[0]
    assert page(box, "show.php", "-F", f"file=@{file}")["upload"] == digest
    assert status_of(box, ".user.ini") == "403"


def test_index_and_front_controller(box, site):
    """As in content management systems: a request without a file goes to index.php."""
    box.write(f"{WWW}/index.php", "<?php echo 'index of ', $_SERVER['REQUEST_URI'];")
    box.write(f"{WWW}/.htaccess", "RewriteEngine On\nRewriteCond %{REQUEST_FILENAME} !-f\n"
              "RewriteRule . /index.php [L]\n")
    box.shell(f"rm {WWW}/index.cgi; chown -R carol: {WWW}")
    for path in ("", "some/article", "missing.php"):
        assert box.curl(f"https://{HOST}/{path}") == f"index of /{path}"


def test_errors_of_a_page_are_in_the_instances_log(box, site):
    box.write(f"{WWW}/broken.php", "<?php this is no php;")
    assert status_of(box, "broken.php") == "500"
    box.wait_for("the error is told", lambda: "syntax error" in box.log("carol", "error"))


def test_customers_own_handler_wins(box, site):
    """Another version of PHP, another server, or none: .htaccess or a snippet say so."""
    box.write(f"{WWW}/plain/.htaccess", "<FilesMatch \\.php$>\nSetHandler default-handler\n</FilesMatch>\n")
    box.write(f"{WWW}/plain/page.php", "as it is\n")
    box.shell(f"chown -R carol: {WWW}")
    assert box.curl(f"http://{HOST}/plain/page.php") == "as it is\n"


def test_module_of_php_has_three_names(box, site):
    """Other names of PHP are not those of mod_php, which would leave the source to Apache."""
    module, = box.path("/usr/lib/apache2/modules").glob("libphp*.so")
    box.write("/etc/bellhop/sites/carol/module.conf", f"LoadModule php_module /usr/lib/apache2/modules/{module.name}\n")
    box.write(DROP_IN, "[Service]\nEnvironment=BELLHOP_MPM=prefork\n")
    box.run("systemctl", "daemon-reload")
    for name, handler in (("own", "AddHandler application/x-httpd-php .php"),
                          ("others", "AddHandler application/x-httpd-ea-php82 .php"),
                          ("off", "SetHandler application/x-httpd-php\nphp_flag engine off")):
        box.write(f"{WWW}/{name}/.htaccess", handler + "\n")
        box.write(f"{WWW}/{name}/page.php", "<?php echo PHP_SAPI;")
    box.shell(f"chown -R carol: {WWW}; systemctl restart {SITE}")
    assert box.curl(f"http://{HOST}/own/page.php") == "apache2handler"
    assert box.curl(f"http://{HOST}/others/page.php") == "fpm-fcgi"
    assert "403 Forbidden" in box.curl(f"http://{HOST}/off/page.php")


# --- when it runs ---


def test_it_comes_with_the_first_page_and_goes_with_the_instance(box, site):
    assert box.try_run("pgrep", "-u", site).stdout == ""
    box.curl(f"http://{HOST}/load.txt")
    assert status_of(box, "missing.php") == "404"
    assert processes(box) == []
    assert [page(box, "show.php")["master"]] == masters(box)
    box.write_instance(site, f"Host={HOST}\nIdleSec=1s\n")
    box.run("systemctl", "restart", SITE)
    page(box, "show.php")
    wait_until_it_sleeps(box)
    assert box.show(SITE, "Result") == "success"
    assert page(box, "show.php")["user"] == site


def test_sleeping_site_is_seen_to_sleep(box, site):
    """Nothing of PHP stays, nor the folder by which the router knows that the instance runs."""
    folder = box.path(f"/run/bellhop/{site}.running")
    for action in (["stop"], ["kill", "--signal=KILL", "--kill-who=main"]):
        page(box, "show.php")
        assert folder.exists() and masters(box)
        box.run("systemctl", *action, SITE)
        wait_until_it_sleeps(box)
        assert not folder.exists()


def test_it_is_in_the_unit_of_the_instance(box, site):
    """So that whatever systemd bounds, counts and kills is one for both."""
    master = page(box, "show.php")["master"]
    groups = [box.path(f"/proc/{pid}/cgroup").read_text() for pid in (master, box.show(SITE, "MainPID"))]
    assert groups[0] == groups[1] and f"/{SITE}\n" in groups[0]
    assert box.show(SITE, "OOMPolicy") == "continue"
    for name in ("ns/mnt", "ns/net", "ns/ipc"):
        assert len({os.readlink(box.path(f"/proc/{pid}/{name}")) for pid in (master, box.show(SITE, "MainPID"))}) == 1


@pytest.fixture(name="php_load")
def php_load_fixture(box, site):
    """load.py asks for load.txt, and wants its length; here it is a PHP page."""
    box.write(f"{WWW}/.htaccess", "SetEnv ap_trust_cgilike_cl 1\nRewriteEngine On\n"
              "RewriteRule ^load\\.txt$ load.php [L]\n")
    box.shell(f"rm {WWW}/load.txt; chown -R carol: {WWW}")
    return lambda: load(box, HOST, kinds={"new": 3, "keep": 1})


def change_under_load(box, php_load, action):
    with php_load() as report:
        for _ in range(5):
            box.run("systemctl", action, SITE)
            assert box.curl(f"http://{HOST}/load.php").strip() == HOST
    return report


@pytest.mark.parametrize("action", ["stop", "restart", "reload"])
def test_nothing_is_lost(box, php_load, action):
    """The instance ends and starts while requests for PHP come, and PHP with it. In one of some fifteen such runs, a worker
    of PHP-FPM that ends closes a connection that it has just accepted, and the request gets 503."""
    for _ in range(3):
        report = change_under_load(box, php_load, action)
        if not report.failures:
            break
        assert len(report.failures) == 1 and "503" in report.failures[0]["what"], report.failures
    report.assert_nothing_failed("new", "keep", idle_ends=MANY)


@pytest.mark.parametrize("who", ["all", "master"])
def test_killed_php_loses_only_what_it_was_serving(box, php_load, who):
    """Workers without a master finish what they do, and go as well."""
    kills = []
    with php_load() as report:
        for _ in range(4):
            master, = box.wait_for("PHP runs", lambda: masters(box))
            began = time.monotonic()
            box.run("kill", "-KILL", "--", master if who == "master" else -master)
            kills.append((began, time.monotonic()))
            box.wait_for("its workers are gone", lambda master=master: not box.try_run("pgrep", "-g", master).stdout)
            assert box.curl(f"http://{HOST}/load.php").strip() == HOST
    assert [failure for failure in report.failures if who == "master" or
            not any(failure["began"] < done and began < failure["ended"] for began, done in kills)] == []
    assert report.counts["new"] > 4


def test_request_while_php_is_ending(box, site):
    """At any moment behind the end of the instance, which ends PHP: what comes meanwhile is served by the next one."""
    for pause in range(0, 120, 20):
        page(box, "show.php")
        box.run("systemctl", "stop", SITE)
        time.sleep(pause / 1000)
        assert page(box, "show.php")["user"] == site


@pytest.mark.parametrize("action", ["stop", "reload"])
def test_page_in_progress_is_finished(box, site, action):
    box.curl(f"http://{HOST}/load.php")
    master, = masters(box)
    answers = []
    visitor = threading.Thread(target=lambda: answers.append(box.curl(f"http://{HOST}/slow.php", check=False).stdout))
    visitor.start()
    box.wait_for("a worker has it", lambda: "1 connection" in box.show(SITE, "StatusText"))
    if action == "reload":
        box.run("systemctl", action, SITE)
        assert page(box, "show.php")["master"] != master
    else:
        box.run("systemctl", "--no-block", action, SITE)
        box.wait_for("it is ending", lambda: state(box) == "deactivating")
    box.write(f"{WWW}/go", "")
    visitor.join()
    assert answers[0].startswith("slow ")


def test_work_behind_the_response_is_finished(box, site):
    """fastcgi_finish_request(): no connection shows that work is left."""
    for action in ("reload", "stop"):
        assert box.curl(f"http://{HOST}/later.php") == "at once"
        box.run("systemctl", action, SITE)
        assert box.wait_for("the work is done", lambda: box.path(f"{WWW}/later.txt").exists())
        box.path(f"{WWW}/later.txt").unlink()


def test_told_to_end_while_it_starts(box, site):
    """It has no handler for the signal yet; the request is for the next one, and nobody calls it a failure."""
    begin = now(box)
    for i in range(6):
        box.run("systemctl", "restart", SITE)
        box.curl(f"http://{HOST}/load.txt")
        assert processes(box) == []
        visitor = box.popen_client("curl", "-sS", "--resolve", f"{HOST}:80:127.0.0.1", f"http://{HOST}/load.php",
                                   stdout=subprocess.PIPE)
        box.wait_for("PHP is starting", lambda: processes(box))
        time.sleep(i / 200)
        box.run("systemctl", "reload", SITE)
        assert visitor.communicate(timeout=30)[0] == f"{HOST}\n"
    assert "does not work" not in box.journal("-u", SITE, "--since", begin)


def test_reload_takes_up_what_has_changed(box, site):
    first = page(box, "show.php")
    box.write(PHP_FPM, INCLUDE + "php_flag[pcre.jit] = off\n")
    box.run("systemctl", "reload", SITE)
    second = page(box, "show.php")
    assert (first["jit"], second["jit"]) == ("1", "0") and first["master"] != second["master"]
    box.wait_for("the old one is gone", lambda: masters(box) == [second["master"]])
    assert "long lost child" not in box.journal("-u", SITE)


# --- when it can't ---


def assert_unavailable(box):
    """For each who asks: curl gives up after twenty seconds."""
    for _ in range(3):
        assert status_of(box, "load.php") == "503"
    assert box.curl(f"http://{HOST}/load.txt").strip() == HOST


def test_php_that_can_not_start_is_said_and_tried_again(box, site):
    box.write(PHP_FPM, "nonsense\n")
    box.run("systemctl", "restart", SITE)
    assert_unavailable(box)
    assert f"failed to load configuration file '{PHP_FPM}'" in said_by_php(box)
    assert "PHP does not work (exit status 78)" in box.journal("-u", SITE)
    # What `bellhopctl status` shows.
    assert "failed to load" in box.run("bellhopctl", "status", site)
    box.path(PHP_FPM).unlink()
    assert box.wait_for("PHP is back", lambda: status_of(box, "load.php") == "200")


@pytest.mark.parametrize("how", ["kill -SEGV $$", "exit 0"])
def test_php_that_ends_at_once(box, site, how):
    box.write("/usr/local/sbin/fpm", f"#!/bin/sh\n{how}\n", 0o755)
    choose_fpm(box, "/usr/local/sbin/fpm")

    def makes_few_attempts():
        """After some attempts, bellhop-instance makes one attempt for each request."""
        box.run("systemctl", "restart", SITE)
        begin = now(box)
        assert_unavailable(box)
        log = box.journal("-u", SITE, "--since", begin)
        return log.count("PHP was killed") == (4 if "SEGV" in how else 0) and 3 <= log.count("PHP does not work") <= 5

    # After two seconds without an attempt, the count begins anew. That is right if the machine stalls.
    assert any(makes_few_attempts() for _ in range(4))


def test_reload_with_a_broken_configuration_is_refused(box, site):
    """What runs goes on, and the reason is told."""
    before = page(box, "show.php")["master"]
    box.write(PHP_FPM, "nonsense\n")
    assert box.try_run("systemctl", "reload", SITE).returncode != 0
    assert f"failed to load configuration file '{PHP_FPM}'" in box.journal("-u", SITE)
    assert page(box, "show.php")["master"] == before


def test_without_php_no_source_is_shown(box, site):
    """As on a machine where PHP-FPM is not installed; when it is, a reload finds it, and when it is removed, too."""
    fpm, = box.shell("ls /usr/sbin/php-fpm*").split()
    box.run("mv", fpm, "/usr/sbin/no-php")
    try:
        answer = box.curl(f"http://{HOST}/load.php", "-i")
        assert " 503 " in answer.splitlines()[0] and "<?php" not in answer
        assert box.curl(f"http://{HOST}/load.txt").strip() == HOST
        assert processes(box) == [] and not box.path(box.runtime("carol", "php.sock")).exists()
    finally:
        box.run("mv", "/usr/sbin/no-php", fpm)
    box.run("systemctl", "reload", SITE)
    assert status_of(box, "load.php") == "200"
    # A child from before the reload, which has the socket of PHP, goes on with what it does.
    box.write_page(site, "slow.cgi", "touch begun; until [ -e go ]; do sleep 0.1; done")
    visitor = box.popen_client("curl", "-sS", "--resolve", f"{HOST}:80:127.0.0.1", f"http://{HOST}/slow.cgi")
    box.wait_for("it is at work", box.path(f"{WWW}/begun").exists)
    box.run("mv", fpm, "/usr/sbin/no-php")
    try:
        box.run("systemctl", "reload", SITE)
        assert status_of(box, "load.php") == "503" and visitor.poll() is None
        box.wait_for("PHP has ended", lambda: masters(box) == [])
    finally:
        box.write(f"{WWW}/go", "")
        visitor.wait(timeout=20)
        box.run("mv", "/usr/sbin/no-php", fpm)


def test_customers_own_settings(box, site):
    box.write(PHP_FPM, INCLUDE + "pm.max_children = 1\nphp_flag[pcre.jit] = off\n")
    assert page(box, "show.php")["jit"] == "0"


def test_page_that_hangs_does_not_keep_its_worker(box, site):
    """By default for an hour, and in this test for a second."""
    fpm, = box.shell("ls /usr/sbin/php-fpm*").split()
    box.write("/root/shown.conf", "include = /etc/bellhop/php/fpm.conf\n[global]\nlog_level = notice\n")
    shown = box.shell(f"{fpm} -R -tt -y /root/shown.conf 4>&1 2>&1")
    assert "request_terminate_timeout = 3600s" in shown
    box.write(PHP_FPM, INCLUDE + "pm.max_children = 1\nrequest_terminate_timeout = 1s\n")
    box.write(f"{WWW}/hang.php", "<?php shell_exec('printf \"a w\\303\\266rd\\302\\233\\033[2J\\n\" >&2; sleep 600');")
    # The program that it has started still has the connection; the worker has gone all the same.
    box.curl(f"http://{HOST}/hang.php", "--max-time", "2", check=False)
    assert status_of(box, "load.php") == "200"
    # What the program had to say has not gone nowhere, but for what controls a terminal.
    box.wait_for("its words", lambda: re.search(r"\] \[php\] a w(ö|#303#266)rd\?\?\?\[2J\n", box.log("carol", "error")))


# --- its sandbox is that of the instance ---


@pytest.mark.parametrize("network", ["no", "yes"])
def test_a_page_reaches_only_what_is_the_customers(box, site, network):
    box.write_instance(site, f"Host={HOST}\nNetwork={network}\n")
    box.run("systemctl", "daemon-reload")
    paths = ["/home", "/srv/www", "/etc/bellhop/tls", "/etc/bellhop/sites", "/var/lib/bellhop", "/run/bellhop",
             "/run/bellhop-instance", "/etc/bellhop/tls/alice/privkey.pem", "/etc/shadow"]
    seen = page(box, "reach.php", "--data-binary", json.dumps(paths))
    assert {path: seen[path] for path in paths} == {
        "/home": ["carol"], "/srv/www": ["carol"], "/etc/bellhop/tls": ["carol"], "/etc/bellhop/sites": ["carol"],
        "/var/lib/bellhop": ["carol"], "/run/bellhop": [], "/run/bellhop-instance": ["php.sock", "pid-1", "state"],
        "/etc/bellhop/tls/alice/privkey.pem": None, "/etc/shadow": ""}
    assert seen["connect"] is (network == "yes")
    assert "0" not in seen["sudo"].split()
    assert seen["processes"] == [box.uid(site)]


# What the sandbox does not close is closed by the fence that bellhop-instance raises, for all that it starts.
FENCE = """/usr/bin/python3 -c '
import socket
def works(action, *args):
    try:
        action(*args)
        return True
    except OSError:
        return False
print(works(socket.create_server, ("127.0.0.1", 5000)), works(socket.socket(socket.AF_UNIX).connect, "\\0meeting"))
'"""


@pytest.mark.parametrize("network", ["no", "yes"])
def test_php_is_in_the_fence_of_its_instance(box, site, network):
    """A socket of the customer may be passed to PHP, so PHP must not be able to do more with it."""
    box.write_instance(site, f"Host={HOST}\nNetwork={network}\n")
    box.run("systemctl", "daemon-reload")
    box.write_page(site, "fence.cgi", FENCE)
    server = box.popen_run("/usr/bin/python3", "-c",
                           "import socket\nserver = socket.socket(socket.AF_UNIX)\nserver.bind('\\0meeting')\n"
                           "server.listen()\nprint('up', flush=True)\ninput()\n", stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE)
    try:
        assert server.stdout.readline() == "up\n"
        seen = page(box, "reach.php", "--data-binary", "[]")
        assert box.curl(f"http://{HOST}/fence.cgi").split() == [str(seen["listen"]), str(seen["abstract"])]
    finally:
        server.communicate("\n", timeout=20)
    assert not seen["abstract"] and seen["listen"] == (network == "yes")


def test_socket_is_the_customers_alone(box, site):
    box.curl(f"http://{HOST}/load.php")
    path = box.runtime(site, "php.sock")
    status = box.path(path).stat()
    assert (status.st_mode & 0o777, status.st_uid) == (0o600, box.uid(site))
    program = f"import socket; socket.socket(socket.AF_UNIX).connect('{path}'); print('connected')"
    for user in ("alice", "bellhop", "nobody", "carol", "root"):
        group = box.run("id", "-g", user).strip()
        tried = box.try_run("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups",
                            "/usr/bin/python3", "-c", program)
        assert ("connected" in tried.stdout) == (user == "root"), (user, tried)


def test_instance_and_php_share_tmp(box, site):
    box.write(f"{WWW}/tmp.php", "<?php file_put_contents('/tmp/of-carol', 'shared'); echo 'ok';")
    box.write_page(site, "tmp.cgi", "cat /tmp/of-carol")
    assert box.curl(f"http://{HOST}/tmp.php") == "ok"
    assert box.curl(f"http://{HOST}/tmp.cgi") == "shared"
    assert not box.path("/tmp/of-carol").exists()


# Gets hold of a descriptor of another process, and shuts it for reading alone.
SHUT = """import ctypes, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
pidfd = libc.syscall(434, int(sys.argv[1]), 0)
fd = libc.syscall(438, pidfd, 3, 0)
assert fd >= 0, ctypes.get_errno()
socket.socket(fileno=fd).shutdown(socket.SHUT_RD)
print("shut")
"""


def test_program_of_the_customers_elsewhere_harms_only_his_site(box, site):
    """It gets at the socket of PHP, which is none of systemd's: systemd goes on, and the next start has a new one."""
    master = page(box, "show.php")["master"]
    group = box.run("id", "-g", site).strip()
    assert box.run("setpriv", f"--reuid={site}", f"--regid={group}", "--clear-groups", "/usr/bin/python3", "-c", SHUT,
                   master) == "shut\n"
    box.run("systemctl", "stop", SITE)
    assert state(box) == "inactive"
    assert page(box, "show.php")["user"] == site


def test_with_each_server(box, four):
    """Those who started, reload, and end it are the server's."""
    for name in four:
        box.write(f"/srv/www/{name}/pid.php", "<?php echo posix_getppid();")
        box.run("chown", f"{name}:", f"/srv/www/{name}/pid.php")

        def master(name=name):
            return int(box.curl(f"http://{name}.example/pid.php"))

        first = master()
        box.run("kill", "-KILL", first)
        second = master()
        box.run("systemctl", "reload", f"bellhop@{name}.service")
        assert len({first, second, master()}) == 3
        box.run("systemctl", "stop", f"bellhop@{name}.service")
        assert box.show(f"bellhop@{name}.service", "Result") == "success"
        assert box.try_run("pgrep", "-u", name).stdout == ""
