# SPDX-License-Identifier: MIT
"""Mistakes of those whose instance has Server=nginx, and what is one for Apache alone."""

import json

import pytest
from test_mistakes import ADVICE, FILE, MISTAKES, RELOAD_SITE, SITES, TLS, WWW, assert_served, find, findings, self_signed
from test_pages import ROOTS, php_is_hidden
from test_targets import SNIPPET, SOCKET, apply, listen_fixture

__all__ = ["listen_fixture"]

HTACCESS = f"{WWW}/.htaccess"
MODULE = "/usr/lib/nginx/modules/ngx_bellhop_module.so"


def page(path, text):
    return f"runuser -u carol -- sh -c 'mkdir -p $(dirname {path}); echo \"{text}\" > {path}'"


@pytest.fixture(name="site")
def _site(box):
    box.shell(f"bellhopctl set carol --server=nginx; {page(f'{WWW}/index.html', 'served by carol')}")
    return box


def notes(box):
    return [entry for entry in json.loads(box.try_run("bellhopctl", "check", "--json").stdout)["findings"]
            if entry["severity"] == "note"]


def status_of(box, path):
    return box.curl(f"http://carol.example/{path}", "-o", "/dev/null", "-w", "%{http_code}")


# Those of certificates, keys and document roots, which each server reads by itself.
SAME = [name for name in MISTAKES if MISTAKES[name][1].startswith(("certificate-", "key-", "chain-", "document-root-", "redirect-"))]


@pytest.mark.parametrize("mistake", SAME)
def test_same_mistake(site, mistake):
    make, kind, words, correct = MISTAKES[mistake]
    site.shell(make)
    found = find(site, kind)
    assert words in found["what"], found
    if "does not start" in found["why"]:
        started = site.try_run("systemctl", "start", "bellhop@carol.service").returncode == 0
        assert not started or "refuses TLS" in found["why"] and site.curl("https://carol.example/", check=False).returncode == 35
    if kind == "document-root-missing":
        assert status_of(site, "index.html") == "404"
        correct += f"; {page(f'{WWW}/index.html', 'served by carol')}"
    site.shell(found["advice"] if correct is ADVICE else f"{correct}; bellhopctl apply; {RELOAD_SITE}")
    if "does not start" in found["why"]:
        site.shell("systemctl restart bellhop@carol.service")
    assert findings(site) == []
    assert_served(site)


# A snippet -> its name, its text, the line of the mistake, and what is said of it.
SNIPPETS = {
    "unknown directive": ("x.conf", "# fine\nfrobnicate on;\n", 2, 'unknown directive "frobnicate"'),
    "of Apache": ("x.conf", "Header set X y\n", 2, 'unexpected end of file, expecting ";" or "}"'),
    "no semicolon": ("x.conf", "location /x {\n    return 403\n}\n", 3, 'unexpected "}"'),
    "block that is not closed": ("x.conf", "\nlocation /x {\n    return 403;\n", 4, 'unexpected end of file, expecting "}"'),
    "block that is closed twice": ("a: b in.conf", "location /x {\n}\n}\n", 3, 'unexpected "}"'),
    "bad pattern": ("x.conf", "location ~ ( {\n}\n", 1, "missing closing parenthesis"),
    "bad value": ("x.conf", "expires soon;\n", 1, '"expires" directive invalid value'),
    "location twice": ("x.conf", "location /x { }\nlocation /x { }\n", 2, 'duplicate location "/x"'),
    "module": ("x.conf", "load_module /x.so;\n", 1, '"load_module" directive is not allowed here'),
    "of the http block": ("x.http", "\nmap $uri { default 1; }\n", 2, 'invalid number of arguments in "map"'),
    "application without network": ("x.conf", "location /x { proxy_pass http://app.example; }\n", 1,
                                    "host not found in upstream"),
    "not in a site": ("x.conf", "user www-data;\n", 1, '"user" directive is not allowed here'),
    "of the machine": ("x.http", "daemon on;\n", 1, '"daemon" directive is not allowed here'),
    "file that is included and missing": ("x.conf", "\ninclude snippets/none.conf;\n", 2,
                                          'open() "/etc/nginx/snippets/none.conf" failed (2: No such file'),
    "file that is included and closed": ("x.conf", "include /etc/shadow;\n", 1, 'open() "/etc/shadow" failed (13: Permission denied)'),
    "unknown variable": ("x.conf", "add_header X $none;\n", None, 'unknown "none" variable'),
    "listen twice": ("x.conf", "listen 80;\n", 1, "a duplicate listen 0.0.0.0:80"),
    "second default server": ("x.http", "server {\n    listen 80 default_server;\n}\n", None, "a duplicate default server"),
    "group that is not there": ("x.conf", "\nlocation /x { proxy_pass http://live; }\n", 2, 'host not found in upstream "live"'),
    "certificate that is missing": ("x.http", "server {\n    listen 443 ssl;\n    ssl_certificate /x.pem;\n"
                                              "    ssl_certificate_key /y.pem;\n}\n", None, 'cannot load certificate "/x.pem"'),
    "key of another one": ("x.http", "server {\n    listen 443 ssl;\n    ssl_certificate /etc/bellhop/tls/carol/fullchain.pem;\n"
                                     "    ssl_certificate_key /etc/bellhop/tls/bob/privkey.pem;\n}\n", None,
                           'cannot load certificate key "/etc/bellhop/tls/bob/privkey.pem"'),
    "log of the machine": ("x.conf", "access_log /var/log/nginx/access.log;\n", None, 'open() "/var/log/nginx/access.log" failed'),
    "in words of the file's own": ("x.conf", '"x\nAH00526: Syntax error on line 9 of /etc/passwd:\n'
                                             'nginx: [emerg] no in /etc/passwd:9" on;\n', 3, 'unknown directive "x'),
}


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_snippet(site, snippet):
    name, text, line, words = SNIPPETS[snippet]
    assert_served(site)
    site.write(f"{SITES}/{name}", text)
    found = find(site, "snippet-error")
    # nginx does not always say where it was.
    assert (found["line"], found["instance"]) == (line, "carol") and (line is None or found["file"] == f"{SITES}/{name}"), found
    assert words in found["what"] and "\n" not in found["what"] and " in /" not in found["what"], found
    assert site.try_run("systemctl", "reload", "bellhop@carol.service").returncode == 1
    assert_served(site)
    site.shell(f"rm '{SITES}/{name}'; {RELOAD_SITE}")
    assert findings(site) == []
    assert_served(site)


def test_error_in_a_file_that_is_included(site):
    site.write(f"{SITES}/x.conf", "include mime.types;\ninclude nginx.conf;\n")
    found = find(site, "snippet-error")
    assert (found["file"], found["line"]) == ("/etc/nginx/nginx.conf", 1) and '"user" directive' in found["what"]


def test_php_of_a_customer(site):
    site.write(f"{SITES}/php.fpm", "; fine\n[www]\nfrobnicate = yes\n")
    found = find(site, "snippet-error")
    assert (found["file"], found["line"], found["what"]) == (f"{SITES}/php.fpm", 3, "unknown entry 'frobnicate'")


def test_snippet_that_the_user_can_not_read(site):
    site.shell(f"install -m 0600 /dev/null {SITES}/x.http")
    assert "user carol can't read it" in find(site, "snippet-error")["what"]


def test_htaccess(site):
    """What it keeps from visitors with Apache, nginx sends."""
    site.shell(f"{page(f'{WWW}/private/list.txt', 'secret')}; {page(f'{WWW}/private/.htaccess', 'Require all denied')};"
               f"{page(f'{WWW}/private/more/.htaccess', 'Nonsense')}")
    assert status_of(site, "private/list.txt") == "200"
    found = find(site, "htaccess-ignored")
    assert (found["file"], found["severity"], found["instance"]) == (f"{WWW}/private/.htaccess", "warning", "carol")
    assert found["what"] == "nginx does not read this file, nor 1 more .htaccess files" and "bellhop-nginx(8)" in found["advice"]
    # A snippet may say the same; settings of PHP do not.
    site.write(f"{SITES}/php.fpm", "include = /etc/bellhop/php/fpm.conf\n")
    assert find(site, "htaccess-ignored")["severity"] == "warning"
    site.write(f"{SITES}/private.conf", "location ^~ /private/ { return 403; }\n")
    site.shell(f"chmod 0644 {SITES}/*; {RELOAD_SITE}")
    assert status_of(site, "private/list.txt") == "403"
    assert findings(site) == [] and "htaccess-ignored" in {entry["kind"] for entry in notes(site)}
    # As the advice has it.
    site.shell(f"rm {SITES}/*; rm {WWW}/private/more/.htaccess; bellhopctl set carol --server=apache")
    assert status_of(site, "private/list.txt") == "403" and findings(site) == []
    # A customer who changes back gets a warning.
    said = f"nginx does not read the .htaccess files in {WWW}, so "
    for option in ("--dry-run", "--no-pager"):
        assert said in site.run("bellhopctl", "set", "carol", "--server=nginx", option)
    assert said not in site.run("bellhopctl", "set", "carol", "--idle=1h")
    assert said not in site.run("bellhopctl", "set", "carol", "--server=apache")


@pytest.mark.parametrize("text", ["Nonsense On", "php_value a b", "Deny from .example.com"])
def test_apache_judges_nothing(site, text):
    """Nor is it a note that it has not."""
    site.shell(page(HTACCESS, text))
    site.write(f"{SITES}/x.conf", "expires 1h;\n")
    site.shell(RELOAD_SITE)
    assert findings(site) == []
    assert [entry for entry in notes(site) if entry["kind"] == "not-checked"] == []


@pytest.mark.parametrize("path", ["/usr/sbin/nginx", MODULE])
def test_not_installed(site, path):
    site.run("mv", path, "/root/away")
    try:
        found = find(site, "server-missing")
        assert (found["file"], found["severity"], found["what"]) == (FILE, "error", f"{path} does not exist")
        assert "libnginx-mod-bellhop" in found["advice"]
        assert [entry["instance"] for entry in findings(site)] == ["carol"]
    finally:
        site.run("mv", "/root/away", path)
    assert findings(site) == []


def test_advice_of_another_server(site):
    site.shell(page(HTACCESS, "# none"))
    assert "bellhopctl set carol --server=apache" in find(site, "htaccess-ignored")["advice"]
    site.shell("bellhopctl set carol --server=apache")
    assert findings(site) == []


UNIX = {
    "proxy_pass": f"location /app {{\n    proxy_pass http://unix:{SOCKET}:/x;\n}}\n",
    "fastcgi_pass": f"location /app {{ fastcgi_pass unix:{SOCKET}; }}\n",
    "quoted": f"location /app {{ uwsgi_pass  \"unix:{SOCKET}\"; }}\n",
}
GROUP = f"# a group\nupstream app {{\n    server 'unix:{SOCKET}' weight=2; server 192.0.2.1:80 down;\n}}\n"


def test_application_on_a_socket(site, listen):
    for text in UNIX.values():
        apply(site, text)
        found = find(site, "application-unreachable")
        assert found["what"] == f"socket {SOCKET} does not exist"
        assert (found["file"], found["line"]) == (SNIPPET, 1 + text[:text.index("unix:")].count("\n"))
        assert status_of(site, "app") == "502"
    unit = listen("AF_UNIX", SOCKET)
    assert findings(site) == []
    site.run("systemctl", "stop", unit)
    assert find(site, "application-unreachable")["what"] == f"no program listens on the socket {SOCKET}"
    site.shell("bellhopctl suspend carol")
    assert findings(site) == []


def test_application_on_a_port(site, listen):
    """A port of the machine is not the instance's."""
    listen("AF_INET", ("127.0.0.1", 3333))
    for text in ("location /app { proxy_pass http://[::1]:3333; }\n", "location /app { scgi_pass 127.0.0.1:3333; }\n"):
        apply(site, text)
        found = find(site, "application-unreachable")
        assert "Network=no" in found["what"] and "bellhop-nginx(8)" in found["advice"]
        assert status_of(site, "app") in ("500", "502")
    site.write(SNIPPET, "location /app { proxy_pass http://app.example; }\n")
    assert "unix socket" in find(site, "snippet-error")["advice"]
    site.write(f"{SITES}/app.http", "upstream app { server 127.0.0.2:3335; server 127.0.0.1:3333; }\n")
    apply(site, "location /app { proxy_pass http://[::1]:3334/; }\nlocation /var { proxy_pass http://127.0.0.1:$arg_port; }\n"
                "location /there { proxy_pass http://127.0.0.1:3333; }\nlocation /elsewhere { proxy_pass http://192.0.2.1; }\n"
                "location /group { proxy_pass http://app; }\n", network=True)
    assert [(entry["kind"], entry["line"], entry["what"]) for entry in findings(site)] == [
        ("application-unreachable", 1, "no program listens on port 3334, which http://[::1]:3334/ needs"),
        ("application-unreachable", 1, "no program listens on port 3335, which 127.0.0.2:3335 needs")]


def test_listen(site):
    """Of no use, unless the router has the port."""
    site.write(f"{SITES}/x.http", "server {\n    listen 80;\n    listen [::]:8080;\n    server_name www.carol.example;\n"
                                  "    return 204;\n}\n")
    site.shell(RELOAD_SITE)
    found = find(site, "listen-unused")
    assert (found["file"], found["line"], found["what"], found["severity"]) == (
        f"{SITES}/x.http", 3, "listen [::]:8080", "warning")
    site.write(f"{SITES}/x.http", "server {\n    listen unix:/home/carol/own.sock;\n    return 204;\n}\n")
    site.shell(RELOAD_SITE)
    assert find(site, "listen-unused")["what"] == "listen unix:/home/carol/own.sock"
    site.shell(f"rm {SITES}/x.http; {RELOAD_SITE}")
    assert findings(site) == []


@pytest.mark.parametrize("root", ROOTS)
def test_document_root_of_a_snippet(site, root):
    path, kind, words, _ = ROOTS[root]
    site.shell("mkdir -p /root/www")
    apply(site, f"root {path};\n")
    assert status_of(site, "index.html") in ("403", "404")
    found = find(site, kind)
    assert found["file"] == path and words in found["what"], found
    apply(site, "# none\n")
    assert findings(site) == []


def test_pages(site):
    site.shell(f"chown root: {WWW}/index.html; chmod 0600 {WWW}/index.html")
    assert status_of(site, "") == "403"
    found = find(site, "pages-unreadable")
    assert (found["file"], found["severity"]) == (f"{WWW}/index.html", "error")
    site.shell(f"chown carol: {WWW}/index.html; runuser -u carol -- sh -c 'echo \"<?php echo 1;\" > {WWW}/x.php'")
    assert findings(site) == [] and status_of(site, "x.php") == "200"
    with php_is_hidden(site):
        assert status_of(site, "x.php") == "502"
        assert find(site, "php-missing")["file"] == f"{WWW}/x.php"
        # A snippet may have it run by something else.
        apply(site, f"location ~ [.]php$ {{ fastcgi_pass unix:{SOCKET}; }}\n")
        assert [entry["kind"] for entry in findings(site)] == ["application-unreachable"]
        site.shell(f"rm {SNIPPET}")


@pytest.mark.parametrize("file", ["privkey.pem", "fullchain.pem"])
def test_incomplete_pair_of_a_host(site, file):
    """All hosts are served, that one with the certificate of the instance."""
    folder = f"{TLS}/www.carol.example"
    site.shell(f"install -d -o carol -m 0750 {folder}; install -o carol -m 0400 {TLS}/*.pem {folder}; rm {folder}/{file}")
    assert find(site, "certificate-missing")["file"] == f"{folder}/{file}"
    site.shell("systemctl restart bellhop@carol.service")
    assert_served(site)


def test_renewal(site):
    """A new certificate is in force by a reload; one that is not complete leaves the old one in force."""
    assert_served(site)
    site.shell(f"systemctl reload bellhop@carol.service; {self_signed()}")
    found = find(site, "site-not-reloaded")
    assert found["file"] == f"{TLS}/fullchain.pem"
    site.shell(found["advice"])
    assert findings(site) == []
    for file in ("fullchain.pem", "privkey.pem"):
        site.shell(f"mv {TLS}/{file} /root/away")
        assert site.try_run("systemctl", "reload", "bellhop@carol.service").returncode != 0
        assert_served(site)
        site.shell(f"mv /root/away {TLS}/{file}; {RELOAD_SITE}")
    assert findings(site) == []
    site.shell(f"mv {WWW} {WWW}.before; cp -a {WWW}.before {WWW}")
    found = find(site, "document-root-replaced")
    site.shell(f"{found['advice']}; rm -r {WWW}.before")
    assert findings(site) == []
    site.shell(page(f"{WWW}/www.carol.example/index.html", "own"))
    assert find(site, "site-not-reloaded")["file"] == f"{WWW}/www.carol.example"
    site.shell(RELOAD_SITE)
    assert findings(site) == [] and site.curl("https://www.carol.example/") == "own\n"
