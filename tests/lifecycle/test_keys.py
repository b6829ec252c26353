# SPDX-License-Identifier: MIT
"""Certificates and keys: whose they are, how they come in, how they are renewed, and what TLS clients get."""

import re
import shlex

import pytest
from clients import load
from showcase import ALICE, BOB

HOST = "carol.example"
TLS = "/etc/bellhop/tls/carol"
LIVE = "/etc/letsencrypt/live/carol"
DROP_IN = "/etc/systemd/system/bellhop@carol.service.d/tls.conf"
# Kept connections that a reload ends between two requests count as ended, not as failed: HTTP has it so.
MANY = 10**6


@pytest.fixture(name="server", scope="module", params=["apache", "nginx"])
def server_fixture(request):
    return request.param


@pytest.fixture(name="site")
def site_fixture(box, carol, server):
    """That of carol, with each server."""
    box.write_instance(carol, f"Host={HOST}\nServer={server}\n")
    # Otherwise, the server ends kept connections if a client stalls for five seconds.
    box.write("/etc/bellhop/sites/carol/keep.conf",
              {"apache": "KeepAliveTimeout 60\n", "nginx": "keepalive_timeout 60s;\n"}[server])
    box.start_customer(carol)
    return carol


@pytest.fixture(name="tls", scope="module")
def tls_fixture(box, server):
    """Alice's and bob's, with each server."""
    for name in ("alice", "bob"):
        box.run("bellhopctl", "set", name, f"--server={server}")
    yield
    for name in ("alice", "bob"):
        box.run("bellhopctl", "set", name, "--server=apache")


def s_client(box, *options, host=HOST):
    """What openssl has to say about a handshake and a request; exit status 0 means that there was a handshake."""
    done = box.try_client("bash", "-c", f"{command(*options, host=host)} 2>&1 <<< {shlex.quote(request(host))}")
    return done.returncode, done.stdout


def command(*options, host):
    return shlex.join(["openssl", "s_client", "-ign_eof", "-connect", "127.0.0.1:443", "-servername", host,
                       *map(str, options)])


def request(host):
    return f"GET /load.txt HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"


def taken(box, option, values, *fixed):
    """Those of the values, each alone, with which a handshake succeeds; alice's key is ECDSA, bob's is RSA."""
    script = ""
    for value in values:
        host = ALICE if "ECDSA" in value else BOB
        script += (f"{command(*fixed, option, value, host=host)} <<< {shlex.quote(request(host))} >/dev/null 2>&1 && "
                   f"echo {value}\n")
    return set(box.client("bash", "-c", script + "true").split())


def issue(box, folder, host=HOST):
    """A new certificate with a new key, as root's tools would write them; returns its serial number."""
    return box.shell(f"""
        install -d {folder}
        cd {folder}
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 -subj /CN={host} \\
                -keyout privkey.pem -out fullchain.pem 2>/dev/null
        openssl x509 -noout -serial -in fullchain.pem
    """).strip()


def renew(box):
    """In place, and the customer's."""
    serial = issue(box, TLS)
    box.shell(f"chown carol: {TLS}/*.pem; chmod 0400 {TLS}/privkey.pem")
    return serial


def served(box, host=HOST):
    """The serial number of the certificate that clients see."""
    status, said = s_client(box, host=host)
    assert status == 0, said
    return box.client("bash", "-c", f"openssl x509 -noout -serial <<< {shlex.quote(said)}").strip()


def wait_for_certificate(box, serial):
    """A graceful reload goes on while systemctl has returned."""
    box.wait_for("the new certificate is served", lambda: served(box) == serial)


def said_of(box, name):
    """Since its last start or reload, or the try of one."""
    lines = box.journal("-u", f"bellhop@{name}.service")
    return re.split(r"^(?:Starting|Reloading) .*$", lines, flags=re.M)[-1]


def test_renewed_certificate_by_reload(box, site):
    with load(box, ALICE, HOST, kinds={"new": 2, "keep": 1, "slow": 1}) as report:
        for _ in range(3):
            serial = renew(box)
            box.run("systemctl", "reload", "bellhop@carol.service")
            wait_for_certificate(box, serial)
    report.assert_nothing_failed("new", "keep", "slow", idle_ends=MANY)


# What is done, and what each server says.
SPOILT = {
    "unreadable": (f"chown root: {TLS}/*; chmod 0600 {TLS}/*", "Permission denied", "Permission denied"),
    "folder": (f"chown root: {TLS}; chmod 0700 {TLS}", "fullchain.pem' does not exist or is empty", "Permission denied"),
    "key of another": (f"cp --no-preserve=mode /etc/bellhop/tls/alice/privkey.pem {TLS}; chown carol: {TLS}/*",
                       "do not match", "key values mismatch"),
    "cut off": (f"truncate -s 100 {TLS}/fullchain.pem", "Failed to configure certificate", "bad end line"),
    "gone": (f"rm {TLS}/privkey.pem", "privkey.pem' does not exist or is empty", "No such file"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_bad_renewal_leaves_the_site_as_it_is(box, site, server, how):
    """A reload reports the error, and the old certificate remains in use; after it is fixed, the new one is used."""
    command, *reasons = SPOILT[how]
    reason = reasons[server == "nginx"]
    serial = served(box)
    pid = box.show("bellhop@carol.service", "MainPID")
    with load(box, HOST, kinds={"new": 2, "keep": 2}) as report:
        renew(box)
        box.shell(command)
        assert box.try_run("systemctl", "reload", "bellhop@carol.service").returncode != 0
        assert reason in said_of(box, site)
        assert served(box) == serial
    report.assert_nothing_failed("new", "keep")
    assert box.show("bellhop@carol.service", "MainPID") == pid
    box.shell(f"chown carol: {TLS}; chmod 0750 {TLS}")
    serial = renew(box)
    box.run("systemctl", "reload", "bellhop@carol.service")
    wait_for_certificate(box, serial)


def test_log_that_can_not_be_opened_does_not_end_a_site_that_runs(box, site, server):
    serial = served(box)
    box.write("/etc/bellhop/sites/carol/own.conf",
              {"apache": "ErrorLog /etc/hostname\n", "nginx": "error_log /etc/hostname;\n"}[server])
    assert box.try_run("systemctl", "reload", "bellhop@carol.service").returncode != 0
    assert "/etc/hostname" in said_of(box, site)
    assert served(box) == serial


def test_start_with_an_unreadable_key_says_why(box, site, server):
    assert site
    box.shell(f"chown root: {TLS}/privkey.pem; chmod 0600 {TLS}/privkey.pem")
    box.curl(f"http://{HOST}/", "--max-time", "1", check=False)
    said = {"apache": f"Can't open server private key file {TLS}/privkey.pem",
            "nginx": f'cannot load certificate key "{TLS}/privkey.pem"'}[server]
    box.wait_for("the reason is told", lambda: said in
                 box.try_run("systemctl", "status", "--no-pager", "-l", "bellhop@carol.service").stdout)


def test_key_is_the_customers_alone(box, carol):
    box.start_customer(carol)
    served(box)
    assert "everybody" not in said_of(box, carol)
    for user in ("alice", "bellhop", "nobody"):
        for path in (f"{TLS}/privkey.pem", f"{TLS}/fullchain.pem"):
            tried = box.try_run("setpriv", f"--reuid={user}", f"--regid={user if user != 'nobody' else 'nogroup'}",
                                "--clear-groups", "cat", path)
            assert "Permission denied" in tried.stderr, tried


def test_key_that_root_has_left_open(box, site):
    """It is served, and said to be wrong; neighbours don't get at it even so."""
    served(box)
    serial = renew(box)
    box.shell(f"chown root: {TLS}/*; chmod 0644 {TLS}/*; chmod 0755 {TLS}")
    box.run("systemctl", "reload", "bellhop@carol.service")
    wait_for_certificate(box, serial)
    assert f"all users of this machine can read the private key {TLS}/privkey.pem" in said_of(box, site)
    box.write_page("alice", "steal.cgi", f"cat {TLS}/privkey.pem 2>&1")
    try:
        assert "No such file" in box.curl(f"https://{ALICE}/steal.cgi")
    finally:
        box.path("/srv/www/alice/steal.cgi").unlink()


# --- credentials of the unit ---


def use_credentials(box, key):
    box.shell(f"chmod 0700 {LIVE}; rm -rf {TLS}")
    box.write(DROP_IN, f"[Service]\nLoadCredential=fullchain.pem:{LIVE}/fullchain.pem\n{key}\n")
    box.run("systemctl", "daemon-reload")


def assert_key_is_a_credential(box):
    """The customer's programs see it, like any of their keys; a neighbour's programs don't, and it is not on the
    disk."""
    place = "/run/credentials/bellhop@carol.service"
    for name in ("alice", "carol"):
        page = f"<?php system('cat {place}/privkey.pem 2>&1; ls /run/credentials 2>&1');"
        box.write(f"/srv/www/{name}/look.php", page)
    try:
        assert "BEGIN PRIVATE KEY" in box.curl(f"https://{HOST}/look.php")
        seen = box.curl(f"https://{ALICE}/look.php")
        assert "PRIVATE KEY" not in seen and "carol" not in seen.replace(place, ""), seen
    finally:
        box.path("/srv/www/alice/look.php").unlink()


def test_certificate_as_credential(box, site):
    """Files that only root can read; a restart takes up a renewed one, and loses nothing."""
    serial = issue(box, LIVE)
    use_credentials(box, f"LoadCredential=privkey.pem:{LIVE}/privkey.pem")
    box.start_customer(site)
    assert served(box) == serial
    assert box.curl(f"https://{HOST}/load.txt") == f"{HOST}\n"
    assert_key_is_a_credential(box)
    with load(box, HOST, kinds={"new": 2, "keep": 2}) as report:
        for _ in range(3):
            serial = issue(box, LIVE)
            box.run("systemctl", "restart", "bellhop@carol.service")
            assert served(box) == serial
        # What systemd has not read again is still there, and good, at a reload.
        box.run("systemctl", "reload", "bellhop@carol.service")
        assert served(box) == serial
    report.assert_nothing_failed("new", "keep", idle_ends=MANY)


def test_encrypted_credential(box, carol):
    serial = issue(box, LIVE)
    box.shell(f"""
        systemd-creds encrypt --with-key=host --name=privkey.pem {LIVE}/privkey.pem /etc/carol.cred
        rm {LIVE}/privkey.pem
    """)
    use_credentials(box, "LoadCredentialEncrypted=privkey.pem:/etc/carol.cred")
    box.start_customer(carol)
    assert served(box) == serial
    assert_key_is_a_credential(box)


# --- several certificates ---


def test_certificates_by_server_name(box, site, server):
    """Hosts of one customer, each with its own in a folder by its name; others have that of the instance."""
    hosts = {"one.carol.example": None, "two.carol.example": None}
    box.write_instance(site, f"Host={HOST} {' '.join(hosts)} *.{HOST}\nServer={server}\n")
    for host in hosts:
        hosts[host] = issue(box, f"{TLS}/{host}", host)
        box.write(f"/srv/www/carol/{host}/index.html", f"this is {host}\n")
    box.shell(f"chown -R carol: {TLS} /srv/www/carol")
    box.start_customer(site)
    for host, serial in hosts.items():
        assert served(box, host) == serial
        assert box.curl(f"https://{host}/") == f"this is {host}\n"
    assert served(box) not in hosts.values()


def test_server_name_with_a_port(box, site):
    """OpenSSL's own servers take it, and some load tools send it."""
    assert site
    done = box.try_client("sh", "-c", f"printf 'GET /load.txt HTTP/1.0\\r\\nHost: {HOST}:443\\r\\n\\r\\n' | "
                          f"openssl s_client -quiet -servername {HOST}:443 -connect 127.0.0.1:443 2>/dev/null")
    assert done.stdout.startswith("HTTP/1.1 200") and done.stdout.endswith("carol.example\n"), done


# --- what clients get: Mozilla's intermediate guideline 6.0 ---

TLS12_SUITES = {f"ECDHE-{key}-{cipher}" for key in ("ECDSA", "RSA")
                for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")}
TLS13_SUITES = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
GROUPS = {"X25519", "P-256", "P-384"}


@pytest.mark.usefixtures("tls")
def test_protocols(box):
    agreed = [version for version in ("tls1", "tls1_1", "tls1_2", "tls1_3")
              if s_client(box, f"-{version}", "-cipher", "ALL:@SECLEVEL=0", host=ALICE)[0] == 0]
    assert agreed == ["tls1_2", "tls1_3"]


@pytest.mark.usefixtures("tls")
@pytest.mark.parametrize("version, option, expected", [("tls1_2", "-cipher", TLS12_SUITES),
                                                       ("tls1_3", "-ciphersuites", TLS13_SUITES)])
def test_cipher_suites(box, version, option, expected):
    """Of all that the client's library knows."""
    known = box.client("openssl", "ciphers", "-s", f"-{version}", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").strip().split(":")
    # Those with PSK and SRP need more than a name, on either side.
    known = [name for name in known if not re.search("PSK|SRP", name) and
             name.startswith("TLS_") == (version == "tls1_3")]
    assert expected <= set(known)
    # Whatever the client's library thinks of it.
    level = ":@SECLEVEL=0" if version == "tls1_2" else ""
    agreed = taken(box, option, [name + level for name in known], f"-{version}")
    assert agreed == {name + level for name in expected}


@pytest.mark.usefixtures("tls")
def test_groups(box):
    assert taken(box, "-groups", ["X25519", "P-256", "P-384", "P-521", "X448", "ffdhe2048", "ffdhe4096"]) == GROUPS


@pytest.mark.usefixtures("tls")
def test_client_chooses_the_cipher(box):
    suites = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305"]
    for order in (suites, suites[::-1]):
        assert f"Cipher is {order[0]}" in s_client(box, "-tls1_2", "-cipher", ":".join(order), host=BOB)[1]


@pytest.mark.usefixtures("tls")
@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
def test_sessions_are_resumed_by_tickets(box, tmp_path, version):
    """As Apache does it by default; and not across a reload, which makes a new ticket key."""
    session = tmp_path / "session"

    def connect(*options):
        status, said = s_client(box, f"-{version}", *options, host=ALICE)
        assert status == 0, said
        return re.search(r"^(New|Reused), TLSv1", said, re.M).group(1)

    assert connect("-sess_out", session) == "New"
    text = box.client("openssl", "sess_id", "-in", session, "-noout", "-text")
    assert "TLS session ticket:" in text
    assert connect("-sess_in", session) == "Reused"
    box.run("systemctl", "restart", "bellhop@alice.service")
    assert connect("-sess_in", session) == "New"


@pytest.mark.usefixtures("tls")
def test_no_ocsp_response_is_stapled(box):
    """As Apache does it by default."""
    assert "OCSP response: no response sent" in s_client(box, "-status", host=ALICE)[1]
