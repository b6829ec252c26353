# SPDX-License-Identifier: MIT
"""doc/operations.md, command by command, on a machine with visitors."""

import pytest
from markdown import Document
from showcase import ALICE, BOB
from test_life import main_pid, steady, status_of

WWW = f"www.{ALICE}"
HOOK = "/etc/letsencrypt/renewal-hooks/deploy/bellhop"
LINEAGE = "/etc/letsencrypt/live/alice"
PROXY = "192.0.2.8"


@pytest.fixture(name="operations", scope="module")
def _operations():
    return Document("operations.md")


@pytest.fixture(name="step", scope="module")
def _step(box, operations):
    return lambda heading: box.shell(operations.commands(heading))


@pytest.fixture(name="hook", scope="module")
def _hook(step):
    step("With certbot")


def serial(box):
    """Of the certificate that visitors see."""
    return box.client("bash", "-c", "openssl s_client -connect 127.0.0.1:443 -servername "
                      f"{ALICE} </dev/null 2>/dev/null | openssl x509 -noout -serial").strip()


def new_lineage(box):
    """What certbot leaves: links to files that only root may read."""
    box.shell(f"""
        install -d -m 0700 {LINEAGE}
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 90 -subj /CN={ALICE} \\
                -addext subjectAltName=DNS:{ALICE},DNS:{WWW} -keyout {LINEAGE}/privkey1.pem \\
                -out {LINEAGE}/fullchain1.pem 2>/dev/null
        ln -sf privkey1.pem {LINEAGE}/privkey.pem
        ln -sf fullchain1.pem {LINEAGE}/fullchain.pem
    """)
    return box.run("openssl", "x509", "-noout", "-serial", "-in", f"{LINEAGE}/fullchain.pem").strip()


def renewed(box):
    return box.try_run("env", f"RENEWED_LINEAGE={LINEAGE}", f"RENEWED_DOMAINS={ALICE} {WWW}", HOOK)


def test_a_site_is_down(box, step):
    box.curl(f"https://{ALICE}/")
    said = step("A site is down")
    assert "2 instances checked: 0 errors" in said and "bellhop-router.service" in said and "systemd" in said


def test_a_site_is_slow(box, step):
    box.shell("install -o alice -m 0 /dev/null /srv/www/alice/closed.html")
    assert status_of(box, f"http://{ALICE}/closed.html") == "403"
    box.wait_for("the error in the log", box.path("/var/log/bellhop/alice/error.log").exists)
    box.path("/srv/www/alice/closed.html").unlink()
    said = step("A site is slow")
    assert "CPU%" in said and "alice - active" in said


def test_a_visitor_is_refused(box, step):
    box.run("systemctl", "stop", "bellhop@alice.socket")
    assert status_of(box, f"http://{WWW}/") == "503"
    box.run("systemctl", "start", "bellhop@alice.socket")
    assert status_of(box, "http://nobody.example/") == "421"
    # A site that can't start, and is corrected.
    box.write("/etc/bellhop/sites/alice/typo.conf", "Frobnicate On\n")
    box.run("systemctl", "stop", "bellhop@alice.service")
    assert status_of(box, f"http://{WWW}/") == "503"
    box.path("/etc/bellhop/sites/alice/typo.conf").unlink()
    box.wait_for("the site again", lambda: status_of(box, f"http://{WWW}/page-seen") == "404")
    assert status_of(box, f"http://{WWW}/.htaccess") == "403"
    box.wait_for("the log of errors", lambda: "client denied" in box.log("alice", "error"))
    box.run("journalctl", "--sync")
    said = step("A visitor is refused")
    for line in ("hand-off alice", f"unavailable '{WWW}'", "unknown-host 'nobody.example'",
                 "Subject: The site of alice can't start", "Invalid command 'Frobnicate'", "/page-seen"):
        assert line in said, line


@pytest.mark.usefixtures("hook")
def test_certificates(box):
    box.curl(f"https://{ALICE}/")
    pid, old = main_pid(box, "alice"), serial(box)
    with steady(box, ALICE):
        new = new_lineage(box)
        assert renewed(box).returncode == 0
        box.wait_for("the new certificate", lambda: serial(box) == new != old)
    assert main_pid(box, "alice") == pid
    # A pair that does not fit is told, and the old one stays in use.
    box.run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
            f"{LINEAGE}/privkey1.pem")
    assert renewed(box).returncode != 0 and serial(box) == new
    # The first one of a site that runs without.
    new = new_lineage(box)
    box.shell("mv /etc/bellhop/tls/alice /root/alice.tls; systemctl restart bellhop@alice.service")
    assert renewed(box).returncode == 0 and serial(box) == new
    for name in ("fullchain.pem", "privkey.pem"):
        assert box.run("stat", "-c", "%a %U %G", f"/etc/bellhop/tls/alice/{name}") == "400 alice alice\n"
    # Whose it is not.
    box.shell(f"mv {LINEAGE} /etc/letsencrypt/live/nobody")
    box.run("env", "RENEWED_LINEAGE=/etc/letsencrypt/live/nobody", HOOK)


@pytest.mark.usefixtures("hook")
def test_certbot(box, operations, authority):
    """For real: the challenge comes through the router to a site that sleeps, and has no certificate yet."""
    certonly = operations.console[2]
    certbot = f"export REQUESTS_CA_BUNDLE={authority}\n"
    file = box.path("/etc/bellhop/instances/alice.conf")
    before = file.read_text()
    file.write_text(before + "Http=redirect\n")
    box.shell("systemctl stop bellhop@alice.service; rm -rf /etc/letsencrypt/live /etc/bellhop/tls/alice; "
              "bellhopctl apply")
    box.shell(certbot + certonly)
    first = serial(box)
    assert "Caddy" in box.run("bellhopctl", "cert", "alice") and first
    with steady(box, BOB):
        box.shell(certbot + "certbot renew --force-renewal --no-random-sleep-on-renew")
        box.wait_for("the renewed certificate", lambda: serial(box) != first)
    file.write_text(before)
    box.run("bellhopctl", "apply")


def test_request(box, operations):
    """An authority signs what is printed; the key stays."""
    make, ask, install = operations.console[3].strip().splitlines()
    box.shell(f"rm -r /etc/bellhop/tls/alice; cd /root\n{make}\n{ask}")
    key = box.run("sha256sum", "/etc/bellhop/tls/alice/privkey.pem")
    box.shell("""cd /root
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=Authority -days 9 2>/dev/null
        openssl x509 -req -in alice.csr -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copyall -days 5 \\
                -out alice.pem 2>/dev/null""")
    before = serial(box)
    with steady(box, ALICE, BOB):
        box.shell(f"cd /root; {install}")
        box.wait_for("the certificate", lambda: serial(box) != before)
    shown = box.run("bellhopctl", "cert", "alice")
    assert "CN=Authority" in shown and "(matches)" in shown and f"Names: {ALICE} {WWW}\n" in shown
    assert box.run("sha256sum", "/etc/bellhop/tls/alice/privkey.pem") == key


def test_automatic(box, operations, authority):
    """By bellhop-acme: the certificate of another authority is replaced in time, and one that signs itself at once."""
    change = operations.console[1]
    box.shell(f"""
        cp /etc/bellhop/acme/default.conf /etc/bellhop/instances/alice.conf /root
        cat {authority} >>/etc/ssl/certs/ca-certificates.crt
        # An attempt that fails is soon repeated.
        printf 'Directory=https://acme.example:14000/acme/local/directory\\nRetrySec=2s\\n' >>/etc/bellhop/acme/default.conf
        bellhopctl cert alice --self-signed --force
    """)
    key = box.run("sha256sum", "/etc/bellhop/tls/alice/privkey.pem")
    with steady(box, ALICE, BOB):
        box.shell(change)
        box.wait_for("the certificate", lambda: "Caddy" in box.run("bellhopctl", "cert", "alice"), seconds=60)
    shown = box.run("bellhopctl", "cert", "alice")
    assert "(matches)" in shown and f"Names: {ALICE} {WWW}\n" in shown
    assert box.run("sha256sum", "/etc/bellhop/tls/alice/privkey.pem") == key
    assert "PRIVATE KEY" not in box.shell("cat /var/lib/bellhop-acme/orders/alice/*")
    box.shell("mv /root/default.conf /etc/bellhop/acme/; mv /root/alice.conf /etc/bellhop/instances/; bellhopctl apply")


def test_which_certificate_is_in_use(step):
    assert "Private key" in step("Which certificate")


@pytest.mark.usefixtures("hook")
@pytest.mark.parametrize("server, policy", [("apache", "serve"), ("apache", "redirect"), ("apache", "refuse"), ("nginx", "refuse")])
def test_challenge_reaches_a_sleeping_site(box, server, policy):
    box.shell(f"""
        mkdir -p /var/lib/acme/.well-known/acme-challenge
        echo token >/var/lib/acme/.well-known/acme-challenge/x
        cp -a /etc/bellhop/instances/alice.conf /root/
        printf '%s\\n' Http={policy} Server={server} >>/etc/bellhop/instances/alice.conf
        bellhopctl apply
        systemctl stop bellhop@alice.service
    """)
    assert status_of(box, f"http://{ALICE}/.well-known/acme-challenge/x") == "200"
    box.shell("mv /root/alice.conf /etc/bellhop/instances/; rm -r /var/lib/acme/.well-known; bellhopctl apply")


BY_PROXY = f"""
import socket, sys
connection = socket.create_connection(("127.0.0.1", 80), source_address=("{PROXY}", 0))
connection.sendall(b"PROXY TCP4 203.0.113.5 127.0.0.1 4711 80\\r\\nGET /by-proxy HTTP/1.1\\r\\n"
                   b"Connection: close\\r\\nHost: " + sys.argv[1].encode() + b"\\r\\n\\r\\n")
print(connection.makefile("rb").read().decode())
"""


def test_behind_a_load_balancer(box, step):
    box.client("ip", "address", "add", f"{PROXY}/32", "dev", "lo")
    step("Behind a load balancer")
    for host, name in ((ALICE, "alice"), (BOB, "bob")):
        box.wait_for("the header to be taken", lambda h=host: box.client(
            "/usr/bin/python3", "-c", BY_PROXY, h).startswith("HTTP/1.1 404"))
        log = box.wait_for("the request in the log", lambda n=name: [
            line for line in box.log(n).splitlines() if "/by-proxy" in line])
        assert " 203.0.113.5 " in log[0]
    box.shell("rm /etc/bellhop/router.conf.d/proxy.conf /etc/bellhop/sites/*/proxy.conf && bellhopctl apply")
    for url in (f"http://{ALICE}/", f"https://{BOB}/"):
        box.wait_for("visitors without a header", lambda u=url: status_of(box, u) == "200")


def test_limits_for_one_customer(box, step):
    said = step("Limits for one customer")
    assert "of 1.0G\n" in said and "CPU limit: 100%\n" in said and " of 256\n" in said
    assert box.show("bellhop@alice.service", "MemoryMax") == str(2**30)
    assert box.show("bellhop@bob.service", "MemoryMax") == str(2**29)
    assert status_of(box, f"http://{ALICE}/") == status_of(box, f"http://{BOB}/") == "200"


def test_suspend_a_customer(box, operations):
    suspend, resume = operations.commands("Suspend").split("\n\n")
    with steady(box, BOB):
        box.shell(suspend)
        assert [status_of(box, f"{scheme}://{ALICE}/") for scheme in ("http", "https")] == ["503", "503"]
        box.shell(resume)
        assert [status_of(box, f"{scheme}://{ALICE}/") for scheme in ("http", "https")] == ["200", "200"]


def wreck(box, *names):
    """As if the machine were another one."""
    for name in names:
        box.shell(f"""
            bellhopctl remove --purge --yes {name}
            userdel -rf {name} 2>/dev/null
            # So that the uid, by which files are owned, becomes somebody else's.
            id stranger-{name} >/dev/null 2>&1 || useradd --no-create-home stranger-{name}
        """)
    box.shell("rm -rf /etc/systemd/system/bellhop@.service.d; systemctl daemon-reload")


def tree(box, *names):
    places = [f"{place}/{name}" for name in names
              for place in ("/srv/www", "/home", "/etc/bellhop/tls", "/var/lib/bellhop")]
    return sorted(box.run("find", *places, "-printf", "%p %u %g %m %s %l\\n").splitlines())


def test_rename(box, step):
    with steady(box, ALICE, BOB):
        said = step("Rename")
        assert "This is what would be done.\n" in said and "alice is now alison." in said
        assert "(alison)" in box.curl(f"https://{ALICE}/")
        box.run("bellhopctl", "rename", "--yes", "alison", "alice")
    assert "(alice)" in box.curl(f"https://{ALICE}/")
    box.run("rm", "/etc/systemd/system/bellhop@alice.service.d/renamed-alison.conf")
    box.run("systemctl", "daemon-reload")


def test_backup_and_restore(box, operations):
    save, restore = operations.commands("Backup").split("\nwhile", 1)
    box.shell("usermod --comment 'Alice, customer' alice")
    before = tree(box, "alice", "bob")
    box.shell(save)
    wreck(box, "alice", "bob")
    assert status_of(box, f"http://{ALICE}/") == "421"
    box.shell("while" + restore)
    assert tree(box, "alice", "bob") == before
    assert box.run("getent", "passwd", "alice").split(":")[4] == "Alice, customer"
    assert status_of(box, f"https://{ALICE}/") == status_of(box, f"https://{BOB}/") == "200"
    assert box.show("bellhop@alice.service", "MemoryMax") == str(2**30)
    assert box.show("bellhop@bob.service", "MemoryMax") == str(2**29)


def test_move_a_customer(box, operations):
    commands = operations.commands("Move a customer")
    pack, rest = commands.split("\nuseradd", 1)
    unpack, remove = rest.split("\nbellhopctl remove", 1)
    before = tree(box, "alice")
    box.shell(pack)
    box.shell("bellhopctl remove" + remove)
    assert status_of(box, f"http://{ALICE}/") == "421"
    wreck(box, "alice")
    with steady(box, BOB):
        box.shell("useradd" + unpack)
    assert tree(box, "alice") == before
    assert status_of(box, f"https://{ALICE}/") == "200"


def test_upgrades(box, step):
    for host in (ALICE, BOB):
        box.curl(f"http://{host}/")
    pids = [main_pid(box, name) for name in ("alice", "bob")]
    router = box.show("bellhop-router.service", "MainPID")
    with steady(box, ALICE, BOB):
        step("Upgrades")
    assert box.show("bellhop-router.service", "MainPID") != router
    assert all(main_pid(box, name) != pid for name, pid in zip(("alice", "bob"), pids))


def test_what_a_customer_has_used(box, step):
    box.curl(f"http://{ALICE}/")
    said = step("What a customer has used")
    assert '"instance": "alice"' in said and '"complete": true' in said
    assert said.count("Active: active (running)") == 3 and "bellhop_usage_lost_total 0\n" in said


def test_monitoring(box, step):
    said = step("Monitoring")
    assert "bellhop_config_problems 0\n" in said and "bellhop_handed_off_total{" in said
    box.run("systemctl", "start", "bellhop-check.service")
    box.shell("echo Hots=x >> /etc/bellhop/instances/bob.conf")
    assert box.try_run("systemctl", "start", "bellhop-check.service").returncode != 0
    assert "unknown key Hots=" in box.journal("-u", "bellhop-check.service")
    box.shell("sed -i '$d' /etc/bellhop/instances/bob.conf; systemctl reset-failed bellhop-check.service")


def test_all_commands_were_run(operations):
    assert operations.not_run() == set()
