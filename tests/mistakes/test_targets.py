# SPDX-License-Identifier: MIT
"""Mistakes in snippets that the server accepts, and visitors don't: applications that are not there, and virtual hosts
without TLS."""

import json

import pytest
from test_mistakes import FILE, RELOAD_SITE, SITES, TLS, assert_served, find, findings

SNIPPET = f"{SITES}/app.conf"
APPLY = f"bellhopctl apply; {RELOAD_SITE}"
SOCKET = "/home/carol/app.sock"
LISTEN = ("import socket, sys, time; family, where = eval(sys.argv[1]); s = socket.socket(family); s.bind(where); "
          "s.listen(); print('listens', flush=True); time.sleep(1000)")


def status(box, page=""):
    return int(box.curl(f"http://carol.example/{page}", "-o", "/dev/null", "-w", "%{http_code}"))


@pytest.fixture(name="listen")
def listen_fixture(box):
    """A program of the customer's that listens, and only accepts."""
    units = []

    def listen(family, where):
        unit = f"app-{len(units)}"
        units.append(unit)
        box.run("systemd-run", "--quiet", f"--unit={unit}", "--uid=carol", "/usr/bin/python3", "-c", LISTEN,
                f"(socket.{family}, {where!r})")
        box.wait_for("it listens", lambda: "listens" in box.journal("-u", unit))
        return unit

    yield listen
    for unit in units:
        box.shell(f"systemctl stop {unit} || true; systemctl reset-failed {unit} || true")
    box.shell(f"rm -f {SOCKET}")


def apply(box, text, network=False):
    box.write(SNIPPET, text)
    if network:
        box.shell(f"echo Network=yes >> {FILE}")
    box.shell(APPLY)


UNIX = {
    "ProxyPass": f"ProxyPass /app unix:{SOCKET}|http://localhost/\n",
    "in a section": f"<Location /app>\nProxyPass \"unix:{SOCKET}|http://localhost/\"\n</Location>\n",
    "SetHandler": f"<Location /app>\nSetHandler \"proxy:unix:{SOCKET}|fcgi://localhost\"\n</Location>\n",
    "ProxyPassMatch": f"ProxyPassMatch ^/app unix:{SOCKET}|http://localhost/\n",
    "by a variable": f"Define APP {SOCKET}\nProxyPass /app unix:${{APP}}|http://localhost/\n",
}


@pytest.mark.parametrize("runs", [False, True], ids=["idle", "awake"])
@pytest.mark.parametrize("how", UNIX)
def test_socket_is_missing(box, listen, how, runs):
    apply(box, UNIX[how])
    if runs:
        assert status(box, "app") == 503
    found = find(box, "application-unreachable")
    assert found["what"] == f"there is no socket {SOCKET}"
    assert (found["file"], found["line"]) == (SNIPPET, 1 + UNIX[how][:UNIX[how].index("unix:")].count("\n"))
    listen("AF_UNIX", SOCKET)
    assert findings(box) == []


def test_nobody_listens_on_the_socket(box, listen):
    apply(box, UNIX["ProxyPass"])
    unit = listen("AF_UNIX", SOCKET)
    box.run("systemctl", "stop", unit)
    assert find(box, "application-unreachable")["what"] == f"no program listens on the socket {SOCKET}"
    assert status(box, "app") == 503
    box.shell(f"rm {SOCKET}; : > {SOCKET}")
    assert "can't connect" in find(box, "application-unreachable")["what"]


def test_socket_is_closed_to_the_customer(box, listen):
    apply(box, UNIX["ProxyPass"])
    listen("AF_UNIX", SOCKET)
    box.shell(f"chown root: {SOCKET}; chmod 0600 {SOCKET}")
    found = find(box, "application-unreachable")
    assert found["what"] == f"user carol can't connect to {SOCKET}: Permission denied"
    assert status(box, "app") == 503


def test_network_is_closed(box, listen):
    """A port of the machine is not the instance's."""
    apply(box, "ProxyPass /app http://127.0.0.1:3333/\n")
    listen("AF_INET", ("127.0.0.1", 3333))
    found = find(box, "application-unreachable")
    assert "Network=no" in found["what"] and "Network=yes" in found["advice"]
    assert status(box, "app") == 503
    box.shell(f"echo Network=yes >> {FILE}; {APPLY}")
    assert findings(box) == []


@pytest.mark.parametrize("url, family, where", [
    ("http://localhost:3333/", "AF_INET", ("127.0.0.1", 3333)), ("http://127.0.0.1:3333/", "AF_INET", ("127.0.0.1", 3333)),
    ("ws://[::1]:3333/x", "AF_INET6", ("::1", 3333)), ("fcgi://127.0.0.1:3333", "AF_INET", ("0.0.0.0", 3333))])
def test_nobody_listens_on_the_port(box, listen, url, family, where):
    apply(box, f"ProxyPass /app {url}\nProxyPass /no !\n", network=True)
    found = find(box, "application-unreachable")
    assert found["what"] == f"no program listens on port 3333, for {url}"
    assert status(box, "app") in (500, 503)
    listen(family, where)
    assert findings(box) == []


def test_servers_elsewhere_are_not_asked(box):
    apply(box, "ProxyPass /app http://192.0.2.1:3333/\n", network=True)
    assert findings(box) == []


def test_virtual_host_without_a_line_for_tls(box):
    """Nothing is missing: it has the certificate of the instance."""
    apply(box, "<VirtualHost *:443>\nServerName carol.example\nHeader set X-Own 1\n</VirtualHost>\n")
    assert findings(box) == []
    assert_served(box)
    assert "x-own: 1" in box.curl("https://carol.example/", "-i").lower()


def test_listen(box):
    apply(box, "# mine\nListen 8080\n")
    found = find(box, "listen-unused")
    assert (found["file"], found["line"], found["what"], found["severity"]) == (SNIPPET, 2, "Listen 8080", "warning")
    apply(box, "# mine\n")
    assert findings(box) == []


def test_hostile_socket(box):
    """Nothing of root's is reached by a link, and nothing waits."""
    apply(box, UNIX["ProxyPass"])
    for make in (f"ln -s /run/systemd/private {SOCKET}", f"mkfifo {SOCKET}", f"ln -s app.sock {SOCKET}"):
        box.shell(f"rm -f {SOCKET}; {make}")
        done = box.try_run("timeout", "60", "bellhopctl", "check", "--json")
        kinds = [entry["kind"] for entry in json.loads(done.stdout)["findings"]]
        assert "application-unreachable" in kinds or "link" not in make
    box.shell(f"rm -f {SOCKET}")
