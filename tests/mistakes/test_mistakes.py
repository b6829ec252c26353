# SPDX-License-Identifier: MIT
"""Mistakes that people make. Each is made, found by bellhopctl check, and gone once it is corrected: by the advice where
that is a command, else by the test."""

import base64
import json
import pathlib
import re
import subprocess

import pytest
from conftest import PAGE

HERE = pathlib.Path(__file__).parent

FILE = "/etc/bellhop/instances/carol.conf"
TLS = "/etc/bellhop/tls/carol"
SITES = "/etc/bellhop/sites/carol"
WWW = "/srv/www/carol"
SECRET = "xyzzy"
RELOAD = "systemctl reload bellhop-router"


def findings(box):
    """The findings of check, without notes, which are not mistakes."""
    checked = box.try_run("bellhopctl", "check", "--json")
    found = [entry for entry in json.loads(checked.stdout)["findings"] if entry["severity"] != "note"]
    assert checked.returncode == any(entry["severity"] == "error" for entry in found), checked
    return found


# What root must not do to files that customers can replace by links.
CHANGES_FILES = re.compile(r"\b(chown|chmod|chgrp|install|mv|cp|rm|ln|sed|tee|cat|openssl)\b|>")
AS_CUSTOMER = re.compile(r"runuser --pty -u \w+ -- [^';&|]*")


def is_command(advice):
    """Sentences begin with a capital letter."""
    return bool(advice) and advice[0].islower()


def find(box, kind):
    found = [entry for entry in findings(box) if entry["kind"] == kind]
    assert found, findings(box)
    advice = AS_CUSTOMER.sub("", found[0]["advice"])
    advice = re.sub("[Ii]nstall certificate and key with 'bellhopctl cert carol (--host=[a-z.]+ )?--install CERT KEY'", "", advice)
    assert is_command(advice) or advice == "" or advice.endswith("."), advice
    assert not CHANGES_FILES.search(advice.replace("'openssl pkey'", "")), advice
    return found[0]


def assert_served(box):
    """By both protocols; -L: one may lead to the other."""
    both = box.curl("https://carol.example/", "-L", "--resolve", "www.carol.example:80:127.0.0.1", "--resolve",
                    "www.carol.example:443:127.0.0.1", "http://www.carol.example/")
    assert both == "served by carol\n" * 2


def instance(text):
    return f"printf '[Instance]\\n{text}' > {FILE}"


# A certificate of our own authority with an intermediate one: ca.pem, inter.pem and leaf.pem in /root/ca.
AUTHORITY = f"""
    rm -rf /root/ca; mkdir /root/ca; cd /root/ca
    sign() {{ # NAME ISSUER EXTENSIONS
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout $1.key -out $1.csr \
                -subj /CN=$1 2>/dev/null
        openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -days 30 -out $1.pem -extfile <(printf "$3") 2>/dev/null
    }}
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 -subj /CN=root -keyout root.key \
            -out root.pem 2>/dev/null
    sign inter root 'basicConstraints=critical,CA:TRUE'
    sign leaf inter 'subjectAltName=DNS:carol.example,DNS:www.carol.example'
    install -o carol -g carol -m 0400 leaf.key {TLS}/privkey.pem
"""


def self_signed(*options):
    return (f"openssl req -x509 -key {TLS}/privkey.pem -subj /CN=carol.example -out {TLS}/fullchain.pem "
            f"-addext subjectAltName=DNS:carol.example,DNS:www.carol.example {' '.join(options)}")


def dated(begin, end):
    """Certificates with any time of life are made by openssl ca only."""
    return f"""
        cd "$(mktemp -d)"
        touch index
        cat > conf <<END
[ca]
default_ca = a
[a]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = p
x509_extensions = e
[p]
commonName = supplied
[e]
subjectAltName = DNS:carol.example,DNS:www.carol.example
END
        openssl req -new -key {TLS}/privkey.pem -subj /CN=carol.example -out csr
        openssl ca -config conf -selfsign -keyfile {TLS}/privkey.pem -in csr -out out -notext -batch \\
                -startdate {begin} -enddate {end} 2>/dev/null
        cat out > {TLS}/fullchain.pem
    """


ADVICE = None
RELOAD_SITE = "systemctl try-reload-or-restart bellhop@carol.service"
SIGN_AGAIN = "bellhopctl cert carol --self-signed --force"
RIGHT = instance("Host=carol.example www.carol.example\n")

# What is done wrong -> the commands that do it, the kind of finding, words that it has, and what corrects it.
MISTAKES = {
    "wrong owner": (f"chown carol {FILE}", "config-error", "owned by root", f"chown root {FILE}"),
    "file writable by group": (f"chmod g+w {FILE}", "config-error", "writable only by its owner", f"chmod g-w {FILE}"),
    "folder writable by group": ("chmod g+w /etc/bellhop/instances", "folder-writable", "0775",
                                 "chmod g-w /etc/bellhop/instances"),
    "typo in a key": (instance("Hots=carol.example www.carol.example\n"), "config-error", "unknown key Hots=", RIGHT),
    "line ends of Windows": (f"sed -i 's/$/\\r/' {FILE}", "config-error", "CR LF", f"sed -i 's/\\r$//' {FILE}"),
    "typo in a section": (f"sed -i 's/Instance/instance/' {FILE}", "config-error", "unknown section", RIGHT),
    "no section": (f"sed -i 1d {FILE}", "config-error", "before any section", RIGHT),
    "typo in a setting of the router": ("printf '[Router]\nSniffTimeout=5s\n' > /etc/bellhop/router.conf.d/x.conf",
                                        "settings-error", "unknown key SniffTimeout=",
                                        "sed -i s/Timeout/TimeoutSec/ /etc/bellhop/router.conf.d/x.conf"),
    "no such value": (f"echo Default=maybe >> {FILE}", "config-error", "neither yes nor no", RIGHT),
    "second default": ("for name in bob carol; do echo Default=yes >> /etc/bellhop/instances/$name.conf; done",
                       "config-error", "only one instance may be the default", RIGHT),
    "exits at once": (f"echo IdleSec=1s >> {FILE}", "idle-too-short", "less than 10 seconds", RIGHT),
    "host of a neighbour": (f"sed -i 's/=/=alice.example /' {FILE}", "config-error", "already leads to alice", RIGHT),
    "host twice in a file": (f"echo Host=carol.example >> {FILE}", "config-error", "appears twice", RIGHT),
    "port in a host": (instance("Host=carol.example:443 www.carol.example\n"), "config-error", "has a port", RIGHT),
    "URL as host": (instance("Host=https://carol.example/ www.carol.example\n"), "config-error", "is a URL", RIGHT),
    "commas between hosts": (instance("Host=carol.example,www.carol.example\n"), "config-error", "not a host name", RIGHT),
    "address as host": (f"sed -i 's/=/=127.0.0.9 /' {FILE}", "config-error", "write it as Address=",
                        f"{RIGHT}; echo Address=127.0.0.9 >> {FILE}"),
    "no such user": ("userdel carol 2>/dev/null", "config-error", "user carol does not exist", ADVICE),
    "root as customer": (f"printf '[Instance]\nHost=root.example\n' > {FILE.replace('carol', 'root')}",
                         "config-error", "uid 0", f"rm {FILE.replace('carol', 'root')}"),
    "two names of one user": ("useradd -o -u $(id -u carol) karol; printf '[Instance]\nHost=karol.example\n' > "
                              f"{FILE.replace('carol', 'karol')}", "shared-uid", "uid of user",
                              f"rm {FILE.replace('carol', 'karol')}"),
    "certificate missing": (f"rm {TLS}/fullchain.pem", "certificate-missing", "does not exist", SIGN_AGAIN),
    "key missing": (f"rm {TLS}/privkey.pem", "certificate-missing", "does not exist", SIGN_AGAIN),
    "redirect without certificate": (f"rm -r {TLS}; echo Http=redirect >> {FILE}; {RELOAD}", "redirect-without-tls",
                                     "no certificate", ADVICE),
    "certificate of root": (f"chown root: {TLS}/*; chmod 0600 {TLS}/fullchain.pem", "certificate-unreadable",
                            "user carol can't read it", f"chown carol: {TLS}/*"),
    "folder of root": (f"chown root: {TLS}; chmod 0700 {TLS}", "certificate-unreadable", "user carol can't read it",
                       f"chown carol: {TLS}"),
    "link to certbot's": (f"mkdir -p -m 0700 /etc/letsencrypt/archive; mv {TLS}/fullchain.pem "
                          f"/etc/letsencrypt/archive; ln -s /etc/letsencrypt/archive/fullchain.pem {TLS}/fullchain.pem",
                          "certificate-unreadable", "no access to /etc/letsencrypt/archive",
                          f"rm {TLS}/fullchain.pem; install -o carol /etc/letsencrypt/archive/fullchain.pem {TLS}"),
    "no certificate in it": (f"echo hello > {TLS}/fullchain.pem", "certificate-invalid", "it contains no certificate",
                             SIGN_AGAIN),
    "expired certificate": (dated("20240101000000Z", "20240201000000Z"), "certificate-expired", "2024-02-01", ADVICE),
    "expires soon": (dated("20240101000000Z", "$(date -d '+1 day 12 hours' +%Y%m%d%H%M%SZ)"),
                     "certificate-expires", "in 1 day, on ", ADVICE),
    "not yet valid": (dated("20490101000000Z", "20490201000000Z"), "certificate-not-yet-valid", "before 2049-01-01",
                      ADVICE),
    "weak key": (f"openssl genrsa -out {TLS}/privkey.pem 1024 2>/dev/null; {self_signed()}", "certificate-weak",
                 "key is too short", SIGN_AGAIN),
    "host that the certificate lacks": (f"sed -i '/^Host/s/$/ shop.carol.example/' {FILE}; {RELOAD}",
                                        "certificate-lacks-host",
                                        "does not name shop.carol.example", ADVICE),
    "key of another certificate": ("openssl genpkey -algorithm ed25519 -out /root/other; "
                                   f"cat /root/other > {TLS}/privkey.pem", "key-mismatch",
                                   "does not belong to the certificate", SIGN_AGAIN),
    "key readable by all": (f"chmod 0644 {TLS}/privkey.pem", "key-exposed", "0644", ADVICE),
    "key of root readable by all": (f"chown root: {TLS}/privkey.pem; chmod 0644 {TLS}/privkey.pem", "key-exposed",
                                    "0644", SIGN_AGAIN),
    "encrypted key": (f"openssl ec -aes256 -passout pass:{SECRET} -in {TLS}/privkey.pem -out /root/locked 2>/dev/null; "
                      f"cat /root/locked > {TLS}/privkey.pem", "key-encrypted", "encrypted",
                      f"openssl pkey -passin pass:{SECRET} -in /root/locked -out /root/open; "
                      f"cat /root/open > {TLS}/privkey.pem"),
    "chain in wrong order": (AUTHORITY + f"cat inter.pem leaf.pem root.pem > {TLS}/fullchain.pem", "chain-order",
                             "wrong order", f"cd /root/ca; cat leaf.pem inter.pem root.pem > {TLS}/fullchain.pem"),
    "chain incomplete": (AUTHORITY + f"cat leaf.pem > {TLS}/fullchain.pem", "chain-incomplete",
                         "issuer (CN=inter) of CN=leaf", f"cat /root/ca/inter.pem >> {TLS}/fullchain.pem"),
    "document root missing": (f"rm -r {WWW}", "document-root-missing", "does not exist",
                              f"mkdir {WWW}; chown carol: {WWW}; systemctl try-restart bellhop@carol.service"),
    "document root of root": (f"chown root: {WWW}; chmod 0700 {WWW}", "document-root-unreadable",
                              "carol can't read it", f"chown carol: {WWW}"),
    "document root closed": (f"chmod 0000 {WWW}", "document-root-unreadable", "mode 0000", ADVICE),
    "document root writable by all": (f"chmod 0777 {WWW}", "document-root-writable", "0777", ADVICE),
    "bad snippet": ("echo Frobnicate On > /etc/bellhop/sites/carol/x.conf",
                    "snippet-error", "Invalid command 'Frobnicate'", "rm /etc/bellhop/sites/carol/x.conf"),
    "snippet of root": ("install -m 0600 /dev/null /etc/bellhop/sites/carol/x.conf",
                        "snippet-error", "user carol can't read it",
                        "chgrp carol /etc/bellhop/sites/carol/x.conf; chmod 0640 /etc/bellhop/sites/carol/x.conf"),
    "folder of snippets of the customer": (f"chown carol {SITES}", "snippets-not-roots", "root does not own this folder",
                                           f"chown root {SITES}"),
    "folder of snippets writable by group": (f"chmod 0770 {SITES}", "snippets-not-roots", "0770", f"chmod 0750 {SITES}"),
    "snippet of the customer": (f"install -o carol /dev/null {SITES}/x.conf", "snippets-not-roots",
                                "root does not own this file", f"rm {SITES}/x.conf"),
    "settings of PHP writable by all": (f"install -m 0666 /dev/null {SITES}/php.fpm", "snippets-not-roots", "0666",
                                        f"rm {SITES}/php.fpm"),
    "folder of all snippets writable by all": ("chmod o+w /etc/bellhop/sites", "folder-writable", "0713",
                                               "chmod 0711 /etc/bellhop/sites"),
    "file of an instance with another ending": ("cp /etc/bellhop/instances/bob.conf /etc/bellhop/instances/dave.cfg",
                                                "file-not-read", "does not end with .conf",
                                                "rm /etc/bellhop/instances/dave.cfg"),
    "file of settings with another ending": ("echo [Router] > /etc/bellhop/router.conf.d/mine", "file-not-read",
                                             "does not end with .conf", "rm /etc/bellhop/router.conf.d/mine"),
    "service masked": ("systemctl mask -q bellhop@carol.service", "unit-masked", "bellhop@carol.service",
                       "systemctl unmask -q bellhop@carol.service"),
    "router masked until the next boot": ("systemctl mask -q --runtime bellhop-router.service", "unit-masked",
                                          "bellhop-router.service", "systemctl unmask -q --runtime bellhop-router.service"),
    "address that the machine lacks": (f"echo Address=192.0.2.77:443 >> {FILE}; {RELOAD}", "address-missing",
                                       "192.0.2.77:443", f"sed -i /Address/d {FILE}"),
    "passwords readable by all": (f"chmod 0755 {WWW}; install -o carol -m 0644 /dev/null {WWW}/wp-config.php",
                                  "secret-exposed", "0644", ADVICE),
    "passwords of an application in a folder": (
        f"chmod 0755 {WWW}; runuser -u carol -- mkdir {WWW}/blog; install -o carol -m 0644 /dev/null {WWW}/blog/index.php;"
        f"install -o carol -m 0644 /dev/null {WWW}/blog/wp-config.php", "secret-exposed", "0644", ADVICE),
    "not enabled": ("systemctl disable bellhop.target 2>/dev/null", "target-not-enabled", "bellhop.target", ADVICE),
    "socket not started": ("systemctl stop bellhop@carol.socket", "socket-not-started", "bellhop@carol.socket", ADVICE),
    "logs are not written": ("systemctl stop bellhop-log.socket bellhop-log.service", "logs-not-written", "bellhop-log.socket",
                             ADVICE),
    "rsyslog is missing": ("systemctl stop bellhop-log.socket; mv /usr/sbin/rsyslogd /root", "logs-not-written", "rsyslogd",
                           "mv /root/rsyslogd /usr/sbin; systemctl start bellhop-log.socket"),
    "no folder for logs": ("rm -r /var/log/bellhop/carol", "log-folder", "carol", ADVICE),
    "folder for logs is the customer's": ("chown carol: /var/log/bellhop/carol", "log-folder", "carol", ADVICE),
    "logs go to another one's folder": ("ln -sfn ../bob /var/log/bellhop/.uid/$(id -u carol)", "log-folder", "carol", ADVICE),
    "router stopped": ("systemctl stop bellhop-router.socket bellhop-router.service", "router-not-listening",
                       "bellhop-router.socket", ADVICE),
    "nobody counts": ("systemctl stop bellhop-usage.service", "usage-not-counted", "bellhop-usage.service is inactive", ADVICE),
    "nobody hears of connections": ("systemctl stop bellhop-usage.socket", "usage-not-counted",
                                    "bellhop-usage.socket is inactive", ADVICE),
    "figures damaged": ("systemctl stop bellhop-usage.service; echo x > /var/lib/private/bellhop-usage/$(date -u +%Y-%m); "
                        "systemctl start bellhop-usage.service 2>/dev/null || true", "usage-not-counted",
                        "bellhop-usage.service is ", "rm /var/lib/private/bellhop-usage/20*; "
                        "systemctl restart bellhop-usage.service"),
    "removed customer still there": (f"cp {FILE} /root; rm {FILE}; {RELOAD}", "socket-left-over",
                                     "this instance has no file", ADVICE),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(box, mistake):
    make, kind, words, correct = MISTAKES[mistake]
    box.shell(make)
    found = find(box, kind)
    assert words in found["what"], found
    assert is_command(found["advice"]) or correct is not ADVICE, found
    box.shell(found["advice"] if correct is ADVICE else f"{correct}; bellhopctl apply; {RELOAD_SITE}")
    assert findings(box) == []
    if mistake == "document root missing":
        box.write_page("carol", "index.cgi", PAGE)
    if mistake == "removed customer still there":
        assert box.show("bellhop@carol.socket", "ActiveState") == "inactive"
    else:
        assert_served(box)


@pytest.mark.parametrize("option, says", [("size=4k", "no free space"), ("nr_inodes=4", "no free inodes")])
def test_disk_full(box, option, says):
    """One finding for one file system, which two of the folders are on. Others have space."""
    checked = box.try_run("unshare", "--mount", "bash", "-c", f"""
        mount -t tmpfs -o mode=0755,{option} none /var/lib
        mkdir /var/lib/bellhop /var/lib/bellhop-acme
        bellhopctl check --json >/dev/null || exit 7
        head -c 4096 /dev/zero >/var/lib/x
        bellhopctl check --json""")
    found = [entry for entry in json.loads(checked.stdout)["findings"] if entry["severity"] != "note"]
    assert checked.returncode == 1 and [entry["kind"] for entry in found] == ["disk-full"], checked
    assert says in found[0]["what"] and found[0]["file"] == "/var/lib/bellhop", found
    assert "df " in found[0]["advice"] and "du -x" in found[0]["advice"] and found[0]["severity"] == "error"
    assert findings(box) == []


def test_no_mistake(box):
    assert findings(box) == []
    assert box.run("bellhopctl", "check", "--strict").endswith("3 instances checked: 0 errors, 0 warnings.\n")
    assert_served(box)


def test_suspended_is_no_mistake(box):
    """Nor is what nobody sees meanwhile, a mistake in a snippet or a document root that is away."""
    box.shell(f"bellhopctl suspend carol; rm -r {WWW} {TLS}; echo 'Nonsense On' > {SITES}/x.conf; "
              f"echo Http=redirect >> {FILE}; bellhopctl apply")
    assert findings(box) == []
    note, = (entry for entry in json.loads(box.run("bellhopctl", "check", "--json"))["findings"]
             if entry["kind"] == "suspended")
    box.shell(note["advice"])
    kinds = {entry["kind"] for entry in findings(box)}
    assert {"document-root-missing", "redirect-without-tls"} <= kinds
    box.shell(f"install -d -o carol {WWW}")
    assert "snippet-error" in {entry["kind"] for entry in findings(box)}


@pytest.mark.parametrize("property_, says", [
    ("LoadCredential", "carol.*the certificate was not checked: systemd does not answer whether the unit passes one (Connection timed out)"),
    ("Environment", "carol.*the snippets were not checked: their test can't be run: Connection timed out"),
    ("UnitFileState", "the ports of apache2.service were not checked: systemd does not answer (Connection timed out)"),
    ("Listen", "the ports of bellhop-router.socket were not checked: systemd does not answer (Connection timed out)")])
def test_what_systemd_does_not_say_is_not_checked(box, property_, says):
    """It is neither right nor wrong."""
    library = "/root/mute.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", box.path(library), HERE / "mute.c", "-lsystemd"], check=True)
    box.shell("echo 'Header set X y' > /etc/bellhop/sites/carol/x.conf")
    if property_ == "Listen":
        box.run("systemctl", "stop", "bellhop-router.socket", "bellhop-router.service")
    checked = box.try_run("env", f"MUTE={property_}", f"LD_PRELOAD={library}", "bellhopctl", "check", "--json")
    notes = [f"{entry['instance']}: {entry['what']}" for entry in json.loads(checked.stdout)["findings"]
             if entry["kind"] == "not-checked"]
    assert any(re.search(re.escape(says).replace(r"\.\*", ".*"), note) for note in notes), checked
    box.shell("rm /etc/bellhop/sites/carol/x.conf; systemctl start bellhop-router.socket; systemctl start bellhop-router")


def test_for_people(box):
    box.shell(f"chmod 0644 {TLS}/privkey.pem")
    found = find(box, "key-exposed")
    assert box.try_run("bellhopctl", "check").stdout.startswith(
        f"error carol: {TLS}/privkey.pem: {found['what']}\n  why:    {found['why']}\n  advice: {found['advice']}\n")


@pytest.mark.parametrize("change", [f"sed -i 's/$/ /' {FILE}", f"cp -p {FILE} /root/old; cat /root/old > {FILE}; "
                                                               f"touch -d yesterday {FILE}"], ids=["now", "set-back"])
def test_router_not_reloaded(box, change):
    """At once, in the same second; and whatever time of modification copying has given the file."""
    box.shell(f"{RELOAD}; {change}")
    found = find(box, "router-not-reloaded")
    assert (found["severity"], found["file"]) == ("warning", FILE)
    box.shell(found["advice"])
    assert findings(box) == []


def test_file_has_gone_and_the_router_does_not_know(box):
    box.shell(f"{RELOAD}; rm {FILE}; systemctl stop bellhop@carol.socket")
    found = find(box, "router-not-reloaded")
    assert found["file"] == "/etc/bellhop/instances"
    box.shell(found["advice"])
    assert findings(box) == []


def test_new_site_is_not_yet_wrong(box):
    """Between writing a file and applying it, check is of use too."""
    box.shell(f"{RELOAD}; systemctl stop bellhop@carol.socket; touch {FILE}")
    assert {(entry["kind"], entry["severity"]) for entry in findings(box)} == {
        ("router-not-reloaded", "warning"), ("socket-not-started", "warning")}
    strict = box.try_run("bellhopctl", "check", "--strict")
    assert strict.returncode == 1 and strict.stdout.endswith("3 instances checked: 2 errors, 0 warnings.\n")


@pytest.mark.parametrize("renew, changed", [(self_signed(), f"{TLS}/fullchain.pem"),
                                            (f"touch -d yesterday {TLS}/fullchain.pem", f"{TLS}/fullchain.pem"),
                                            ("touch -d yesterday /etc/bellhop/sites/carol/a.conf",
                                             "/etc/bellhop/sites/carol/a.conf")])
def test_site_not_reloaded(box, renew, changed):
    assert_served(box)
    assert findings(box) == []
    box.shell(f"systemctl reload bellhop@carol.service; {renew}")
    found = find(box, "site-not-reloaded")
    assert (found["severity"], found["file"]) == ("warning", changed)
    box.shell(found["advice"])
    assert findings(box) == []
    assert_served(box)


def test_document_root_that_was_replaced(box):
    """As many do who put a new version of an application in place."""
    assert_served(box)
    box.shell(f"mv {WWW} {WWW}.before; cp -a {WWW}.before {WWW}")
    found = find(box, "document-root-replaced")
    assert found["file"] == WWW
    box.shell(f"{found['advice']}; rm -r {WWW}.before")
    assert findings(box) == []
    assert_served(box)


def test_certificate_that_came_after_the_start(box):
    box.shell(f"mv {TLS} /root/tls")
    box.curl("http://carol.example/")
    box.shell(f"mv /root/tls {TLS}")
    found = find(box, "site-not-reloaded")
    assert found["file"] == TLS
    box.shell(found["advice"])
    assert findings(box) == []
    assert_served(box)


def test_credentials(box):
    drop_in = "/etc/systemd/system/bellhop@carol.service.d/tls.conf"
    box.shell(f"rm -rf /root/tls; cp -a {TLS} /root/tls; chown -R root: /root/tls; rm -r {TLS}")
    box.write(drop_in, "[Service]\nLoadCredential=fullchain.pem:/root/tls/fullchain.pem\n"
                       "LoadCredential=privkey.pem:/root/tls/privkey.pem\n")
    box.run("systemctl", "daemon-reload")
    assert findings(box) == []
    assert_served(box)
    box.shell("chmod 0644 /root/tls/privkey.pem")
    found = find(box, "key-exposed")
    assert found["file"] == "/root/tls/privkey.pem"
    box.shell("chmod 0400 /root/tls/privkey.pem")
    box.shell(self_signed().replace(TLS, "/root/tls"))
    box.shell(find(box, "site-not-reloaded")["advice"])
    assert findings(box) == []
    assert_served(box)
    box.path(drop_in).unlink()
    box.run("systemctl", "daemon-reload")


ROUTER_DROP_IN = "/etc/systemd/system/bellhop-router.socket.d/test.conf"
REOPEN = "systemctl daemon-reload; systemctl restart bellhop-router.socket bellhop-router.service"

# What a drop-in of the router's socket has lost -> its lines, and what is found.
LOST = {
    "IPv4": (["", "80", "443", "8080"], "BindIPv6Only=ipv6-only", "error", [
        f"bellhop-router.socket listens on port {port} only over IPv6" for port in (80, 443, 8080)]),
    "IPv4 of one": (["", "80", "[::]:443"], "BindIPv6Only=ipv6-only\nListenStream=0.0.0.0:80", "error", [
        "bellhop-router.socket listens on port 443 only over IPv6"]),
    "IPv6": (["", "0.0.0.0:80", "443"], "", "warning", ["bellhop-router.socket listens on port 80 only over IPv4"]),
    "443": (["", "80"], "", "error", ["bellhop-router.socket does not listen on port 443"]),
    "80": (["", "443", "8080"], "", "error", ["bellhop-router.socket does not listen on port 80"]),
    "what systemd can't read": (["", "80", "localhost:443"], "", "error",
                                ["bellhop-router.socket does not listen on port 443"]),
    "all, by IPv4 twice": (["0.0.0.0:80"], "", "error",
                           ["port 80 of bellhop-router.socket is listed for IPv4 twice: [::] includes IPv4"]),
}


@pytest.mark.parametrize("lost", LOST)
def test_router_has_lost(box, lost):
    listen, more, severity, said = LOST[lost]
    box.write(ROUTER_DROP_IN, "[Socket]\n" + "".join(f"ListenStream={line}\n" for line in listen) + more + "\n")
    box.try_run("bash", "-c", REOPEN)
    try:
        find(box, "router-ports")
        found = [entry for entry in findings(box) if entry["kind"] == "router-ports"]
        assert [entry["what"] for entry in found] == said
        assert {entry["severity"] for entry in found} == {severity}
        assert "bellhop-router.socket" in found[0]["advice"]
    finally:
        box.path(ROUTER_DROP_IN).unlink()
        box.shell(REOPEN)
    assert findings(box) == []
    assert_served(box)


@pytest.mark.parametrize("listen", [["8080"], ["", "192.0.2.7:80", "192.0.2.7:443"], ["", "8080", "8443"]],
                         ids=["more", "an address", "others"])
def test_router_has_ports_that_are_meant(box, listen):
    """One line is for both families."""
    box.client("ip", "address", "replace", "192.0.2.7/32", "dev", "lo")
    box.write(ROUTER_DROP_IN, "[Socket]\n" + "".join(f"ListenStream={line}\n" for line in listen))
    try:
        box.shell("systemctl daemon-reload")
        # What the unit's files say is not in force before it is restarted.
        if "192.0.2.7:80" not in listen:
            found = find(box, "router-not-listening")
            assert "nothing listens on its port 8080" in found["what"]
            box.shell(found["advice"])
        else:
            box.shell(REOPEN)
        assert findings(box) == []
        for port in [line for line in listen if line.isdigit()]:
            for address in ("127.0.0.1", "[::1]"):
                for scheme in ("http", "https"):
                    assert box.client("curl", "-sSk", "--connect-to", f"::{address}:",
                                      f"{scheme}://carol.example:{port}/") == "served by carol\n"
    finally:
        box.path(ROUTER_DROP_IN).unlink()
        box.shell(REOPEN)
    assert_served(box)


def test_port_taken(box):
    box.write("/etc/systemd/system/apache2.service",
              "[Service]\nExecStart=/usr/bin/python3 -m http.server 80\n[Install]\nWantedBy=multi-user.target\n")
    box.shell("systemctl daemon-reload; systemctl stop bellhop-router.socket bellhop-router.service; "
              "systemctl enable --now apache2 2>/dev/null")
    box.wait_for("port 80 is taken", lambda: ":80 " in box.run("ss", "-Hltn"))
    box.try_run("systemctl", "start", "bellhop-router.socket")
    found = find(box, "port-taken")
    assert found["what"] == "port 80 is taken by another program (perhaps apache2.service)"
    box.shell(found["advice"])
    assert findings(box) == []
    assert_served(box)
    box.shell("systemctl enable apache2 2>/dev/null")
    assert find(box, "web-server-enabled")["what"] == "apache2.service is enabled"
    box.shell("systemctl disable apache2 2>/dev/null; rm /etc/systemd/system/apache2.service; systemctl daemon-reload")


def test_site_that_does_not_start(box):
    """As its failure is systemd's to see, and the cause may be none that check knows."""
    box.write("/etc/systemd/system/bellhop@carol.service.d/test.conf", "[Service]\nEnvironment=BELLHOP_MPM=none\n")
    box.shell("systemctl daemon-reload; systemctl start bellhop@carol.service || true")
    found = find(box, "site-failed")
    assert found["advice"].startswith("systemctl restart bellhop@carol.service")
    box.shell("rm -r /etc/systemd/system/bellhop@carol.service.d; systemctl daemon-reload")
    box.shell(found["advice"])
    assert findings(box) == []
    assert_served(box)


def test_without_root(box):
    """What could not be seen is said, and nothing is wrongly taken for a mistake."""
    checked = box.try_run("setpriv", "--reuid=bob", "--regid=bob", "--clear-groups", "bellhopctl", "check", "--json")
    found = json.loads(checked.stdout)["findings"]
    assert checked.returncode == 0
    assert {entry["severity"] for entry in found} == {"note"}
    assert any("only root can read" in entry["what"] for entry in found)


# Where following the advice must neither take files away nor give them to the customer.
MEANT = [*(name for name in MISTAKES if MISTAKES[name][1] in (
    "config-error", "shared-uid", "certificate-missing", "certificate-invalid", "certificate-unreadable",
    "certificate-weak", "key-mismatch", "key-encrypted", "chain-order", "chain-incomplete", "snippet-error",
    "snippets-not-roots")), "key of root readable by all"]


def state_of_the_meant(box):
    """What is in each file, whose it is, and which there are."""
    return box.shell("find /etc/bellhop/instances /etc/bellhop/sites /etc/bellhop/tls ! -type d -printf '%p %U %l\\n' "
                     "-exec sha256sum '{}' + | sort")


@pytest.mark.parametrize("mistake", MEANT)
def test_advice_takes_nothing_away_that_was_meant(box, mistake):
    box.shell(MISTAKES[mistake][0])
    before = set(state_of_the_meant(box).splitlines())
    follow_advice(box, [entry for entry in findings(box) if entry["kind"] == MISTAKES[mistake][1]])
    assert before <= set(state_of_the_meant(box).splitlines())


# What customers may do in their own folders so that an administrator who follows the advice does them a favour.
TRAPS = {
    "key is a link to a secret": f"ln -sf /etc/shadow {TLS}/privkey.pem",
    "certificate is a link to a secret": f"ln -sf /etc/shadow {TLS}/fullchain.pem",
    "links to a neighbour's": f"ln -sf /etc/bellhop/tls/bob/fullchain.pem /etc/bellhop/tls/bob/privkey.pem {TLS}/",
    "key is a link to what all may read": f"ln -sf /etc/passwd {TLS}/privkey.pem",
    "new file is a link, order": f"{AUTHORITY.replace(TLS, '/root/ca')}cat inter.pem leaf.pem > {TLS}/fullchain.pem; "
                                 f"cat leaf.key > {TLS}/privkey.pem; ln -s /etc/passwd {TLS}/fullchain.pem.new",
    "chain is a link": f"{AUTHORITY.replace(TLS, '/root/ca')}cat leaf.pem > {TLS}/fullchain.pem; "
                       f"cat leaf.key > {TLS}/privkey.pem; cp inter.pem /root/inter.pem; "
                       f"ln -s /root/inter.pem {TLS}/chain.pem",
    "new file is a link, key": f"openssl ec -aes256 -passout pass:{SECRET} -in {TLS}/privkey.pem -out /root/locked "
                               f"2>/dev/null; cat /root/locked > {TLS}/privkey.pem; "
                               f"ln -s /etc/passwd {TLS}/privkey.pem.new",
    "snippet is a link": "ln -s /etc/shadow /etc/bellhop/sites/carol/x.conf",
    "snippet is a link to what all may read": ""
                                              "ln -s /etc/passwd /etc/bellhop/sites/carol/x.conf",
    "home leads to root's": f"mv {WWW} /root/www; ln -s /root /home/carol/public_html",
    "home leads to everybody's": f"mv {WWW} /root/www; ln -s /tmp /home/carol/public_html",
}
# Changed after the finding, before its advice is followed.
SWAPS = {
    "key": (f"chmod 0644 {TLS}/privkey.pem", f"ln -sf /etc/passwd {TLS}/privkey.pem"),
    "key, closed": (f"chown root: {TLS}/privkey.pem", f"ln -sf /etc/shadow {TLS}/privkey.pem"),
    "folder's file": (f"chown root: {TLS}/fullchain.pem; chmod 0600 {TLS}/fullchain.pem",
                      f"ln -sf /etc/shadow {TLS}/fullchain.pem"),
    "snippet": ("echo Frobnicate > /etc/bellhop/sites/carol/x.conf",
                "ln -sf /etc/shadow /etc/bellhop/sites/carol/x.conf"),
}
PRECIOUS = "/etc/shadow /etc/passwd /tmp /root /etc/bellhop/tls/bob/*"


def state_of_the_precious(box):
    return box.shell(f"stat -c '%n %u %g %a' {PRECIOUS}; "
                     "cat /etc/shadow /etc/passwd /etc/bellhop/tls/bob/* | sha256sum")


def follow_advice(box, found):
    """All commands of it."""
    assert found
    for entry in found:
        advice = entry["advice"] or ""
        quoted = re.findall(r"'((?:bellhopctl|systemctl) [^']+)'", advice)
        for command in [advice] if is_command(advice) else quoted:
            box.try_run("bash", "-c", f"{{ {command}; }} <<< {SECRET}")


def assert_nothing_was_given(box, before):
    assert state_of_the_precious(box) == before
    secrets = box.shell("head -n 1 /etc/shadow; sed -n 2p /etc/bellhop/tls/bob/privkey.pem").split()
    for secret in secrets:
        for file in box.shell(f"find {TLS} /etc/bellhop/sites/carol -type f -user carol 2>/dev/null || true").split():
            assert box.try_run("grep", "-qF", "--", secret, file).returncode != 0, file


@pytest.fixture(name="trapped")
def trapped_fixture(box):
    """As it is for customers who can log in: their folders are theirs. That of the snippets was in version 0.1."""
    box.shell(f"chown -R carol: {TLS} {SITES}")
    yield box
    box.shell(f"chown -R root:carol {SITES}; rm -f /home/carol/public_html; rm -rf /root/www /root/ca")


@pytest.mark.parametrize("trap", TRAPS)
def test_hostile_customer(trapped, trap):
    trapped.shell(TRAPS[trap])
    before = state_of_the_precious(trapped)
    follow_advice(trapped, findings(trapped))
    assert_nothing_was_given(trapped, before)


@pytest.mark.parametrize("swap", SWAPS)
def test_hostile_customer_is_quick(trapped, swap):
    mistake, exchange = SWAPS[swap]
    trapped.shell(mistake)
    found = findings(trapped)
    trapped.shell(exchange)
    before = state_of_the_precious(trapped)
    follow_advice(trapped, found)
    assert_nothing_was_given(trapped, before)


# Run as the customer, in the folder of their certificate. The kernel needs milliseconds for each of the links.
DETOURS = """
import os
os.mkdir("a")
for i in range(39):
    os.symlink("a/../" * 800 + (f".l{i - 1}" if i else "a"), f".l{i}")
for i in range(30000):
    os.symlink(".l38", f"x{i}")
"""


def test_links_of_a_customer_delay_no_change(trapped):
    """Links delay no change, not even of the customer's own site. Other changes wait for `apply` and `cert`."""
    trapped.run("runuser", "-u", "carol", "--", "env", "-C", TLS, "python3", "-c", DETOURS)
    for words in (["apply"], ["cert", "carol", "--self-signed", "--force"]):
        assert_served(trapped)
        done = trapped.try_run("timeout", "60", "bellhopctl", *words)
        assert done.returncode == 0, done


def der(tag, *parts):
    content = b"".join(parts)
    size = len(content).to_bytes(3, "big")
    return bytes([tag, 0x83]) + size + content


def endless_key():
    """DSA without its public half, and as long as the file may be: OpenSSL would compute that for months."""
    number = der(2, b"\x7f" + 200000 * b"\xff")
    kind = der(0x30, bytes.fromhex("06072a8648ce380401"), der(0x30, number, der(2, b"\x7f" + 31 * b"\xff"), number))
    text = base64.encodebytes(der(0x30, b"\2\1\0", kind, der(4, number))).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{text}-----END PRIVATE KEY-----\n"


def test_key_that_takes_for_ever(box):
    box.path(f"{TLS}/privkey.pem").write_text(endless_key())
    done = box.try_run("timeout", "20", "bellhopctl", "check", "--no-pager")
    assert done.returncode == 1 and f"{TLS}/privkey.pem: it contains a damaged private key" in done.stdout, done
    assert "(damaged)" in box.run("timeout", "20", "bellhopctl", "cert", "carol", "--no-pager")
