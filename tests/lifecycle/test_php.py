# SPDX-License-Identifier: MIT
"""PHP out of the box: each customer's own PHP-FPM, which comes with the first request and goes with the instance."""

import json
import os
import re
import subprocess
import threading
import time

import pytest
import sites
from box import SOURCE
from clients import load
from showcase import ALICE

HOST = "carol.example"
WWW = "/srv/www/carol"
PHP, SOCKET, SITE = "bellhop-php@carol.service", "bellhop-php@carol.socket", "bellhop@carol.service"
PHP_FPM = "/etc/bellhop/sites/carol/php.fpm"
MANY = 10**6


@pytest.fixture(name="site")
def site_fixture(box, carol):
    """carol, with PHP pages and no further step of hers or an administrator's."""
    for name, text in (("show.php", sites.SHOW_PHP), ("reach.php", sites.REACH_PHP),
                       ("load.php", f"<?php header('Content-Length: {len(HOST) + 1}'); echo '{HOST}', PHP_EOL;"),
                       ("slow.php", "<?php sleep(2); echo 'slow ', getmypid();")):
        box.write(f"{WWW}/{name}", text)
    box.shell(f"chown -R carol: {WWW}")
    box.start_customer(carol)
    return carol


def page(box, path, *args, scheme="https", host=HOST):
    return json.loads(box.curl(f"{scheme}://{host}/{path}", *args))


def status_of(box, path, *args):
    return box.curl(f"http://{HOST}/{path}", "-o", "/dev/null", "-w", "%{http_code}", *args)


def state(box, unit):
    return box.show(unit, "ActiveState")


def wait_until_all_sleep(box):
    for unit in (SITE, PHP, SOCKET):
        box.wait_for(f"{unit} is inactive", lambda unit=unit: state(box, unit) == "inactive")


def said_by_php(box):
    return box.journal("-u", PHP)


# --- what a page sees ---


def test_page(box, site):
    seen = page(box, "show.php/some/path?a=b")
    assert (seen["uid"], seen["user"], seen["sapi"]) == (box.uid(site), site, "fpm-fcgi")
    assert (seen["host"], seen["path"], seen["query"], seen["https"]) == (HOST, "/some/path", {"a": "b"}, "on")
    assert seen["protocol"] == "HTTP/2.0"
    assert (seen["digits"], seen["jit"]) == ("123", "0")
    assert page(box, "show.php", scheme="http")["https"] == "off"
    # Nothing that an administrator would have to look into.
    assert "WARNING" not in said_by_php(box) and "ERROR" not in said_by_php(box)
    assert "php" not in box.journal("-t", "bellhop-carol").lower()


def test_post_and_password(box, site):
    seen = page(box, "show.php", "-d", "name=value&other=1", "-u", "visitor:secret")
    assert seen["form"] == {"name": "value", "other": "1"}
    assert seen["authorization"].startswith("Basic ")


def test_session_outlives_the_sleep_of_the_site(box, site, tmp_path):
    cookies = ["-b", tmp_path / "jar", "-c", tmp_path / "jar"]
    assert page(box, "show.php", *cookies)["visits"] == 1
    assert page(box, "show.php", *cookies)["visits"] == 2
    box.run("systemctl", "stop", SITE)
    wait_until_all_sleep(box)
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
    """As content management systems do it: what is no file goes to index.php."""
    box.write(f"{WWW}/index.php", "<?php echo 'index of ', $_SERVER['REQUEST_URI'];")
    box.write(f"{WWW}/.htaccess", "RewriteEngine On\nRewriteCond %{REQUEST_FILENAME} !-f\n"
              "RewriteRule . /index.php [L]\n")
    box.shell(f"rm {WWW}/index.cgi; chown -R carol: {WWW}")
    for path in ("", "some/article", "missing.php"):
        assert box.curl(f"https://{HOST}/{path}") == f"index of /{path}"


def test_errors_of_a_page_are_in_the_instances_log(box, site):
    box.write(f"{WWW}/broken.php", "<?php this is no php;")
    assert status_of(box, "broken.php") == "500"
    box.wait_for("the error is told", lambda: "syntax error" in box.journal("-t", "bellhop-carol"))


def test_customers_own_handler_wins(box, site):
    """Another version of PHP, another server, or none: .htaccess or a snippet say so."""
    box.write(f"{WWW}/plain/.htaccess", "<FilesMatch \\.php$>\nSetHandler default-handler\n</FilesMatch>\n")
    box.write(f"{WWW}/plain/page.php", "as it is\n")
    box.shell(f"chown -R carol: {WWW}")
    assert box.curl(f"http://{HOST}/plain/page.php") == "as it is\n"


# --- when it runs ---


def test_it_comes_with_the_first_page_and_goes_with_the_instance(box, site):
    assert [state(box, unit) for unit in (SITE, PHP, SOCKET)] == ["inactive"] * 3
    box.curl(f"http://{HOST}/load.txt")
    assert status_of(box, "missing.php") == "404"
    assert [state(box, unit) for unit in (SITE, PHP, SOCKET)] == ["active", "inactive", "active"]
    page(box, "show.php")
    assert state(box, PHP) == "active"
    box.write_instance(site, f"Host={HOST}\nIdleSec=1s\n")
    box.run("systemctl", "restart", SITE)
    page(box, "show.php")
    wait_until_all_sleep(box)
    assert [box.show(unit, "Result") for unit in (SITE, PHP, SOCKET)] == ["success"] * 3
    assert box.try_run("pgrep", "-u", site).stdout == ""
    assert not box.path("/run/bellhop-php/carol.sock").exists()
    assert page(box, "show.php")["user"] == site


def test_sleeping_site_is_seen_to_sleep(box, site):
    """PHP ends after its instance, and must not leave the folder behind by which the router knows that this runs."""
    folder = box.path(f"/run/bellhop-instance/{site}")
    for action in (["stop"], ["kill", "--signal=KILL", "--kill-who=main"]):
        page(box, "show.php")
        assert folder.exists() and state(box, PHP) == "active"
        box.run("systemctl", *action, SITE)
        for unit in (SITE, PHP):
            box.wait_for(f"{unit} has ended", lambda unit=unit: state(box, unit) in ("inactive", "failed"))
        assert not folder.exists()


@pytest.fixture(name="php_load")
def php_load_fixture(box, site):
    """load.py asks for load.txt, and wants its length; here it is a PHP page."""
    box.write(f"{WWW}/.htaccess", "SetEnv ap_trust_cgilike_cl 1\nRewriteEngine On\n"
              "RewriteRule ^load\\.txt$ load.php [L]\n")
    box.shell(f"rm {WWW}/load.txt; chown -R carol: {WWW}")
    return lambda: load(box, HOST, kinds={"new": 3, "keep": 1})


@pytest.mark.parametrize("action", ["stop", "restart", "reload"])
def test_nothing_is_lost(box, php_load, action):
    """The instance ends and starts while requests for PHP come, and PHP with it."""
    with php_load() as report:
        for _ in range(5):
            box.run("systemctl", action, SITE)
            assert box.curl(f"http://{HOST}/load.php").strip() == HOST
    report.assert_nothing_failed("new", "keep", idle_ends=MANY)


@pytest.mark.parametrize("action", ["restart", "reload"])
def test_php_alone_ends_and_starts(box, php_load, action):
    """Under load, by an administrator's hand. PHP-FPM may drop what it accepts in the moment it is told to end (once in
    some hundred restarts): then the client is told so at once, and all others are served."""
    with php_load() as report:
        for _ in range(5):
            box.run("systemctl", action, PHP)
            assert box.curl(f"http://{HOST}/load.php").strip() == HOST
    assert [failure for failure in report.failures if "HTTP/1.1 503 " not in failure["what"]] == []
    assert len(report.failures) <= 1
    assert report.counts["new"] > 4


def test_request_while_php_is_ending(box, site):
    """At any moment behind the end of the instance, which ends PHP: what comes meanwhile is served by the next one."""
    for pause in range(0, 120, 20):
        page(box, "show.php")
        box.run("systemctl", "stop", SITE)
        time.sleep(pause / 1000)
        assert page(box, "show.php")["user"] == site


@pytest.mark.parametrize("unit", [SITE, PHP])
def test_page_in_progress_is_finished(box, site, unit):
    box.curl(f"http://{HOST}/load.php")
    answers = []
    visitor = threading.Thread(target=lambda: answers.append(box.curl(f"http://{HOST}/slow.php", check=False).stdout))
    visitor.start()
    box.wait_for("a worker has it", lambda: " 1 connection" in " " + box.show(SITE, "StatusText") or
                 len(box.run("pgrep", "-u", site, "-f", "pool site").split()) > 0)
    box.run("systemctl", "stop", unit)
    visitor.join()
    assert answers[0].startswith("slow ")


def test_stopped_while_it_starts(box, site):
    """It has no handler for the signal yet; that is no failure, and the request is for the next one."""
    box.curl(f"http://{HOST}/load.txt")
    for _ in range(3):
        visitor = box.popen_client("curl", "-sS", "--resolve", f"{HOST}:80:127.0.0.1", f"http://{HOST}/load.php",
                                   stdout=subprocess.PIPE)
        box.wait_for("PHP is starting", lambda: state(box, PHP) in ("activating", "active"))
        box.run("systemctl", "stop", PHP)
        assert box.show(PHP, "Result") == "success"
        assert visitor.communicate(timeout=30)[0] == f"{HOST}\n"
        box.run("systemctl", "stop", PHP)


# --- when it can't ---


def test_php_that_can_not_start_is_said_and_tried_again(box, site):
    box.curl(f"http://{HOST}/load.php")
    box.write(PHP_FPM, "nonsense\n")
    box.run("systemctl", "restart", SITE)
    box.run("systemctl", "stop", PHP)
    for _ in range(3):
        seconds, status = box.curl(f"http://{HOST}/load.php", "-o", "/dev/null", "-w",
                                   "%{time_total} %{http_code}").split()
        assert status == "503" and float(seconds) < 5
    assert f"failed to load configuration file '{PHP_FPM}'" in said_by_php(box)
    assert box.curl(f"http://{HOST}/load.txt").strip() == HOST
    box.path(PHP_FPM).unlink()
    assert box.wait_for("PHP is back", lambda: status_of(box, "load.php") == "200")


def test_without_php_no_source_is_shown(box, site):
    """As on a machine where PHP-FPM is not installed."""
    box.write("/etc/systemd/system/bellhop-php@.socket.d/none.conf",
              "[Unit]\nConditionPathExistsGlob=\nConditionPathExistsGlob=/nowhere/php-fpm*\n")
    box.run("systemctl", "daemon-reload")
    try:
        answer = box.curl(f"http://{HOST}/load.php", "-i")
        assert " 503 " in answer.splitlines()[0] and "<?php" not in answer
        assert box.show(SOCKET, "ConditionResult") == "no"
        assert box.curl(f"http://{HOST}/load.txt").strip() == HOST
    finally:
        box.shell("rm -r /etc/systemd/system/bellhop-php@.socket.d; systemctl daemon-reload")


def test_customers_own_settings(box, site):
    box.write(PHP_FPM, "include = /etc/bellhop/php/fpm.conf\n[site]\npm.max_children = 1\nphp_flag[pcre.jit] = on\n")
    assert page(box, "show.php")["jit"] == "1"


def test_started_by_hand(box, site):
    assert box.try_run("systemctl", "start", PHP).returncode != 0
    assert f"PHP gets its requests from {SOCKET}" in said_by_php(box)


# --- its sandbox is that of the instance ---


def sandbox_keys():
    """The settings below the line where the sandbox of an instance begins."""
    text = (SOURCE / "units/bellhop@.service.in").read_text().partition("\n## Privileges")[2]
    return sorted(set(re.findall(r"^([A-Za-z]+)=", text, re.M)))


def test_same_sandbox_as_the_instance(box, site):
    keys = sandbox_keys()
    assert len(keys) > 30
    for key in keys:
        assert box.show(PHP, key) == box.show(SITE, key), key
    limits = ["User", "Slice", "TasksMax", "LimitNOFILE"]
    assert [box.show(PHP, key) for key in limits] == [box.show(SITE, key) for key in limits]


@pytest.mark.parametrize("network", ["no", "yes"])
def test_a_page_reaches_only_what_is_the_customers(box, site, network):
    box.write_instance(site, f"Host={HOST}\nNetwork={network}\n")
    box.run("systemctl", "daemon-reload")
    paths = ["/home", "/srv/www", "/etc/bellhop/tls", "/etc/bellhop/sites", "/var/lib/bellhop", "/run/bellhop",
             "/run/bellhop-php", "/etc/bellhop/tls/alice/privkey.pem", "/etc/shadow"]
    seen = page(box, "reach.php", "--data-binary", json.dumps(paths))
    assert {path: seen[path] for path in paths} == {
        "/home": ["carol"], "/srv/www": ["carol"], "/etc/bellhop/tls": ["carol"], "/etc/bellhop/sites": ["carol"],
        "/var/lib/bellhop": ["carol"], "/run/bellhop": [], "/run/bellhop-php": [],
        "/etc/bellhop/tls/alice/privkey.pem": None, "/etc/shadow": ""}
    assert seen["connect"] is (network == "yes")
    assert "0" not in seen["sudo"].split()
    assert seen["processes"] == [box.uid(site)]


# What the sandbox does not close is closed by a fence that mod_bellhop raises, and bellhop-fence around PHP.
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
    """A socket of the customer's may be passed to his PHP, so that PHP must not be able to do more with it."""
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
    status = box.path("/run/bellhop-php/carol.sock").stat()
    assert (status.st_mode & 0o777, status.st_uid) == (0o600, box.uid(site))
    folder = box.path("/run/bellhop-php").stat()
    assert (folder.st_mode & 0o777, folder.st_uid) == (0o711, 0)
    program = "import socket; socket.socket(socket.AF_UNIX).connect('/run/bellhop-php/carol.sock'); print('connected')"
    for user in ("alice", "bellhop", "nobody", "carol"):
        group = box.run("id", "-g", user).strip()
        tried = box.try_run("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups",
                            "/usr/bin/python3", "-c", program)
        assert ("connected" in tried.stdout) == (user == "carol"), (user, tried)
    # Nor from within a neighbour's site.
    box.write_page("alice", "connect.cgi", f"/usr/bin/python3 -c \"{program}\" 2>&1")
    try:
        assert "PermissionError" in box.curl(f"http://{ALICE}/connect.cgi")
    finally:
        box.path("/srv/www/alice/connect.cgi").unlink()


def test_instance_and_php_share_tmp(box, site):
    box.write(f"{WWW}/tmp.php", "<?php file_put_contents('/tmp/of-carol', 'shared'); echo 'ok';")
    box.write_page(site, "tmp.cgi", "cat /tmp/of-carol")
    assert box.curl(f"http://{HOST}/tmp.php") == "ok"
    assert box.curl(f"http://{HOST}/tmp.cgi") == "shared"
    assert not box.path("/tmp/of-carol").exists()
