# SPDX-License-Identifier: MIT
"""What keeps bellhop-acme from getting certificates. In its place a program runs that does nothing, and the test writes
what bellhop-acme would have written down; tests/path has all that check makes of it."""

import json

import pytest
from test_mistakes import FILE, SITES, TLS, assert_served, find, findings, is_command

UNIT, STATES = "/etc/systemd/system/bellhop-acme.service", "/var/lib/bellhop-acme/instances"
UACME = "/usr/bin/uacme"
AUTHORITY = "/etc/bellhop/acme/default.conf"


@pytest.fixture(name="acme")
def _acme(box):
    """carol has Tls=acme, and a certificate that is signed by itself since today."""
    box.write(UNIT, "[Service]\nExecStart=/bin/sleep infinity\nExecReload=true\n")
    box.shell(f"""
        systemctl daemon-reload
        systemctl restart bellhop-acme.service
        install -d {STATES}
        test -e {UACME} || ln -s /bin/true {UACME}
        echo Tls=acme >>{FILE}
        bellhopctl apply
    """)
    assert findings(box) == []
    yield box
    box.shell(f"systemctl stop bellhop-acme.service; rm -rf {UNIT} {STATES}; systemctl daemon-reload")


def test_stopped(acme):
    acme.shell("systemctl stop bellhop-acme.service")
    found = find(acme, "acme-not-running")
    assert found["what"] == "bellhop-acme.service is inactive, and 1 instance has Tls=acme"
    assert is_command(found["advice"])
    acme.shell(found["advice"])
    assert findings(acme) == []
    # What nobody needs may be stopped.
    acme.shell("systemctl stop bellhop-acme.service; bellhopctl set carol --tls=files")
    assert findings(acme) == []


def test_client_is_missing(acme):
    acme.shell(f"mv {UACME} /root")
    assert find(acme, "acme-client-missing")["what"] == f"{UACME} is missing"
    acme.shell(f"mv /root/uacme {UACME}")
    assert findings(acme) == []


def test_mistake_in_the_file_of_the_authority(acme):
    acme.shell(f"echo Contakt=hostmaster@carol.example >>{AUTHORITY}")
    found = find(acme, "acme-authority")
    assert "did you mean Contact=?" in found["what"] and found["file"] == AUTHORITY
    acme.shell(f"sed -i s/Contakt/Contact/ {AUTHORITY}; systemctl reload bellhop-acme.service")
    assert findings(acme) == []


def test_no_certificate(acme):
    """What was wrong is said, with what to do; nobody is told to install a certificate by hand."""
    acme.write(f"{STATES}/carol", "[Certificate]\nTried=4000000000\nNext=4000003600\nFailures=1\nError=no host of the instance can get a certificate\n"
                                  "Failed=carol.example DNS has no address of carol.example; add one\n")
    assert "no host of the instance can get a certificate" in find(acme, "acme-failed")["what"]
    assert "carol.example (DNS has no address of carol.example; add one)" in find(acme, "acme-hosts")["what"]
    assert {one["severity"] for one in findings(acme)} == {"warning"}
    assert "--install" not in acme.run("bellhopctl", "check", "--instance=carol")
    status, = json.loads(acme.run("bellhopctl", "status", "carol", "--json"))["instances"]
    assert status["certificate_error"] == "no host of the instance can get a certificate"
    acme.path(f"{STATES}/carol").unlink()
    assert findings(acme) == []


def unused(box):
    """The places of certificates that bellhop-acme does not renew, and the advice."""
    found = json.loads(box.try_run("bellhopctl", "check", "--json").stdout)["findings"]
    return {one["file"]: one["advice"] for one in found if one["kind"] == "acme-unused"}


def test_certificates_elsewhere(acme):
    """A credential, and the certificate that a snippet names."""
    drop_in = "/etc/systemd/system/bellhop@carol.service.d/tls.conf"
    acme.write(drop_in, "[Service]\n" + "".join(f"LoadCredential={name}:{TLS}/{name}\n" for name in ("fullchain.pem", "privkey.pem")))
    acme.shell(f"install -d -o carol /home/carol/tls; install -o carol -m 0400 {TLS}/*.pem /home/carol/tls")
    acme.write(f"{SITES}/own.conf", "<VirtualHost *:443>\n    ServerName www.carol.example\n    SSLCertificateFile "
               "/home/carol/tls/fullchain.pem\n    SSLCertificateKeyFile /home/carol/tls/privkey.pem\n</VirtualHost>\n")
    acme.shell("systemctl daemon-reload; systemctl try-restart bellhop@carol.service")
    assert_served(acme)
    advice = unused(acme)
    assert advice.keys() == {FILE, f"{SITES}/own.conf"}
    # The advice: remove the lines, then run these commands.
    acme.path(drop_in).unlink()
    acme.shell("systemctl daemon-reload; systemctl try-restart bellhop@carol.service")
    assert "'systemctl daemon-reload' and 'systemctl try-restart bellhop@carol.service'" in advice[FILE]
    acme.shell(f"sed -i '/SSLCertificate/d' {SITES}/own.conf")
    acme.shell(advice[f"{SITES}/own.conf"].split("'")[1])
    assert unused(acme) == {}
    assert_served(acme)
    acme.shell(f"rm {SITES}/own.conf; bellhopctl apply")
