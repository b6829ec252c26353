# SPDX-License-Identifier: MIT
"""An instance with Server=nginx: what bellhop-nginx(8) says of snippets and applications, with the lines that it has."""

import os
import pathlib
import re
import subprocess

import pytest
from box import SOURCE
from test_ctl import ctl

HOST, BLOG = "carol.example", "blog.carol.example"
SITES, WWW = "/etc/bellhop/sites/carol", "/srv/www/carol"
FILE = "/etc/bellhop/instances/carol.conf"
RELOAD = "systemctl try-reload-or-restart bellhop@carol.service"
ECHO = "<?php echo \"$_SERVER[SCRIPT_NAME]|$_SERVER[PATH_INFO]|$_SERVER[QUERY_STRING]|$_SERVER[REQUEST_URI]\";"


def examples():
    """{file name: text}, as the page has it when it is shown, for carol."""
    text = pathlib.Path(SOURCE, "man/bellhop-nginx.8.scd").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n# /etc/bellhop/sites/alice/(\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return {name: re.sub(r"\\(.)", r"\1", body).replace("alice", "carol") for name, body in blocks}


EXAMPLES = examples()


@pytest.fixture(name="site")
def _site(box, carol):
    box.write(FILE, f"[Instance]\nHost={HOST} {BLOG}\nServer=nginx\n")
    box.run("bellhopctl", "cert", carol, "--self-signed", "--force")
    box.start_customer(carol)
    return carol


def put(box, **files):
    """Pages of carol, in their own folders."""
    for name, text in files.items():
        box.run("runuser", "-u", "carol", "--", "mkdir", "-p", os.path.dirname(f"{WWW}/{name}"))
        box.write(f"{WWW}/{name}", text)
    box.shell(f"chown -R carol: {WWW}")


def use(box, *names, **more):
    for name in names:
        box.write(f"{SITES}/{name}", EXAMPLES[name])
    for name, text in more.items():
        box.write(f"{SITES}/{name.replace('_', '.')}", text)
    box.shell(RELOAD)


def get(box, path, *options, host=HOST, scheme="https"):
    """The status, and what is said."""
    said = box.curl(f"{scheme}://{host}/{path}", *options, "-w", "\n%{http_code}")
    body, _, status = said.rpartition("\n")
    return int(status), body


def statuses(box, *paths):
    return {path: get(box, path)[0] for path in paths}


def assert_checked(box):
    """check has no word about what the page advises."""
    said = box.try_run("bellhopctl", "check", "--instance=carol", "--strict", "--json").stdout
    assert not re.search('"severity": *"(error|warning)"', said), said


@pytest.mark.usefixtures("site")
def test_files(box):
    put(box, **{"index.html": "start", "index.php": "<?php echo 1;", "a/index.php": ECHO, "a/x.txt": "x", "list.cgi": "secret",
                "x.pl": "secret", ".htaccess": "x", "a/.htpasswd": "x", "a/.user.ini": "x", "b/x.txt": "", "x.phtml": ECHO,
                ".well-known/acme-challenge/token": "token.x"})
    # Of the start pages, the same as with Apache.
    assert get(box, "") == (200, "start")
    assert get(box, "a/?b=1") == (200, "/a/index.php||b=1|/a/?b=1")
    assert get(box, "x.phtml/y?z") == (200, "/x.phtml|/y|z|/x.phtml/y?z")
    assert statuses(box, "a/x.txt", "list.cgi", "x.pl", ".htaccess", "a/.htpasswd", "a/.user.ini", "b/", "none", "none.php") == {
        "a/x.txt": 200, "list.cgi": 403, "x.pl": 403, ".htaccess": 403, "a/.htpasswd": 403, "a/.user.ini": 403, "b/": 403,
        "none": 404, "none.php": 404}
    # Whatever patterns a snippet has.
    use(box, x_conf="location ~ ^/ { expires 1h; }\n")
    assert statuses(box, ".htaccess", "a/.htpasswd", "a/.user.ini") == {".htaccess": 403, "a/.htpasswd": 403, "a/.user.ini": 403}
    use(box, x_conf="deny all;\n")
    for scheme in ("http", "https"):
        assert get(box, ".well-known/acme-challenge/token", scheme=scheme) == (200, "token.x")
    assert get(box, "")[0] == 403


@pytest.mark.usefixtures("site")
def test_password(box):
    """For PHP as well, which has a pattern."""
    put(box, **{"private/x.txt": "x", "private/x.php": ECHO, "index.html": "start",
                ".htpasswd": "carol:" + subprocess.run(["openssl", "passwd", "-apr1", "secret"], text=True, check=True,
                                                       capture_output=True).stdout})
    use(box, "private.conf")
    for path in ("private/x.txt", "private/x.php", "private/x.php/y", "private/none.php"):
        assert get(box, path)[0] == 401, path
    assert get(box, "private/x.txt", "-u", "carol:secret") == (200, "x")
    assert get(box, "private/x.php", "-u", "carol:secret") == (200, "/private/x.php|||/private/x.php")
    assert get(box, "") == (200, "start")
    assert_checked(box)


@pytest.mark.usefixtures("site")
def test_host_of_its_own(box):
    put(box, **{"index.html": "start", "blog/index.php": ECHO, "blog/.htpasswd": "x"})
    use(box, "blog.http")
    for scheme in ("http", "https"):
        assert get(box, "", host=BLOG, scheme=scheme) == (200, "/index.php|||/")
        assert get(box, "", scheme=scheme) == (200, "start")
        assert get(box, ".htpasswd", host=BLOG, scheme=scheme)[0] == 403
    assert "HTTP/2" in box.curl(f"https://{BLOG}/", "-I", "--http2")


@pytest.mark.usefixtures("site")
def test_host_with_a_folder(box):
    """Its root is the folder, or where that leads, and rules of snippets are for it, too."""
    put(box, **{"index.html": "start", f"{BLOG}/index.html": "blog", "app/public/index.html": "app"})
    use(box, x_conf="location = /x { return 204; }\n")
    assert get(box, "", host=BLOG) == (200, "blog") and get(box, "") == (200, "start")
    assert get(box, "x", host=BLOG)[0] == get(box, "x")[0] == 204
    box.shell(f"rm -r {WWW}/{BLOG}; runuser -u carol -- ln -s app/public {WWW}/{BLOG}; {RELOAD}")
    assert get(box, "", host=BLOG) == (200, "app") and get(box, "") == (200, "start")


@pytest.mark.usefixtures("site")
def test_proxy(box, router_settings):
    put(box, **{"index.php": "<?php echo \"[$_SERVER[REMOTE_ADDR]]\";"})
    use(box, proxy_http=EXAMPLES["proxy.http"].replace("192.0.2.0/24", "127.0.0.0/8"))
    router_settings("TrustedProxy=127.0.0.0/8")
    request = f"GET / HTTP/1.1\\r\\nHost: {HOST}\\r\\nConnection: close\\r\\n\\r\\n"
    said = box.client("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/80; printf "
                      f"'PROXY TCP4 198.51.100.7 192.0.2.1 1234 80\\r\\n{request}' >&3; cat <&3")
    assert said.startswith("HTTP/1.1 200 ") and "[198.51.100.7]" in said
    assert get(box, "", "--haproxy-protocol") == (200, "[127.0.0.1]")


@pytest.mark.usefixtures("site")
def test_headers_of_a_page(box):
    put(box, **{"x.php": "<?php for ($i = 0; $i < 7; $i++) header(\"X-$i: \" . str_repeat('x', 4000)); echo 'all';"})
    assert get(box, "x.php") == (200, "all")
    ctl(box, "set", "carol", "--server=apache")
    assert get(box, "x.php") == (200, "all")


APPLICATION = """
import os, socket
path = "/home/carol/live.sock"
listening = socket.socket(socket.AF_UNIX)
listening.bind(path)
listening.listen()
while True:
    connection, _ = listening.accept()
    head = connection.recv(65536).decode()
    connection.sendall(f"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: {len(head)}\\r\\n\\r\\n{head}".encode())
    connection.close()
"""


@pytest.mark.usefixtures("site")
def test_application(box):
    box.run("systemd-run", "--quiet", "--unit=live", "--uid=carol", "/usr/bin/python3", "-c", APPLICATION)
    try:
        box.wait_for("it listens", lambda: box.path("/home/carol/live.sock").exists())
        use(box, "live.http", "live.conf")
        status, said = get(box, "live/x?y", "--http1.1", "-H", "Upgrade: websocket", "-H", "Connection: upgrade")
        assert status == 200 and said.startswith("GET /live/x?y HTTP/1.1")
        for line in (f"Host: {HOST}", "Upgrade: websocket", "Connection: upgrade", "X-Forwarded-Proto: https"):
            assert line in said.splitlines(), said
        assert not re.search("^(Upgrade|Connection: upgrade)", get(box, "live/x")[1], re.MULTILINE)
        assert_checked(box)
    finally:
        box.run("systemctl", "stop", "live.service")


@pytest.mark.usefixtures("site")
def test_wordpress(box):
    put(box, **{"index.php": ECHO, "wp-login.php": ECHO, "wp-admin/index.php": ECHO, "wp-content/uploads/2026/x.php": ECHO,
                "wp-content/uploads/2026/x.jpg": "x", "wp-content/uploads/y.PHP5": ECHO})
    use(box, "wordpress.conf")
    assert get(box, "2026/11/hello/?p=1") == (200, "/index.php||p=1|/2026/11/hello/?p=1")
    assert get(box, "wp-json/wp/v2/posts") == (200, "/index.php|||/wp-json/wp/v2/posts")
    assert get(box, "wp-login.php?x") == (200, "/wp-login.php||x|/wp-login.php?x")
    assert get(box, "wp-admin/") == (200, "/wp-admin/index.php|||/wp-admin/")
    assert get(box, "index.php/x")[1] == "/index.php|/x||/index.php/x"
    assert statuses(box, "wp-content/uploads/2026/x.php", "wp-content/uploads/2026/x.jpg", "wp-content/uploads/y.PHP5",
                    "wp-content/uploads/2026/x.php/y") == {
        "wp-content/uploads/2026/x.php": 403, "wp-content/uploads/2026/x.jpg": 200, "wp-content/uploads/y.PHP5": 403,
        "wp-content/uploads/2026/x.php/y": 403}
    assert_checked(box)


@pytest.mark.usefixtures("site")
def test_drupal(box):
    forbidden = {"core/core.services.yml": 404, "core/includes/bootstrap.inc": 404, "modules/x/x.module": 404,
                 "themes/x/page.html.twig": 404, "composer.json": 404, "composer.lock": 404, ".git/config": 404,
                 "sites/default/.env": 404, "sites/default/settings.php": 403, "vendor/x/evil.php": 403,
                 "sites/default/files/evil.php": 403, "core/lib/Drupal.php": 403, "autoload.php": 403, "dump.sql": 404}
    served = ["core/misc/drupal.js", "sites/default/files/x.png", "themes/x/x.css", ".well-known/security.txt"]
    programs = ["update.php", "core/install.php", "core/authorize.php"]
    put(box, **{name: "x" for name in [*forbidden, *served]}, **{name: ECHO for name in [*programs, "index.php"]})
    use(box, "drupal.conf")
    assert statuses(box, *forbidden) == forbidden
    assert statuses(box, *served) == dict.fromkeys(served, 200)
    assert get(box, "node/1?x=y") == (200, "/index.php||x=y|/node/1?x=y")
    assert get(box, "sites/default/files/styles/large/x.png?itok=1")[1].startswith("/index.php||itok=1|")
    assert get(box, "") == (200, "/index.php|||/")
    assert get(box, "update.php/selection") == (200, "/update.php|/selection||/update.php/selection")
    for name in programs:
        assert get(box, name)[1].startswith(f"/{name}|"), name
    assert_checked(box)


@pytest.mark.usefixtures("site")
def test_laravel(box):
    put(box, **{"app/public/index.php": ECHO, "app/public/x.css": "x", "app/public/.env": "x", "app/.env": "x",
                "app/storage/app/public/y.png": "y", "index.html": "not this one"})
    box.run("runuser", "-u", "carol", "--", "ln", "-s", "../storage/app/public", f"{WWW}/app/public/storage")
    use(box, "laravel.conf")
    assert get(box, "") == (200, "/index.php|||/")
    assert get(box, "users/1?x=y") == (200, "/index.php||x=y|/users/1?x=y")
    assert statuses(box, "x.css", "storage/y.png", ".env") == {"x.css": 200, "storage/y.png": 200, ".env": 404}
    assert get(box, "../.env", "--path-as-is")[0] == 400
    assert_checked(box)


def test_all_examples_are_tried():
    text = pathlib.Path(__file__).read_text(encoding="utf-8")
    assert len(EXAMPLES) > 5 and all(f'"{name}"' in text for name in EXAMPLES)


@pytest.mark.usefixtures("site")
def test_snippet_of_the_other_server(box):
    """The change is refused, as the next start would fail."""
    put(box, **{"index.html": "start"})
    use(box, "wordpress.conf")
    before = box.path(FILE).read_text()
    for options in ([], ["--dry-run"]):
        said = ctl(box, "set", "carol", "--server=apache", *options, status=1)
        assert f"With apache, the instance would not start: {SITES}/wordpress.conf:1: Invalid command 'location'" in said
        assert "If the snippet is only for nginx, give it a name that ends with .nginx." in said
    assert box.path(FILE).read_text() == before and get(box, "") == (200, "start")
    box.write(f"{SITES}/wordpress.conf", "Header set X-Server apache\n")
    ctl(box, "set", "carol", "--server=apache")
    assert "x-server: apache" in box.curl(f"https://{HOST}/", "-I").lower()
    said = ctl(box, "set", "carol", "--server=nginx", status=1)
    assert f"{SITES}/wordpress.conf:2: unexpected end of file" in said
    assert "x-server: apache" in box.curl(f"https://{HOST}/", "-I").lower()


@pytest.mark.usefixtures("site")
def test_snippets_of_both_servers(box):
    """A change from one server to the other is one command."""
    put(box, **{"index.html": "start"})
    use(box, **{"own_nginx": "add_header X-Server nginx;\n"})
    box.write(f"{SITES}/own.apache", "Header set X-Server apache\n")
    assert "x-server: nginx" in box.curl(f"https://{HOST}/", "-I").lower()
    for server in ("apache", "nginx"):
        ctl(box, "set", "carol", f"--server={server}")
        assert f"x-server: {server}" in box.curl(f"https://{HOST}/", "-I").lower()
