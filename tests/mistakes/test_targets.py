# SPDX-License-Identifier: MIT
"""Mistakes in snippets that the server accepts, and visitors don't: applications that are not there, and virtual hosts
without TLS."""

import json

import pytest
from test_mistakes import FILE, RELOAD_SITE, SITES, TLS, assert_served, find, findings

SNIPPET = f"{SITES}/app.conf"
APPLY = f"bellhopctl apply; {RELOAD_SITE}"
SOCKET = "/home/carol/app.sock"
WWW = "www.carol.example"
LISTEN = ("import os, socket, sys, time; family, where = eval(sys.argv[1]); s = socket.socket(family); s.bind(where); s.listen(); "
          "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', os.environ['NOTIFY_SOCKET']); time.sleep(1000)")


def status(box, page=""):
    return int(box.curl(f"http://carol.example/{page}", "-o", "/dev/null", "-w", "%{http_code}"))


@pytest.fixture(name="listen")
def listen_fixture(box):
    """A program of the customer's that listens, and only accepts."""
    units = []

    def listen(family, where):
        unit = f"app-{len(units)}"
        units.append(unit)
        box.run("systemd-run", "--quiet", "--service-type=notify", f"--unit={unit}", "--uid=carol", "/usr/bin/python3", "-c", LISTEN,
                f"(socket.{family}, {where!r})")
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
    assert found["what"] == f"socket {SOCKET} does not exist"
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
    assert found["what"] == f"no program listens on port 3333, which {url} needs"
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


def test_folder_of_a_host_that_is_not_in_force(box):
    assert_served(box)
    box.shell(f"runuser -u carol -- sh -c 'mkdir /srv/www/carol/{WWW}; echo own >/srv/www/carol/{WWW}/index.html'")
    found = find(box, "site-not-reloaded")
    assert found["file"] == f"/srv/www/carol/{WWW}"
    assert [step["what"] for step in json.loads(box.run("bellhopctl", "apply", "--json"))["changes"]] == [
        "reload the server of carol"]
    assert findings(box) == [] and box.curl(f"https://{WWW}/") == "own\n"
    # Pages in it are served as they are.
    box.shell(f"runuser -u carol -- sh -c 'echo new >/srv/www/carol/{WWW}/new.html'")
    assert findings(box) == [] and box.curl(f"https://{WWW}/new.html") == "new\n"
    box.shell(f"rm -r /srv/www/carol/{WWW}; {RELOAD_SITE}")


RULE = "<RequireAll>\nRequire all granted\nRequire not host spammer.example\n</RequireAll>\n"


@pytest.mark.parametrize("file, text, line, what", [
    ("/srv/www/carol/.htaccess", "# mine\nOrder allow,deny\nAllow from all localhost 192.0.2.1\nDeny from .spammer.example\n", 4,
     "Deny from .spammer.example"),
    ("/srv/www/carol/.htaccess", RULE, 3, "Require not host spammer.example"),
    (SNIPPET, "<Location /x>\n" + RULE + "</Location>\n", 4, "Require not host spammer.example"),
    (SNIPPET, "HostnameLookups On\n", 1, "HostnameLookups On")])
def test_rule_by_name(box, file, text, line, what):
    box.write(file, text)
    box.shell(APPLY)
    found = find(box, "rule-by-name")
    assert (found["file"], found["line"], found["what"], found["severity"]) == (file, line, what, "warning")
    box.shell(f"echo Network=yes >> {FILE}; {APPLY}")
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


def make_pair(folder, names, dates=""):
    # By x509, as `openssl req` of Debian 12 takes no dates.
    return (f"mkdir -p {folder}; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=x "
            f"-addext subjectAltName={names} -keyout {folder}/privkey.pem -out {folder}/fullchain.pem 2>/dev/null; {dates}")


def test_certificate_of_a_host(box):
    install = f"bellhopctl cert carol --host={WWW} --install /root/pair/fullchain.pem /root/pair/privkey.pem"
    box.shell(make_pair("/root/pair", "DNS:other.example"))
    assert f"does not name {WWW}" in box.try_run("sh", "-c", install).stderr
    assert "is not a host of carol" in box.try_run("sh", "-c", install.replace(WWW, "other.example")).stderr
    box.shell(f"{make_pair('/root/pair', f'DNS:{WWW}')} {install}")
    assert box.run("stat", "-c", "%U %a", f"{TLS}/{WWW}", f"{TLS}/{WWW}/privkey.pem", f"{TLS}/{WWW}/fullchain.pem").split() == [
        "carol", "750", "carol", "400", "carol", "400"]
    assert {entry["kind"] for entry in findings(box)} <= {"self-signed"}
    assert f"DNS:{WWW}\n" in box.client("sh", "-c", f"openssl s_client -connect 127.0.0.1:443 -servername {WWW} </dev/null 2>&1 | "
                                        "openssl x509 -noout -ext subjectAltName")
    # A certificate for that host's key, which is not that of the instance.
    sign = (f"bellhopctl cert carol --host={WWW} --request >/root/pair/csr && openssl x509 -req -in /root/pair/csr -days 30 -CA "
            "/root/pair/fullchain.pem -CAkey /root/pair/privkey.pem -copy_extensions copy -out /root/pair/signed.pem 2>/dev/null")
    box.shell(f"{sign} && bellhopctl cert carol --host={WWW} --install /root/pair/signed.pem")
    shown, = json.loads(box.run("bellhopctl", "cert", "carol", f"--host={WWW}", "--json"))["certificates"]
    assert (shown["names"], shown["private_key"], shown["self_signed"]) == ([WWW], "matches", False)
    assert "bellhopctl cert carol --request" in box.try_run("bellhopctl", "cert", "carol", "--install", "/root/pair/signed.pem").stderr
    # It is not that of the other host any more, and each is judged for its own.
    box.shell(make_pair("/root/pair", "DNS:other.example") +
              f"install -o carol -m 0400 /root/pair/*.pem {TLS}/{WWW}; {APPLY}")
    found = find(box, "certificate-lacks-host")
    assert (found["file"], found["what"]) == (f"{TLS}/{WWW}/fullchain.pem", f"the certificate does not name {WWW}")
    assert f"bellhopctl cert carol --host={WWW} --install" in found["advice"]
    box.shell(f"rm {TLS}/{WWW}/privkey.pem")
    assert find(box, "certificate-missing")["file"] == f"{TLS}/{WWW}/privkey.pem"
    # A link in place of the folder leads root nowhere.
    box.shell(f"rm -r {TLS}/{WWW}; mkdir -m 0777 /root/elsewhere; ln -s /root/elsewhere {TLS}/{WWW}; "
              f"{make_pair('/root/pair', f'DNS:{WWW}')}")
    assert box.try_run("sh", "-c", install).returncode != 0
    assert box.run("ls", "/root/elsewhere") == ""
    box.shell(f"rm {TLS}/{WWW}; rm -r /root/elsewhere /root/pair; {APPLY}")
    assert findings(box) == []
