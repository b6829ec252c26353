# SPDX-License-Identifier: MIT
"""Answers that a customer's own ACME client wrote: both servers send them, whatever settings the site has, and no other file."""

import contextlib
import os
import pwd

import handoff
import pytest
from handoff import Instance
from test_mod_bellhop import read_response

TOKEN = "DGyRejmCefe7v4NfDGDKfA_-"
ANSWER = f"{TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
FOLDER = "www/.well-known/acme-challenge"
PATH = "/.well-known/acme-challenge/"
SERVERS = ("event", "prefork", "nginx")

PASSWORD = 'AuthType Basic\nAuthName x\nAuthUserFile /etc/hostname\nRequire valid-user'


def vhost(*lines):
    return "\n".join(("<VirtualHost *>\nServerName alice.example", *lines, "</VirtualHost>"))


def block(*lines):
    """A server block in a file *.http. {0} is the folder of the instance, {1} its name."""
    return "\n".join(("server {{\nlisten 80;\nlisten [::]:80;\nlisten 443 ssl;\nlisten [::]:443 ssl;\nserver_name alice.example;",
                      "ssl_certificate {0}/config/tls/{1}/fullchain.pem;\nssl_certificate_key {0}/config/tls/{1}/privkey.pem;",
                      "root {0}/www;", *lines, "}}\n"))


APACHE = {
    "nothing": "",
    "proxy": 'ProxyPass "/" "http://127.0.0.1:9/"',
    "proxy of a virtual host": vhost("ProxyPass / http://127.0.0.1:9/"),
    "proxy of a location": '<Location "/">\nProxyPass http://127.0.0.1:9/\n</Location>',
    "proxy by handler": '<Location "/">\nSetHandler "proxy:http://127.0.0.1:9/"\n</Location>',
    "proxy by pattern": 'ProxyPassMatch "^/(.*)$" "http://127.0.0.1:9/$1"',
    "proxy by rewrite": vhost("RewriteEngine On\nRewriteRule ^/(.*) http://127.0.0.1:9/$1 [P]"),
    "redirect": "Redirect / https://alice.example/x/",
    "rewrite": vhost("RewriteEngine On\nRewriteRule ^ - [F]"),
    "alias": "AliasMatch .* /nonexistent",
    "denied": '<Location "/">\nRequire all denied\n</Location>',
    "password": f'<Location "/">\n{PASSWORD}\n</Location>',
    "handler": '<Location "/">\nSetHandler application/x-httpd-php\n</Location>',
}

HTACCESS = {
    "denied": "Require all denied",
    "password": PASSWORD,
    "redirect": "RedirectMatch 410 .*",
    "rewrite": "RewriteEngine On\nRewriteRule ^ - [F]",
    "mistake": "Nonsense",
    "php": "SetHandler application/x-httpd-php",
}

NGINX = {
    "nothing": "",
    "return": "return 301 https://other.example$request_uri;",
    "denied": "deny all;",
    "password": "auth_basic x;\nauth_basic_user_file /etc/hostname;",
    "rewrite": "rewrite ^ /index.html last;",
    "rewrite if": "if ($uri ~ .) { return 403; }",
    "location": "location / { try_files /index.html =404; }",
    "pattern": "location ~ ^/ { return 403; }",
    "longest location": f"location ^~ {PATH} {{ return 403; }}",
    "exact location": f"location = {PATH}{TOKEN} {{ return 403; }}",
    "proxy": "location / { proxy_pass http://127.0.0.1:9; }",
    "methods": "location / { limit_except POST { deny all; } }",
}


CASES = [*((f"apache {name}", "event", text) for name, text in APACHE.items()),
         *((f"nginx {name}", "nginx", text) for name, text in NGINX.items()),
         *((f"nginx block {name}", "nginx", block(text.replace("{", "{{").replace("}", "}}"))) for name, text in NGINX.items())]


@contextlib.contextmanager
def site(server, snippet="", settings="Host=alice.example\nIdleSec=0"):
    is_block = snippet.startswith("server {{")
    with Instance(server, settings=settings, snippet="" if is_block else snippet) as instance:
        if is_block:
            instance.path("config/sites", instance.user, "own.http", text=snippet.format(instance.folder, instance.user))
        os.makedirs(instance.path(FOLDER, "folder"))
        instance.path(FOLDER, TOKEN, text=ANSWER)
        yield instance.start()


def statuses(instance, *paths, scheme="", more=()):
    return [instance.curl(f"{scheme}{path}", "--path-as-is", "-o", "/dev/null", "-w", "%{http_code}", *more)[1] for path in paths]


def assert_answered(instance):
    for scheme in ("", "https:"):
        for path in (TOKEN, f"{TOKEN}?x"):
            assert instance.curl(f"{scheme}{PATH}{path}") == (0, ANSWER)
    for method in ("GET", "HEAD", "GET"):
        with instance.connect() as connection, connection.makefile("rb") as file:
            for _ in range(2):  # the connection stays open
                connection.sendall(f"{method} {PATH}{TOKEN} HTTP/1.1\r\nHost: alice.example\r\n\r\n".encode())
                status, headers, body = read_response(file, method)
                assert (status, headers["content-type"], headers["content-length"], body.decode()) == (
                    200, "application/octet-stream", str(len(ANSWER)), "" if method == "HEAD" else ANSWER)
    version = "1.1" if instance.mpm == "prefork" else "2"
    assert instance.curl(f"https:{PATH}{TOKEN}", "--http2", "-w", "%{http_version}") == (0, ANSWER + version)


@pytest.mark.parametrize("server, snippet", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_no_snippet_is_in_the_way(server, snippet):
    with site(server, snippet) as instance:
        assert_answered(instance)
        # The site answers all other requests.
        instance.path(FOLDER, "other", text="other")
        paths = [PATH + name for name in ("none", "", "folder", "folder/", f"{TOKEN}/", f"x/{TOKEN}", f"../{TOKEN}")]
        assert "200" not in statuses(instance, *paths) or "try_files" in snippet or "rewrite ^ /" in snippet


@pytest.mark.parametrize("text", HTACCESS.values(), ids=HTACCESS)
@pytest.mark.parametrize("folder", ["www", FOLDER])
def test_no_htaccess_is_in_the_way(folder, text):
    with site("event") as instance:
        instance.path(folder, ".htaccess", text=f"{text}\n")
        assert_answered(instance)


@pytest.mark.parametrize("server", SERVERS)
def test_what_is_no_answer_is_the_sites(server):
    """If the site has no rules, it serves such files as any others."""
    with site(server) as instance:
        for name, text in (("text", "text\n"), ("x", f"y.{'x' * 43}"), ("long", "long." + "x" * 512), ("html", "html.<script>"), ("a.b", "a.b")):
            instance.path(FOLDER, name, text=text)
            assert instance.curl(PATH + name) == (0, text)
        assert statuses(instance, *(PATH + name for name in ("none", f"{TOKEN}/", "folder/"))) == ["404", "404", "403"]
        for path in (f"{PATH}%44{TOKEN[1:]}", f"/x/..{PATH}{TOKEN}", f"/{PATH}{TOKEN}"):
            assert instance.curl(path, "--path-as-is") == (0, ANSWER)


@pytest.mark.parametrize("server, snippet", [("event", '<Location "/">\nRequire all denied\n</Location>'), ("prefork", APACHE["redirect"]),
                                             ("nginx", "deny all;"), ("nginx", NGINX["return"])])
def test_no_way_around_the_rules_of_a_site(server, snippet):
    with site(server, snippet) as instance:
        os.makedirs(instance.path("outside"))
        instance.path("outside/link", text=f"link.{'x' * 43}")
        for name, text in (("text", "text\n"), ("x", f"y.{'x' * 43}"), ("long", "long." + "x" * 512), ("html", "html.<script>"),
                           ("php", "<?php secret"), ("a.b", "a.b"), ("empty", ""), ("folder/x", "x.y"), ("half", "half."), ("nul", "nul.x\0")):
            instance.path(FOLDER, name, text=text)
        os.mkfifo(instance.path(FOLDER, "fifo"))
        for name, target in (("link", "outside/link"), ("passwd", "/etc/passwd"), ("loop", f"{FOLDER}/loop")):
            os.symlink(os.path.join(instance.folder, target), instance.path(FOLDER, name))
            os.lchown(instance.path(FOLDER, name), pwd.getpwnam(instance.user).pw_uid, -1)
        refused = statuses(instance, "/")
        assert refused[0] in ("301", "302", "403")
        for path in (*(PATH + name for name in sorted(os.listdir(instance.path(FOLDER))) if name != TOKEN), f"{PATH}folder/x",
                     f"{PATH}%44{TOKEN[1:]}", f"/x/..{PATH}{TOKEN}", f"{PATH}./{TOKEN}", f"{PATH}{TOKEN}/",
                     f"{PATH.upper()}{TOKEN}", PATH, PATH + "x" * 128, PATH + "x" * 129, PATH + "x" * 4000, "/index.html"):
            assert statuses(instance, path) == refused, path
        assert statuses(instance, PATH + TOKEN, more=("-X", "POST")) == refused
        assert_answered(instance)


@pytest.mark.parametrize("server", SERVERS)
def test_line_end_is_no_part_of_an_answer(server):
    with site(server) as instance:
        for end in ("\n", "\r\n", " \n"):
            instance.path(FOLDER, TOKEN, text=ANSWER + end)
            assert_answered(instance)


@pytest.mark.parametrize("server", SERVERS)
def test_hosts_have_their_own_answers(server):
    with site(server, settings="Host=alice.example *.shop.example\nCanonical=alice.example") as instance:
        os.makedirs(instance.path("www/_.shop.example/.well-known/acme-challenge"))
        instance.path("www/_.shop.example/.well-known/acme-challenge", "x", text="x.shop")
        instance.process.terminate()
        instance.process.wait(handoff.TIMEOUT)
        instance.start()
        assert instance.curl(PATH + "x", host="a.shop.example") == (0, "x.shop")
        assert statuses(instance, PATH + "x") == ["404"]
        assert instance.curl(PATH + TOKEN, "-H", "Host: other.example", "-o", "/dev/null", "-w", "%{http_code}")[1] in ("200", "421")


@pytest.mark.parametrize("server", SERVERS)
def test_suspended_sites_answer_nothing(server):
    with site(server, settings="Host=alice.example\nSuspended=yes") as instance:
        for scheme in ("", "https:"):
            assert statuses(instance, PATH + TOKEN, scheme=scheme) == ["503"]


def test_answer_of_the_module_is_the_only_one():
    """nginx does not go on to the site after it, and logs it as any other."""
    for settings, status in (("Host=alice.example", 200), ("Host=alice.example\nSuspended=yes", 503)):
        with site("nginx", settings=settings) as instance, instance.connect() as connection, connection.makefile("rb") as file:
            for method in ("GET", "HEAD", "GET"):
                connection.sendall(f"{method} {PATH}{TOKEN} HTTP/1.1\r\nHost: alice.example\r\n\r\n".encode())
                assert read_response(file, method)[0] == status
            instance.wait_until(lambda access=instance: access.lines.text(16).count("\n") == 3, "three lines")
            assert instance.lines.text(17) == "" and instance.lines.text(16).count(f'{TOKEN} HTTP/1.1" {status} ') == 3
