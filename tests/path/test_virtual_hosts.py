# SPDX-License-Identifier: MIT
"""Virtual hosts in snippets, hosts with folders of their own: each host gets what is its own, and no other one changes."""

import os
import pwd
import re
import shutil
import subprocess

import handoff
import pytest
from handoff import Instance

HOSTS = "Host=alice.example www.alice.example blog.alice.example *.shop.example\nIdleSec=0"
CODE = ("-o", "/dev/null", "-w", "%{http_code} %{redirect_url}")


def vhost(address, name, *lines):
    names = f"ServerName {name}\n" if name else ""
    return f"<VirtualHost {address}>\n{names}{chr(10).join(lines)}\n</VirtualHost>\n"


def make(snippet="", mpm="event", settings=HOSTS, tls=True):
    """Each answer of a virtual host is its name; "hello" is the main site."""
    return Instance(mpm, settings=settings, snippet=snippet, tls=tls)


def pages(instance, host, text=None):
    os.makedirs(instance.path("www", host))
    instance.path("www", host, "index.html", text=(text or host) + "\n")


def certificate(instance, folder, *hosts):
    path = instance.path("config/tls", instance.user, folder)
    os.makedirs(path)
    handoff.self_signed(path, *hosts)
    if handoff.AS_ROOT:
        subprocess.run(["chown", "-R", instance.user, path], check=True)


def served_certificate(instance, host):
    """The names in the certificate that a client of this host gets."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{instance.router.tls_port}", "-servername", host],
                          input="", capture_output=True, text=True, timeout=handoff.TIMEOUT, check=False)
    text = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=done.stdout, capture_output=True,
                          text=True, check=True).stdout
    return re.findall(r"DNS:([^,\s]+)", text)


def answers(instance, path="/", hosts=("alice.example", "www.alice.example", "blog.alice.example", "x.shop.example")):
    return {host: [instance.curl(f"{scheme}{path}", *CODE, host=host)[1].split()[0] + " " +
                   instance.curl(f"{scheme}{path}", host=host)[1].strip() for scheme in ("", "https:")] for host in hosts}


MAIN = ["200 hello", "200 hello"]


def teapot(text):
    return f'RedirectMatch 410 .*\nErrorDocument 410 "{text}"'


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_virtual_host_takes_no_other_host(mpm):
    with make(vhost("*:80", "blog.alice.example", teapot("plain")) + vhost("*:443", "blog.alice.example", teapot("tls")),
              mpm) as instance:
        instance.start()
        assert answers(instance) == {"alice.example": MAIN, "www.alice.example": MAIN, "x.shop.example": MAIN,
                                     "blog.alice.example": ["410 plain", "410 tls"]}


@pytest.mark.parametrize("address, expected", [
    ("*:80", ["410 own", "200 hello"]), ("*:443", ["200 hello", "410 own"]), ("*:*", ["410 own", "410 own"]),
    ("*", ["410 own", "410 own"]), ("_default_:443", ["200 hello", "410 own"]), ("_default_", ["410 own", "410 own"]),
    ("*:80 *:443", ["410 own", "410 own"]), ("*:443 *", ["410 own", "410 own"])])
def test_addresses(address, expected):
    with make(vhost(address, "blog.alice.example", teapot("own"))) as instance:
        instance.start()
        found = answers(instance)
        assert found["blog.alice.example"] == expected
        assert found["alice.example"] == found["x.shop.example"] == MAIN


@pytest.mark.parametrize("names", ["ServerName http://BLOG.alice.example:80", "ServerAlias y.example\nServerAlias blog.*"])
def test_names(names):
    with make(vhost("*", "", names, teapot("own"))) as instance:
        instance.start()
        found = answers(instance)
        assert found["blog.alice.example"] == ["410 own", "410 own"]
        assert found["alice.example"] == found["x.shop.example"] == MAIN


def test_without_a_name_it_serves_what_nobody_names():
    with make(vhost("*:80", "blog.alice.example", teapot("blog")) + vhost("*:80", "", teapot("rest"))) as instance:
        instance.start()
        found = answers(instance)
        assert found["blog.alice.example"] == ["410 blog", "200 hello"]
        assert found["alice.example"] == found["x.shop.example"] == ["410 rest", "200 hello"]


def test_redirect_to_www_and_back_do_not_loop():
    with make(vhost("*:80", "alice.example", "Redirect permanent / https://www.alice.example/") +
              vhost("*:443", "alice.example", "Redirect permanent / https://www.alice.example/")) as instance:
        instance.start()
        for url in ("/x?y", "https:/x?y"):
            assert instance.curl(url, *CODE)[1] == "301 https://www.alice.example/x?y"
        assert answers(instance, hosts=("www.alice.example", "blog.alice.example")) == {
            "www.alice.example": MAIN, "blog.alice.example": MAIN}


def test_other_ports_have_the_main_site_too():
    """A port that a virtual host names, and no other names there."""
    with make() as instance:
        instance.path("config/sites", instance.user, "p.conf", text=vhost(
            f"*:{instance.router.port}", "blog.alice.example", teapot("plain")) + vhost(
                f"*:{instance.router.tls_port}", "blog.alice.example", "SSLEngine On", teapot("tls")))
        instance.start()
        found = answers(instance)
        assert found["blog.alice.example"] == ["410 plain", "410 tls"]
        assert found["alice.example"] == MAIN


def test_tls_is_inherited():
    with make(vhost("*:443", "blog.alice.example", teapot("tls"))) as instance:
        instance.start()
        done = instance.curl("https:/", "-w", " %{http_version}", host="blog.alice.example")
        assert done == (0, "tls 2")
        assert served_certificate(instance, "blog.alice.example") == ["alice.example", "*.shop.example"]


@pytest.mark.parametrize("is_one_file", [False, True])
def test_own_certificate_is_used(is_one_file):
    with make() as instance:
        certificate(instance, "own", "own.example")
        folder = instance.path("config/tls", instance.user, "own")
        if is_one_file:
            with open(f"{folder}/fullchain.pem", "a", encoding="ascii") as file, open(f"{folder}/privkey.pem", encoding="ascii") as key:
                file.write(key.read())
        lines = f"SSLCertificateFile {folder}/fullchain.pem" + (
            "" if is_one_file else f"\nSSLCertificateKeyFile {folder}/privkey.pem")
        instance.path("config/sites", instance.user, "own.conf", text=vhost("*:443", "blog.alice.example", lines))
        instance.start()
        assert served_certificate(instance, "blog.alice.example") == ["own.example"]
        assert served_certificate(instance, "alice.example") == ["alice.example", "*.shop.example"]


def test_tls_is_off_where_a_virtual_host_says_so():
    with make(vhost("*:443", "", "SSLEngine Off")) as instance:
        instance.start()
        assert instance.curl("https:/")[0] == 35
        assert instance.curl("/") == (0, "hello\n")


def test_without_a_certificate_there_is_no_tls():
    with make(vhost("*:443", "blog.alice.example", teapot("x")) + vhost("*:80", "blog.alice.example", teapot("plain")),
              tls=False) as instance:
        instance.start()
        assert instance.curl("/", host="blog.alice.example") == (0, "plain")
        assert instance.curl("/") == (0, "hello\n")
        assert instance.curl("https:/")[0] == 35


def test_folders_of_hosts():
    with make() as instance:
        pages(instance, "blog.alice.example", "blog")
        certificate(instance, "blog.alice.example", "blog.alice.example")
        certificate(instance, "www.alice.example", "www.alice.example")
        pages(instance, "other.example")  # no host of this instance
        instance.start()
        found = answers(instance)
        assert found.pop("blog.alice.example") == ["200 blog", "200 blog"]
        assert all(answer == MAIN for answer in found.values())
        assert [served_certificate(instance, host) for host in ("blog.alice.example", "www.alice.example", "x.shop.example")] == [
            ["blog.alice.example"], ["www.alice.example"], ["alice.example", "*.shop.example"]]
        # They are below the main site, too, as any folder is.
        assert instance.curl("/blog.alice.example/") == (0, "blog\n")
        # One that comes or goes is found by the next reload.
        shutil.rmtree(instance.path("www/blog.alice.example"))
        pages(instance, "www.alice.example", "www")
        instance.process.send_signal(1)
        instance.notify.wait("^READY=1")
        found = answers(instance)
        assert found.pop("www.alice.example") == ["200 www", "200 www"]
        assert all(answer == MAIN for answer in found.values())


def test_folders_of_wildcards():
    with make(settings="Host=alice.example www.alice.example *.alice.example *.b.alice.example\nIdleSec=0") as instance:
        pages(instance, "_.alice.example", "wild")
        pages(instance, "_.b.alice.example", "wilder")
        pages(instance, "x.alice.example", "not in Host=")
        certificate(instance, "_.alice.example", "*.alice.example")
        instance.start()
        found = answers(instance, hosts=("alice.example", "www.alice.example", "y.alice.example", "x.alice.example",
                                         "y.b.alice.example"))
        assert found == {"alice.example": MAIN, "www.alice.example": MAIN, "y.alice.example": ["200 wild"] * 2,
                         "x.alice.example": ["200 wild"] * 2, "y.b.alice.example": ["200 wilder"] * 2}
        assert served_certificate(instance, "y.alice.example") == ["*.alice.example"]
        assert served_certificate(instance, "www.alice.example") == ["alice.example", "*.shop.example"]


def test_snippet_is_before_the_folder_and_completed_by_it():
    with make(vhost("*:80", "blog.alice.example", teapot("snippet")) + vhost("*:443", "blog.alice.example", "Header set X 1")
              ) as instance:
        pages(instance, "blog.alice.example", "folder")
        certificate(instance, "blog.alice.example", "blog.alice.example")
        instance.start()
        assert answers(instance, hosts=("blog.alice.example",)) == {"blog.alice.example": ["410 snippet", "200 folder"]}
        assert served_certificate(instance, "blog.alice.example") == ["blog.alice.example"]


@pytest.mark.parametrize("missing", ["fullchain.pem", "privkey.pem"])
def test_certificate_in_the_making_changes_nothing(missing):
    with make() as instance:
        certificate(instance, "blog.alice.example", "blog.alice.example")
        os.unlink(instance.path("config/tls", instance.user, "blog.alice.example", missing))
        instance.start()
        assert served_certificate(instance, "blog.alice.example") == ["alice.example", "*.shop.example"]


def test_link_in_place_of_a_folder_leads_nowhere_else():
    if not handoff.AS_ROOT:
        pytest.skip("needs another user's folder")
    with make() as instance:
        os.symlink("/usr/share/doc", instance.path("www/blog.alice.example"))
        os.lchown(instance.path("www/blog.alice.example"), pwd.getpwnam(instance.user).pw_uid, -1)
        instance.start()
        assert answers(instance)["alice.example"] == MAIN
        assert {answer[:3] for answer in answers(instance)["blog.alice.example"]} == {"403"}


# --- Canonical= ---


@pytest.fixture(name="canonical", params=["event", "prefork"])
def _canonical(request):
    with make(mpm=request.param, settings=HOSTS + "\nCanonical=WWW.alice.example.") as instance:
        instance.path("www/new.html", text="new\n")
        os.makedirs(instance.path("www/.well-known/acme-challenge"))
        instance.path("www/.well-known/acme-challenge/token", text="token\n")
        yield instance.start()


def test_canonical_host(canonical):
    ports = canonical.router.port, canonical.router.tls_port
    for scheme, port in zip(("http", "https"), ports):
        url = f"{scheme}:" if scheme == "https" else ""
        for host in ("alice.example", "blog.alice.example"):
            for path in ("/", "/a%2Fb%20c?d=e&f=//g", *([] if url else ["//evil.example/x"])):
                assert canonical.curl(f"{url}{path}", *CODE, "--path-as-is", host=host)[1] == (
                    f"301 {scheme}://www.alice.example:{port}{path}")
        for method, code in (("POST", 308), ("DELETE", 308), ("OPTIONS", 308), ("GET", 301)):
            assert canonical.curl(f"{url}/x", *CODE, "-X", method)[1] == f"{code} {scheme}://www.alice.example:{port}/x"
        assert canonical.curl(f"{url}/x", *CODE, "-I")[1].startswith("301 ")
        for host in ("www.alice.example", "x.shop.example"):
            assert canonical.curl(f"{url}/", host=host) == (0, "hello\n")
        assert canonical.curl(f"{url}/.well-known/acme-challenge/token") == (0, "token\n")
        # By its own redirect a client gets to the page.
        assert canonical.curl(f"{url}/new.html", "-L") == (0, "new\n")


def test_canonical_host_leaves_alone_a_host_with_a_document_root_of_its_own():
    """Its certificate alone, a virtual host or the folder of the canonical host change nothing."""
    with make(settings=HOSTS + "\nCanonical=www.alice.example") as instance:
        for host in ("www.alice.example", "blog.alice.example"):
            pages(instance, host)
            certificate(instance, host, host)
        certificate(instance, "alice.example", "alice.example")
        with open(instance.path("config/sites", instance.user, "alice.conf"), "w", encoding="ascii") as file:
            file.write(vhost("*:80", "alice.example", f"DocumentRoot {instance.path('www')}"))
        instance.start()
        found = answers(instance)
        assert {host: found[host] for host in ("www.alice.example", "blog.alice.example")} == {
            "www.alice.example": ["200 www.alice.example"] * 2, "blog.alice.example": ["200 blog.alice.example"] * 2}
        assert [answer[:3] for answer in found["alice.example"]] == ["301", "301"]


def test_canonical_host_has_no_port_that_the_scheme_implies(canonical):
    for name in ("alice.example", "ALICE.example.", "alice.example:80"):
        with canonical.connect() as connection:
            connection.sendall(f"GET /x HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            answer = connection.makefile("rb").read().decode()
            assert "\r\nLocation: http://www.alice.example/x\r\n" in answer, answer
    with canonical.connect() as connection:
        connection.sendall(b"GET http://alice.example/x?y HTTP/1.1\r\nHost: alice.example\r\nConnection: close\r\n\r\n")
        assert b"\r\nLocation: http://www.alice.example/x?y\r\n" in connection.makefile("rb").read()


def test_canonical_host_of_others_is_theirs(canonical):
    with canonical.connect() as connection:
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: bob.example\r\nConnection: close\r\n\r\n")
        assert connection.makefile("rb").readline().split()[1] == b"421"


@pytest.mark.parametrize("value, says", [
    ("other.example", "not an exact host of this instance"), ("x.shop.example", "not an exact host of this instance"),
    ("*.shop.example", "is not an exact host"), ("https://alice.example", "is not an exact host"),
    ("alice.example:443", "is not an exact host"), ("192.0.2.1", "is not an exact host"), ("", "is empty")])
def test_mistakes_in_canonical(value, says):
    with make(settings=f"{HOSTS}\nCanonical={value}") as instance:
        done = instance.run("--test")
        assert done.returncode == 1 and says in done.stderr and ":4:" in done.stderr, done.stderr


# --- modules that look for listeners ---


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_listen_opens_nothing_and_is_said(mpm):
    with make("Listen 127.0.0.1:1\nListen 99999999", mpm) as instance:
        done = instance.run("--test")
        assert done.returncode == 0, done.stderr
        instance.start()
        assert answers(instance, hosts=["alice.example"]) == {"alice.example": MAIN}
        assert re.search(r"test\.conf:2: Listen 127\.0\.0\.1:1 has no effect.*systemctl edit", instance.errors())


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_mod_md_finds_the_ports(mpm):
    """It says so where it looks, and it starts its part for a host of the instance."""
    with make("""LoadModule md_module /usr/lib/apache2/modules/mod_md.so
            LogLevel md:trace2
            MDStoreDir ${RUNTIME_DIRECTORY}/md
            MDCertificateAuthority https://127.0.0.1:9/dir
            MDCertificateAgreement accepted
            MDContactEmail root@alice.example
            MDomain blog.alice.example
            """ + vhost("*:443", "blog.alice.example"), mpm) as instance:
        instance.start()
        assert answers(instance, hosts=["alice.example"]) == {"alice.example": MAIN}
        errors = instance.errors()
        assert re.search(r"server seems reachable via http: and reachable via https:", errors), errors
