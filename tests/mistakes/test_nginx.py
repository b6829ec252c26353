# SPDX-License-Identifier: MIT
"""Mistakes of those whose instance has Server=nginx, and what is one for Apache alone."""

import json

import pytest
from test_mistakes import FILE, RELOAD_SITE, SITES, TLS, WWW, assert_served, find, findings, self_signed

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
    "in words of the file's own": ("x.conf", '"x\nAH00526: Syntax error on line 9 of /etc/passwd:\n'
                                             'nginx: [emerg] no in /etc/passwd:9" on;\n', 3, 'unknown directive "x'),
}


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_snippet(site, snippet):
    name, text, line, words = SNIPPETS[snippet]
    assert_served(site)
    site.write(f"{SITES}/{name}", text)
    found = find(site, "snippet-error")
    assert (found["file"], found["line"], found["instance"]) == (f"{SITES}/{name}", line, "carol"), found
    assert words in found["what"] and "\n" not in found["what"] and " in /" not in found["what"], found
    assert site.try_run("systemctl", "reload", "bellhop@carol.service").returncode == 1
    assert_served(site)
    site.shell(f"rm '{SITES}/{name}'; {RELOAD_SITE}")
    assert findings(site) == []
    assert_served(site)


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
    assert found["what"] == "nginx does not read it, nor 1 more" and "bellhop-nginx(8)" in found["advice"]
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


@pytest.mark.parametrize("text", ["Nonsense On", "php_value a b", "Deny from .example.com"])
def test_apache_judges_nothing(site, text):
    """Nor is it a note that it has not."""
    site.shell(page(HTACCESS, text))
    site.write(f"{SITES}/x.conf", "listen 8080;\nlocation /app { proxy_pass http://unix:/nowhere; }\n")
    site.shell(RELOAD_SITE)
    assert findings(site) == []
    assert [entry for entry in notes(site) if entry["kind"] == "not-checked"] == []


@pytest.mark.parametrize("path", ["/usr/sbin/nginx", MODULE])
def test_not_installed(site, path):
    site.run("mv", path, "/root/away")
    try:
        found = find(site, "server-missing")
        assert (found["file"], found["severity"], found["what"]) == (FILE, "error", f"{path} is not there")
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
