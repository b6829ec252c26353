# SPDX-License-Identifier: MIT
"""What customers run: CGI, .htaccess, WebSocket, WebDAV, large files. PHP is in test_php.py."""

import hashlib
import os
import subprocess

import pytest
import sites

HOST = "carol.example"
WWW = "/srv/www/carol"
SNIPPET = "/etc/bellhop/sites/carol/own.conf"
SHA256 = hashlib.sha256


@pytest.fixture(name="site")
def site_fixture(box, carol):
    """Writes a file of carol, and starts the instance when the first is written."""
    def write(path, text, mode=0o644):
        box.write(f"{WWW}/{path}", text, mode)
        box.shell(f"chown -R carol: {WWW}")

    box.start_customer(carol)
    return write


def status_of(box, path, *args, scheme="http"):
    return box.curl(f"{scheme}://{HOST}{path}", "-o", "/dev/null", "-w", "%{http_code}", *args)


@pytest.fixture(name="big", scope="module")
def big_fixture(tmp_path_factory):
    """A file of 120 MB that does not compress, and its hash."""
    path = tmp_path_factory.mktemp("big") / "file"
    part, digest = os.urandom(1 << 20), SHA256()
    with open(path, "wb") as file:
        for number in range(120):
            text = part[number:] + part[:number]
            file.write(text)
            digest.update(text)
    return path, digest.hexdigest()


# --- what programs do to files and memory ---

# Folders that a group shares, as WordPress, tar and cp -a make them; then programs that compile at run time.
FILES = r"""#!/bin/bash
printf 'Content-Type: text/plain\r\n\r\n'
exec 2>&1
cd "$(dirname "$SCRIPT_FILENAME")"
umask 002
mkdir shared/2026 && chmod 2775 shared/2026 && mkdir -m 2775 shared/2027 && cp -a shared/2026 shared/2028 &&
    tar -cf - shared/2027 | tar -xpf - --transform=s/2027/2029/ && touch shared/2029/file && stat -c '%A %G %n' shared/*
"""
COMPILES = r"""#!/bin/bash
printf 'Content-Type: text/plain\r\n\r\n'
exec 2>&1
export HOME=/tmp GIT_CONFIG_GLOBAL=/dev/null
php -r 'echo preg_match("/a+b/", "aab"), ini_get("pcre.jit"), "\n";'
echo aab >/tmp/text
cd /tmp && git grep --no-index -cP "a+b" text
python3 -c 'import mmap; mmap.mmap(-1, 4096, prot=7); print("mapped")'
"""


def test_folders_of_a_group(box, site):
    site("files.cgi", FILES, 0o755)
    box.shell(f"mkdir {WWW}/shared && chown carol: {WWW}/shared && chmod 2775 {WWW}/shared")
    assert box.curl(f"http://{HOST}/files.cgi") == "".join(
        f"drwxrwsr-x carol shared/{year}\n" for year in (2026, 2027, 2028, 2029))


def test_programs_that_compile_at_run_time(box, site):
    site("compiles.cgi", COMPILES, 0o755)
    assert box.curl(f"http://{HOST}/compiles.cgi") == "11\ntext:1\nmapped\n"


# --- CGI ---


@pytest.mark.parametrize("program", sites.CGI)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_cgi(box, site, program, scheme, tmp_path):
    """By POST, with a body in one piece and in chunks of unknown length that HTTP/2 sends; as the customer."""
    site(program, sites.CGI[program], 0o755)
    body = tmp_path / "body"
    body.write_bytes(os.urandom(300_000))
    digest = SHA256(body.read_bytes()).hexdigest()
    answer = box.curl(f"{scheme}://{HOST}/{program}?a=b", "--data-binary", f"@{body}")
    assert answer == f"carol POST a=b {digest}\n"


def test_cgi_of_somebody_else_is_not_run(box, site):
    """A link to a program that the customer does not own."""
    site("here.txt", "here\n")
    box.shell(f"ln -s /usr/bin/id {WWW}/id.cgi; chown -h carol: {WWW}/id.cgi")
    assert status_of(box, "/id.cgi") == "403"


# --- .htaccess ---


def test_htaccess_rewrites(box, site):
    site("target.txt", "the target\n")
    site(".htaccess", """
        RewriteEngine On
        RewriteRule ^pretty/([a-z]+)$ $1.txt [L]
        RewriteRule ^away$ https://elsewhere.example/ [R=301,L]
        ErrorDocument 404 "nothing here"
        Header set X-Of carol
        AddType text/x-special .special
    """)
    site("a.special", "x")
    assert box.curl(f"http://{HOST}/pretty/target") == "the target\n"
    assert "location: https://elsewhere.example/" in box.curl(f"https://{HOST}/away", "-I").lower()
    assert box.curl(f"http://{HOST}/nothing") == "nothing here"
    head = box.curl(f"http://{HOST}/a.special", "-I")
    assert "X-Of: carol" in head and "Content-Type: text/x-special" in head
    assert status_of(box, "/.htaccess") == "403"


def test_htaccess_takes_passwords(box, site):
    site(".htpasswd", box.client("openssl", "passwd", "-apr1", "secret").strip().join(["visitor:", "\n"]))
    site("private/.htaccess", f"AuthType Basic\nAuthName private\nAuthUserFile {WWW}/.htpasswd\nRequire valid-user\n")
    site("private/page.txt", "private\n")
    assert status_of(box, "/private/page.txt") == "401"
    assert status_of(box, "/private/page.txt", "-u", "visitor:wrong") == "401"
    assert box.curl(f"https://{HOST}/private/page.txt", "-u", "visitor:secret") == "private\n"
    assert status_of(box, "/.htpasswd") == "403"


@pytest.mark.parametrize("rule", ["Require not ip 127.0.0.66\nRequire all granted",
                                  "Order Allow,Deny\nAllow from all\nDeny from 127.0.0.66"], ids=["new", "old"])
def test_htaccess_by_address(box, site, rule):
    """The client's own address is seen; old rules are still understood."""
    if rule.startswith("Require"):
        rule = f"<RequireAll>\n{rule}\n</RequireAll>"
    site(".htaccess", rule)
    site("page.txt", "page\n")
    assert status_of(box, "/page.txt", "--interface", "127.0.0.66") == "403"
    assert status_of(box, "/page.txt", "--interface", "127.0.0.67") == "200"


# --- WebSocket ---


@pytest.fixture(name="app")
def app_fixture(box, carol):
    """A separate service of carol, beside the site."""
    box.write("/home/carol/app.py", sites.WEBSOCKET_APP)
    box.run("systemd-run", "--quiet", "--unit=carol-app", "--uid=carol", "/usr/bin/python3", "/home/carol/app.py",
            "/home/carol/app.sock")
    box.wait_for("the application listens", box.path("/home/carol/app.sock").is_socket)
    box.write(SNIPPET, 'ProxyPass "/live" "unix:/home/carol/app.sock|ws://localhost/live"\n')
    box.write_instance(carol, f"Host={HOST}\nIdleSec=1s\n")
    box.start_customer(carol)
    yield
    box.run("systemctl", "stop", "carol-app.service")


class Talk:
    """A client that stays connected."""

    def __init__(self, box, scheme):
        self.client = box.popen_client("/usr/bin/python3", "-c", sites.WEBSOCKET_CLIENT, f"{scheme}://{HOST}/live",
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def hear(self):
        return self.client.stdout.readline().strip()

    def ask(self, message):
        self.client.stdin.write(message + "\n")
        self.client.stdin.flush()
        return self.hear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.stdin.close()
        assert self.client.wait(timeout=20) == 0


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_websocket(box, app, scheme):
    """Both ways, large messages too, and words that nobody asked for."""
    with Talk(box, scheme) as talk:
        assert talk.hear() == "carol"
        assert talk.ask("hello") == "hello"
        assert talk.ask("big") == "big"
        assert talk.ask("later") == "later"
        assert talk.hear() == "unasked"


def test_websocket_keeps_the_instance_awake(box, app):
    with Talk(box, "wss") as talk:
        assert talk.hear() == "carol"
        pid = box.show("bellhop@carol.service", "MainPID")
        # Said when the server has looked whether it is idle.
        box.wait_for("it has looked",
                     lambda: box.show("bellhop@carol.service", "StatusText").startswith("1 connection"))
        assert talk.ask("still there") == "still there"
        assert box.show("bellhop@carol.service", "MainPID") == pid
    box.wait_for("it sleeps", lambda: box.show("bellhop@carol.service", "ActiveState") == "inactive")


# --- WebDAV and large files ---

DAV = """
LoadModule dav_module /usr/lib/apache2/modules/mod_dav.so
LoadModule dav_fs_module /usr/lib/apache2/modules/mod_dav_fs.so
DavLockDB ${STATE_DIRECTORY}/dav-locks
<Directory /srv/www/carol/files>
    Dav On
    AuthType Basic
    AuthName files
    AuthUserFile /srv/www/carol/.htpasswd
    Require valid-user
</Directory>
"""


@pytest.fixture(name="dav")
def dav_fixture(box, site):
    site(".htpasswd", box.client("openssl", "passwd", "-apr1", "secret").strip().join(["carol:", "\n"]))
    site("files/.keep", "")
    box.write(SNIPPET, DAV)
    box.run("systemctl", "restart", "bellhop@carol.service")

    def request(method, path, *args, check="2"):
        status = status_of(box, f"/files/{path}", "-u", "carol:secret", "-X", method, *args, scheme="https")
        assert status.startswith(check), (method, path, status)
        return status

    return request


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_webdav_upload_of_a_large_file(box, dav, big, version):
    path, digest = big
    url = f"https://{HOST}/files/large"
    # Without a body: over HTTP/2 the server ends the stream of one that it doesn't want, which curl takes for an error.
    assert box.curl(url, "-X", "PUT", "-o", "/dev/null", "-w", "%{http_code}", version) == "401"
    assert box.curl(url, "-T", path, "-u", "carol:secret", "-o", "/dev/null", "-w", "%{http_code}", version,
                    "--max-time", "90") in ("201", "204")
    status = box.path(f"{WWW}/files/large").stat()
    assert (status.st_size, status.st_uid) == (path.stat().st_size, box.uid("carol"))
    assert download(box, url, "-u", "carol:secret", version) == digest


def download(box, url, *args):
    """The hash of what arrives."""
    host = url.split("/")[2]
    curl = ["curl", "-sSk", "--fail", "--max-time", "90", "--resolve", f"{host}:443:127.0.0.1", *args, url]
    return box.client("bash", "-o", "pipefail", "-c", '"$@" | sha256sum', "bash", *curl, timeout=120).split()[0]


def test_webdav_folders_and_locks(box, dav, tmp_path):
    note = tmp_path / "note"
    note.write_text("a note\n")
    dav("MKCOL", "folder")
    dav("PUT", "folder/note", "-T", note)
    dav("PROPFIND", "folder/", "-H", "Depth: 1")
    lock = ('<?xml version="1.0"?><lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope>'
            "<locktype><write/></locktype></lockinfo>")
    dav("LOCK", "folder/note", "-d", lock)
    # The lock outlives the sleep of the site.
    box.run("systemctl", "stop", "bellhop@carol.service")
    dav("PUT", "folder/note", "-T", note, "--http1.1", check="423")  # see above
    dav("MOVE", "folder/note", "-H", f"Destination: https://{HOST}/files/moved", check="423")
    dav("COPY", "folder/", "-H", f"Destination: https://{HOST}/files/copied/")
    dav("DELETE", "copied/")
    assert box.path(f"{WWW}/files/folder/note").read_text() == "a note\n"
    assert not box.path(f"{WWW}/files/copied").exists()


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_large_download(box, site, big, version):
    """The whole, and a part from the middle."""
    path, digest = big
    site("here.txt", "here\n")
    box.shell(f"cat > {WWW}/large", stdin=open(path, "rb"))
    url = f"https://{HOST}/large"
    assert download(box, url, version) == digest
    with open(path, "rb") as file:
        file.seek(50_000_000)
        part = file.read(1_000_000)
    assert download(box, url, version, "-r", "50000000-50999999") == SHA256(part).hexdigest()
