# SPDX-License-Identifier: MIT
"""What bellhopctl shows of certificates that bellhop-acme gets, from files that a test has written in its place."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import pytest
from handoff import AS_ROOT
from prometheus_client.parser import text_string_to_metric_families
from router import A, B
from test_bellhopctl import SOURCE, control_router, run, start

NOW = int(time.time())
# Less is left of a time when the test runs.
LATER = 1800
DAY = 86400
GOOD = f"NotBefore={NOW}\nNotAfter={NOW + 90 * DAY}\nNext={NOW + 60 * DAY + LATER}\nTried={NOW}\nCertificate=aa\n"
BAD = (f"Next={NOW + 3 * 3600 + LATER}\nTried={NOW}\nFailures=2\nError=the authority says no\n"
       "Failed=b.example DNS leads to 192.0.2.9, not here\nFailed=www.b.example It has no address.\n")


class Machine:
    """Files of instances, and states of their certificates."""

    def __init__(self, folder):
        self.config, self.states = folder / "config", folder / "acme"
        (self.config / "instances").mkdir(parents=True)
        (self.states / "instances").mkdir(parents=True)

    def instance(self, name, text, state=None):
        (self.config / f"instances/{name}.conf").write_text(f"[Instance]\n{text}")
        if state is not None:
            (self.states / f"instances/{name}").write_text(f"[Certificate]\n{state}")

    def options(self):
        return f"--config={self.config}", f"--acme-dir={self.states}"

    def json(self, verb, *arguments):
        return json.loads(start(verb, *arguments, "--json", *self.options()).stdout)

    def text(self, verb, *arguments):
        return start(verb, *arguments, *self.options()).stdout


@pytest.fixture(name="machine")
def _machine():
    """Where customers can look at their own files."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Machine(pathlib.Path(folder))


def shown(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


# --- list and status ---


def test_list(machine):
    machine.instance(A, "Host=a.example\nTls=acme\n", GOOD)
    machine.instance(B, "Host=b.example\nTls=acme\nAcme=staging\n", BAD)
    machine.instance("games", "Host=c.example\n", BAD)
    found = {one["instance"]: (one["tls"], one["certificate_next_try"], one["certificate_error"])
             for one in machine.json("list")["instances"]}
    assert found == {A: ("acme", shown(NOW + 60 * DAY + LATER), None),
                     B: ("acme", shown(NOW + 3 * 3600 + LATER), "the authority says no"), "games": ("files", None, None)}
    names = [one["instance"] for one in machine.json("list", "--sort=certificate_next_try")["instances"]]
    assert names == [B, A, "games"]
    assert "NEXT TRY" not in machine.text("list") and "staging" not in machine.text("list")


def test_status(machine):
    machine.instance(A, "Host=a.example\nTls=acme\n", GOOD)
    machine.instance(B, "Host=b.example www.b.example\nTls=acme\nAcme=staging\n", BAD)
    one, = machine.json("status", A)["instances"]
    assert (one["tls"], one["acme"], one["certificate_next_try"], one["certificate_tried"], one["certificate_failures"],
            one["certificate_error"], one["certificate_lacks"]) == (
                "acme", "default", shown(NOW + 60 * DAY + LATER), shown(NOW), 0, None, [])
    assert re.search("Certificate: automatic, from authority default; .*; next try in 60 days\n", machine.text("status", A))
    one, = machine.json("status", B)["instances"]
    assert (one["certificate_failures"], one["certificate_error"]) == (2, "the authority says no")
    assert one["certificate_lacks"] == ["b.example: DNS leads to 192.0.2.9, not here", "www.b.example: It has no address."]
    text = machine.text("status", B)
    for line in ("automatic, from authority staging; ", "next try in 3 hours\n", "Last error: the authority says no\n",
                 "Hosts that the certificate lacks:\n  b.example: DNS leads to 192.0.2.9, not here\n  www.b.example: It has no address.\n",
                 f"'bellhopctl check --instance={B}' says what to do"):
        assert line in text


@pytest.mark.parametrize("state", [None, "", "Next=soon\n", "\0\x1b[2J"])
def test_what_is_not_known(machine, state):
    """No state, an empty one, or a damaged one."""
    machine.instance(A, "Host=a.example\nTls=acme\n", state)
    one, = machine.json("status", A)["instances"]
    assert one["certificate_next_try"] is one["certificate_tried"] is one["certificate_error"] is None
    assert one["certificate_failures"] == (0 if state == "" else None) and one["certificate_lacks"] == []
    text = machine.text("status", A)
    assert "automatic, from authority default; " in text and "next try" not in text and "\x1b" not in text
    one, = machine.json("list")["instances"]
    assert one["certificate_next_try"] is one["certificate_error"] is None


def test_nothing_of_other_instances(machine):
    machine.instance(A, "Host=a.example\nAcme=staging\n", BAD)
    one, = machine.json("status", A)["instances"]
    assert (one["tls"], one["certificate_next_try"], one["certificate_failures"], one["certificate_lacks"]) == (
        "files", None, None, [])
    assert "automatic" not in machine.text("status", A)


# --- metrics ---


def test_metrics(machine):
    machine.instance(A, "Host=a.example\nTls=acme\n", GOOD)
    machine.instance(B, "Host=b.example\nTls=acme\n", BAD)
    machine.instance("games", "Host=c.example\n", GOOD)
    machine.instance("man", "Host=d.example\nTls=acme\n")
    with control_router() as router:
        text = run("metrics", f"--runtime={router.folder}/run", *machine.options())
        listed = json.loads(run("metrics", "--json", f"--runtime={router.folder}/run", *machine.options()))["metrics"]
    found = {(sample.name.removeprefix("bellhop_certificate_"), sample.labels["instance"]): sample.value
             for family in text_string_to_metric_families(text) for sample in family.samples
             if sample.name.startswith("bellhop_certificate_")}
    assert found == {
        ("not_after_seconds", A): NOW + 90 * DAY, ("next_try_seconds", A): NOW + 60 * DAY + LATER, ("tried_seconds", A): NOW,
        ("failures", A): 0, ("hosts_left_out", A): 0, ("next_try_seconds", B): NOW + 3 * 3600 + LATER, ("tried_seconds", B): NOW,
        ("failures", B): 2, ("hosts_left_out", B): 2}
    assert {"name": "bellhop_certificate_failures", "labels": f'instance="{B}"', "value": 2} in listed
    with open(f"{SOURCE}/man/bellhop-metrics.7.scd", encoding="utf-8") as file:
        page = re.findall(r"^\*(bellhop_certificate_\w+)\* \((\w+)\)$", file.read(), re.MULTILINE)
    assert page == re.findall(r"^# TYPE (bellhop_certificate_\w+) (\w+)$", text, re.MULTILINE)


# --- check ---


def certificate(machine, name, days, hosts, begin=0, issuer=False, host="."):
    """Installs one, which an authority has signed or itself. host: in the folder of that host."""
    folder = machine.config / f"tls/{name}/{host}"
    folder.mkdir(parents=True, exist_ok=True)
    names = ",".join(f"DNS:{host}" for host in hosts)
    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
    dates = [time.strftime("%y%m%d%H%M%SZ", time.gmtime(NOW + day * DAY)) for day in (begin, days)]
    (folder / "ca.cnf").write_text(f"""
[ca]
default_ca = own
[own]
new_certs_dir = {folder}
database = {folder}/index
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
email_in_dn = no
[any]
commonName = supplied
""")
    (folder / "index").write_text("")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)
    openssl("req", "-new", *ec, "-subj", f"/CN={hosts[0]}", "-addext", f"subjectAltName={names}", "-keyout", "privkey.pem", "-out",
            "request.pem")
    own = ["-selfsign", "-keyfile", "privkey.pem"]
    if issuer:
        openssl("req", "-x509", *ec, "-subj", "/CN=authority", "-days", "3650", "-keyout", "ca.key", "-out", "ca.pem")
        own = ["-cert", "ca.pem", "-keyfile", "ca.key"]
    openssl("ca", "-batch", "-config", "ca.cnf", *own, "-in", "request.pem", "-startdate", dates[0], "-enddate", dates[1],
            "-notext", "-out", "fullchain.pem")
    if issuer:
        (folder / "fullchain.pem").write_text((folder / "fullchain.pem").read_text() + (folder / "ca.pem").read_text())
    shutil.chown(folder, name, name)
    for file in filter(pathlib.Path.is_file, folder.iterdir()):
        shutil.chown(file, name, name)
        file.chmod(0o400)


def findings(machine, name=A):
    """{kind: finding} of the certificate."""
    found = [one for one in machine.json("check", f"--instance={name}")["findings"]
             if re.match("acme|cert|chain-i|chain-o|key|no-tls|redirect|self", one["kind"])]
    kinds = [one["kind"] for one in found]
    assert len(set(kinds)) == len(kinds), found
    return {one["kind"]: one for one in found}


AUTHORITY = "[Acme]\n"


@pytest.fixture(name="with_authority")
def _with_authority(machine):
    (machine.config / "acme").mkdir()
    (machine.config / "acme/default.conf").write_text(AUTHORITY)
    return machine


@pytest.mark.skipif(not AS_ROOT, reason="certificates of others")
def test_check_of_what_is_well(with_authority):
    """Self-signed at first; then that of the authority, until it should have been renewed."""
    machine = with_authority
    machine.instance(A, "Host=a.example\nTls=acme\n")
    certificate(machine, A, 800, ["a.example"])
    assert findings(machine).keys() == {"self-signed"}
    assert findings(machine)["self-signed"]["advice"].startswith("Wait until bellhop-acme replaces the certificate")
    machine.instance(A, "Host=a.example\nTls=acme\n", GOOD)
    certificate(machine, A, 25, ["a.example"], begin=-65, issuer=True)
    assert not findings(machine)
    certificate(machine, A, 2, ["a.example"], begin=-4, issuer=True)
    assert not findings(machine)
    for days, begin in ((6, -84), (0.9, -5.1)):
        certificate(machine, A, days, ["a.example"], begin=begin, issuer=True)
        found = findings(machine)
        assert found.keys() == {"certificate-expires"}
        assert found["certificate-expires"]["advice"].startswith("Wait until bellhop-acme replaces the certificate")


@pytest.mark.skipif(not AS_ROOT, reason="certificates of others")
def test_check_of_failures(with_authority):
    """A warning, until it is urgent."""
    machine = with_authority
    machine.instance(A, "Host=b.example www.b.example\nTls=acme\n", BAD)
    hosts = ["b.example", "www.b.example"]
    for days, begin, issuer, severity in ((80, -10, True, "warning"), (6, -84, True, "error"), (800, 0, False, "warning"),
                                          (800, -2, False, "error")):
        certificate(machine, A, days, hosts, begin, issuer)
        found = findings(machine)
        assert found["acme-failed"]["severity"] == severity
        assert f"can't get a certificate: the authority says no; next try: {shown(NOW + 3 * 3600 + LATER)}" in found["acme-failed"]["what"]
        assert "b.example (DNS leads to 192.0.2.9, not here), www.b.example (It has" in found["acme-hosts"]["what"]
        assert found["acme-hosts"]["severity"] == "warning"
        assert found.keys() - {"self-signed", "certificate-expires"} == {"acme-failed", "acme-hosts"}
        assert not any("--install" in one["advice"] for one in found.values())
    # Nobody has tried for days.
    (machine.states / f"instances/{A}").unlink()
    found = findings(machine)
    assert found.keys() == {"acme-failed", "self-signed"} and found["acme-failed"]["severity"] == "error"


@pytest.mark.skipif(not AS_ROOT, reason="certificates of others")
def test_check_of_hosts_that_it_lacks(with_authority):
    """One that is new has to wait, and one that was refused has its reason."""
    machine = with_authority
    machine.instance(A, "Host=a.example new.example www.b.example\nTls=acme\n", GOOD + "Failed=www.b.example It has no address.\n")
    certificate(machine, A, 80, ["a.example"], -10, True)
    found = findings(machine)
    assert found.keys() == {"certificate-lacks-host", "acme-hosts"}
    assert found["certificate-lacks-host"]["what"] == "the certificate does not name new.example"
    assert found["certificate-lacks-host"]["advice"].startswith("Wait until")
    assert found["acme-hosts"]["what"] == "bellhop-acme got no certificate for www.b.example (It has no address.)"


@pytest.mark.skipif(not AS_ROOT, reason="certificates of others")
def test_check_of_a_host_with_its_own(with_authority):
    """The instance's certificate replaces it in time, if it covers the same hosts."""
    machine = with_authority
    machine.instance(A, "Host=a.example b.example\nTls=acme\n", GOOD + "Failed=b.example It has no address.\n")
    certificate(machine, A, 80, ["a.example", "b.example"], -10, True)
    certificate(machine, A, 20, ["b.example"], -70, True, host="b.example")
    assert findings(machine).keys() == {"acme-hosts"}
    certificate(machine, A, 6, ["b.example"], -84, True, host="b.example")
    assert findings(machine)["certificate-expires"]["advice"].startswith("Wait until bellhop-acme replaces the certificate")
    # bellhop-cert can't copy to a folder that the customer can't change.
    folder = machine.config / f"tls/{A}/b.example"
    shutil.chown(folder, "root", A)
    found = findings(machine)["certificate-expires"]
    assert found["what"].endswith("; bellhop-acme does not replace it, because the customer can't write to its folder")
    assert found["advice"].startswith(f"As user {A} (runuser --pty -u {A}), replace the folder of the certificate by a copy")
    shutil.chown(folder, A, A)
    # A copy has no faults of its own.
    certificate(machine, A, 1, ["a.example", "b.example"], -89, True)
    for file in ("fullchain.pem", "privkey.pem"):
        shutil.copy2(machine.config / f"tls/{A}/{file}", machine.config / f"tls/{A}/b.example/{file}")
        shutil.chown(machine.config / f"tls/{A}/b.example/{file}", A, A)
    found = findings(machine)
    assert found.keys() == {"acme-hosts", "certificate-expires"}
    assert found["certificate-expires"]["file"] == f"{machine.config}/tls/{A}/fullchain.pem"
    certificate(machine, A, 80, ["a.example"], -10, True)
    certificate(machine, A, 20, ["b.example"], -70, True, host="b.example")
    found = findings(machine)["certificate-expires"]
    assert found["what"].endswith("; bellhop-acme does not replace it, because the certificate of the instance does not cover the same hosts")
    assert found["advice"] == f"Install certificate and key with 'bellhopctl cert {A} --host=b.example --install CERT KEY'."


@pytest.mark.parametrize("server, directive, own", [
    ("apache", "SSLCertificateFile", "${{BELLHOP_TLS}}"), ("apache", "sslcertificatefile", "{tls}"), ("nginx", "ssl_certificate", "{tls}")])
def test_check_of_certificates_in_snippets(with_authority, server, directive, own):
    """bellhop-acme renews only those in the folder of the instance and in those of hosts."""
    machine = with_authority
    own, end = own.format(tls=machine.config / f"tls/{A}"), ";" if server == "nginx" else ""
    (machine.config / f"sites/{A}").mkdir(parents=True)
    snippet = machine.config / f"sites/{A}/own.conf"
    paths = [f"{own}/fullchain.pem", f'"{own}/b.example/fullchain.pem"', "/home/x/fullchain.pem", f"{own}/b.example/x/fullchain.pem",
             f"{own}x/fullchain.pem", f"{own}/b.example/cert.pem"]
    snippet.write_text("".join(f"{directive} {path}{end}\n" for path in paths))
    for tls in ("acme", "files"):
        machine.instance(A, f"Host=a.example\nServer={server}\nTls={tls}\n", GOOD)
        found = [one for one in machine.json("check", f"--instance={A}")["findings"] if one["kind"] == "acme-unused"]
        assert [(one["file"], one["line"], one["what"].split()[1], one["severity"]) for one in found] == [
            (str(snippet), line, paths[line - 1], "note") for line in (3, 4, 5, 6) if tls == "acme"]


@pytest.mark.skipif(not AS_ROOT, reason="certificates of others")
@pytest.mark.parametrize("file", ["fullchain.pem", "privkey.pem"])
def test_check_of_damaged_files(with_authority, file):
    """The instance has to start, so they are made anew; none has to be installed by hand."""
    machine = with_authority
    machine.instance(A, "Host=a.example\nTls=acme\n", GOOD)
    certificate(machine, A, 80, ["a.example"], -10, True)
    path = machine.config / f"tls/{A}/{file}"
    for change in (lambda: path.write_text("x"), path.unlink):
        change()
        for finding in findings(machine).values():
            assert re.search(r"--self-signed --config=\S+ --force'", finding["advice"]) and "--install" not in finding["advice"]
            assert finding["advice"].endswith("bellhop-acme replaces this self-signed certificate at its next try.")


def test_check_of_authorities(machine):
    machine.instance(A, "Host=a.example\nTls=acme\nAcme=other\n")
    assert findings(machine)["acme-authority"]["what"] == "this file does not exist, but Acme=other names it"
    (machine.config / "acme").mkdir()
    path = machine.config / "acme/other.conf"
    path.write_text("[Acme]\n\nKeyTyp=ec\n")
    found = findings(machine)["acme-authority"]
    assert (found["file"], found["line"]) == (str(path), 3) and "did you mean KeyType=?" in found["what"]
    path.write_text("[Acme]\n")
    assert "acme-authority" not in findings(machine)
    machine.instance(A, "Host=a.example\nTls=acme\nAcme=nowhere\nSuspended=yes\n")
    assert "acme-authority" not in findings(machine)


def test_check_of_what_no_authority_signs(with_authority):
    machine = with_authority
    machine.instance(A, "Address=192.0.2.7\nTls=acme\n")
    assert "acme-no-host" in findings(machine)
    machine.instance(A, "Host=a.example *.b.example\nTls=acme\n", GOOD + "Failed=*.b.example a wildcard needs more\n")
    found = findings(machine)
    assert "*.b.example is a wildcard, but the authority default has no Challenges=dns-01" in found["acme-wildcard"]["what"]
    assert "acme-hosts" not in found
    (machine.config / "acme/default.conf").write_text("[Acme]\nChallenges=http-01 dns-01\nDnsHook=/bin/true\n")
    assert not {"acme-wildcard", "acme-no-host"} & findings(machine).keys() and "acme-hosts" in findings(machine)
    machine.instance(A, "".join(f"Host={i}.example\n" for i in range(101)) + "Tls=acme\n")
    assert "Tls=acme and 101 hosts" in findings(machine)["acme-too-many-hosts"]["what"]
    machine.instance(A, "".join(f"Host={i}.example\n" for i in range(100)) + "Tls=acme\n")
    assert "acme-too-many-hosts" not in findings(machine)


@pytest.mark.parametrize("url, is_shown", [
    ("https://authority.example/acct/7\n", True), ("https://authority.example/a b\n", False), ("http://authority.example/7\n", False),
    ('https://authority.example/"; x\n', False), ("", False)])
def test_check_shows_a_record_for_the_account(machine, url, is_shown):
    """Once, however many instances use it."""
    for name in (A, B):
        machine.instance(name, f"Host={name}.example\nTls=acme\n")
    (machine.config / "acme").mkdir()
    (machine.config / "acme/default.conf").write_text("[Acme]\nCaaDomain=authority.example\n")
    (machine.states / "accounts/default").mkdir(parents=True)
    (machine.states / "accounts/default/url").write_text(url)
    found = [one for one in machine.json("check")["findings"] if one["kind"] == "acme-account"]
    assert len(found) == is_shown
    if is_shown:
        assert 'CAA 0 issue "authority.example; accounturi=https://authority.example/acct/7"' in found[0]["what"]
        assert found[0]["severity"] == "note"


# --- cert ---


@pytest.mark.skipif(not AS_ROOT, reason="certificates of others")
def test_cert_says_that_it_is_replaced(machine):
    machine.instance(A, "Host=a.example\nTls=acme\n")
    words = "cert", A, "--self-signed", "--force", f"--config={machine.config}"
    assert f"bellhop-acme replaces this certificate when its renewal is due, or at the next try if browsers do not accept the certificate. To keep it, run: bellhopctl set {A} --tls=files" in run(*words)
    assert "replaces this certificate when the certificate of the instance expires later, or at the next try" in run(*words, "--host=a.example")
    assert run(*words, "--no-legend") == ""
    machine.instance(A, "Host=a.example\n")
    assert "acme" not in run(*words)
