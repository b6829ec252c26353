# SPDX-License-Identifier: MIT
"""What root does in a customer's folders, while the customer changes every part of every path there. Whatever comes of it
for the customer, nothing elsewhere changes its owner, its mode or its content."""

import contextlib
import json
import pathlib

import pytest
from test_mistakes import FILE, TLS, WWW, is_command

SWAPPER = "/usr/local/lib/swapper.py"
SENTINEL = "/root/sentinel"
PAIR = "/root/pair/fullchain.pem /root/pair/privkey.pem"
ROUNDS = 8
REQUEST = ("bellhopctl cert carol --request >/root/pair/carol.csr && openssl x509 -req -in /root/pair/carol.csr -CA "
           "/root/pair/fullchain.pem -CAkey /root/pair/privkey.pem -copy_extensions copy -days 30 -out /root/pair/signed.pem "
           "&& bellhopctl cert carol --install /root/pair/signed.pem")
IN_TLS = {f"{TLS}/{name}": "/etc/shadow" for name in ("fullchain.pem", "privkey.pem", ".fullchain.pem.new",
                                                      ".privkey.pem.new")}


@pytest.fixture(name="precious")
def _precious(box):
    """A tree of root, with names as in customers' folders, and files of root elsewhere that must not change."""
    box.path(SWAPPER).write_text((pathlib.Path(__file__).parent / "swapper.py").read_text())
    box.shell(f"""
        rm -rf {SENTINEL} /root/pair /srv/www/carol/pages; mkdir -p {SENTINEL}/deep /root/pair /srv/www/carol/pages/deep
        echo secret >{SENTINEL}/shadow; echo secret >{SENTINEL}/deep/shadow; echo secret >{SENTINEL}/privkey.pem
        chmod 0600 {SENTINEL}/shadow {SENTINEL}/privkey.pem
        echo page >/srv/www/carol/pages/shadow; echo page >/srv/www/carol/pages/deep/shadow
        chown -R carol: /srv/www/carol
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 -subj /CN=carol.example \\
                -addext subjectAltName=DNS:carol.example,DNS:www.carol.example -keyout /root/pair/privkey.pem \\
                -out /root/pair/fullchain.pem 2>/dev/null
    """)
    return lambda: box.shell(f"find /etc/shadow /etc/passwd /etc/cron* {SENTINEL} /etc/bellhop/tls/bob -printf "
                             "'%p %U %G %m %l\\n' | sort; cat /etc/shadow /etc/passwd | sha256sum; "
                             f"find {SENTINEL} /etc/bellhop/tls/bob -type f -exec sha256sum {{}} +")


@contextlib.contextmanager
def swapped(box, paths):
    """carol is at work on them, from a shell, with no sandbox around."""
    words = ["setpriv", "--reuid=carol", "--regid=carol", "--clear-groups", "env", "HOME=/home/carol",
             "/usr/bin/python3", SWAPPER, *(f"{path}={target}" for path, target in paths.items())]
    swapper = box.popen_run(*words, stdin=-1, stdout=-1)
    assert swapper.stdout.readline() == "ready\n"
    try:
        yield
    finally:
        seen, _ = swapper.communicate("\n", timeout=30)
    assert int(seen) > 20


def test_the_attack_wins_against_a_path(box, precious):
    """What the other tests rely on: a command of root's that takes a path does give root's files away."""
    before = precious()
    with swapped(box, {f"{WWW}/pages": SENTINEL}):
        box.shell(f"""for i in $(seq 3000); do
                          chown -h carol: {WWW}/pages/shadow
                          [ "$(stat -c %U {SENTINEL}/shadow)" = root ] || exit 0
                      done""")
    assert precious() != before


@pytest.mark.parametrize("command", [f"bellhopctl cert carol --install {PAIR}", "bellhopctl cert carol --self-signed --force",
                                     f"rm -rf {TLS} && bellhopctl cert carol --install {PAIR}",
                                     f"bellhopctl cert carol --self-signed --force && {REQUEST}"])
def test_certificates(box, precious, command):
    before = precious()
    with swapped(box, IN_TLS):
        for _ in range(ROUNDS):
            box.try_run("bash", "-c", command)
    assert precious() == before
    box.shell(f"rm -rf {TLS}/.*.new; {command}")
    for name in ("fullchain.pem", "privkey.pem"):
        assert box.run("stat", "-c", "%F %U %a %h", f"{TLS}/{name}") == "regular file carol 400 1\n"
    assert precious() == before


@pytest.mark.parametrize("mistake, kind", [(f"chmod 0644 {TLS}/privkey.pem", "key-exposed"),
                                           (f"chmod 0777 {WWW}", "document-root-writable"),
                                           (f"rm -rf {TLS}; sed -i '$a Http=redirect' {FILE}", "redirect-without-tls"),
                                           ("systemctl stop bellhop@carol.socket", "socket-not-started")])
def test_advice(box, precious, mistake, kind):
    """Every advice that is a command, and concerns what is a customer's."""
    before = precious()
    box.shell(mistake)
    found = [entry for entry in json.loads(box.try_run("bellhopctl", "check", "--json").stdout)["findings"]
             if entry["kind"] == kind]
    assert found and is_command(found[0]["advice"])
    with swapped(box, IN_TLS | {f"{WWW}/pages": SENTINEL}):
        for _ in range(ROUNDS):
            box.try_run("bash", "-c", found[0]["advice"])
    assert precious() == before


def test_check(box, precious):
    """It is root's, and gives no advice that leads out of the folder."""
    before = precious()
    with swapped(box, IN_TLS | {f"{WWW}/pages": SENTINEL}):
        for _ in range(ROUNDS):
            entries = json.loads(box.try_run("bellhopctl", "check", "--json").stdout)["findings"]
            for advice in {entry["advice"] for entry in entries if entry["advice"] and is_command(entry["advice"])}:
                box.try_run("bash", "-c", advice)
    assert precious() == before


def test_remove_and_add(box, precious):
    before = precious()
    places = IN_TLS | {f"{WWW}/pages": SENTINEL, f"{WWW}/pages/deep": f"{SENTINEL}/deep", f"{WWW}/index.html": "/etc/shadow",
                       "/home/carol/public_html": SENTINEL}
    with swapped(box, places):
        for _ in range(3):
            box.run("bellhopctl", "remove", "--purge", "--yes", "carol")
            box.run("bellhopctl", "add", "carol", "--self-signed", "--host=carol.example")
            box.shell(f"rm -rf /home/carol/public_html*; runuser -u carol -- mkdir -p {WWW}/pages/deep || true")
    assert precious() == before
    box.shell("rm -rf /home/carol/public_html*")


def test_archive(box, precious):
    """What documents say of tar: it reads as root, and follows no link, whatever becomes one meanwhile."""
    before = precious()
    with swapped(box, {f"{WWW}/pages": SENTINEL, f"{WWW}/pages/deep": f"{SENTINEL}/deep",
                       f"{WWW}/pages/shadow": f"{SENTINEL}/shadow"}):
        box.shell(f"""for i in $(seq 100); do
                          tar -cf /root/carol.tar -C / srv/www/carol 2>/dev/null || true
                          if grep -q secret /root/carol.tar; then exit 1; fi
                      done; test "$(stat -c %U {WWW})" = carol""")
    assert precious() == before


# --- what cert --install takes ---


@pytest.mark.parametrize("make, says", [
    ("openssl ecparam -name prime256v1 -genkey -noout -out /root/pair/privkey.pem", "does not belong to the first certificate"),
    ("openssl ec -aes256 -passout pass:x -in /root/pair/privkey.pem -out /root/pair/x 2>/dev/null; "
     "cp /root/pair/x /root/pair/privkey.pem", "the key is encrypted"),
    ("echo hello >/root/pair/fullchain.pem", "it contains no certificate"),
    ("sed -i 3d /root/pair/fullchain.pem", "it contains a damaged certificate"),
    ("rm /root/pair/privkey.pem", "No such file or directory"),
    ("rm /root/pair/privkey.pem; mkfifo /root/pair/privkey.pem", "is not a regular file"),
    ("truncate -s 2M /root/pair/fullchain.pem", "File too large"),
    ("chown carol /root/pair", "users other than root can change /root/pair"),
    ("chmod 0777 /root/pair", "users other than root can change /root/pair"),
    ("chown carol /root/pair/privkey.pem", "users other than root can change /root/pair/privkey.pem"),
    # A neighbour's pair, by way of what the customer has uploaded.
    ("rm /root/pair/*; mkdir -p /home/carol/up; ln -sf /etc/bellhop/tls/bob/fullchain.pem /etc/bellhop/tls/bob/privkey.pem "
     "/home/carol/up; chown -h carol: /home/carol/up/* /home/carol/up; ln -s /home/carol/up/* /root/pair/",
     "users other than root can change /home/carol")])
def test_what_is_not_installed(box, precious, make, says):
    before = box.shell(f"sha256sum {TLS}/*; stat -c '%n %U %a' {TLS}/*")
    box.shell(make)
    done = box.try_run("bash", "-c", f"bellhopctl cert carol --install {PAIR}")
    assert done.returncode == 1 and says in done.stderr, done
    assert box.shell(f"sha256sum {TLS}/*; stat -c '%n %U %a' {TLS}/*") == before
    assert precious


def test_certificate_for_the_present_key(box, precious):
    """What an authority has made of a request; the key stays, with owner and mode."""
    box.shell(f"rm -rf {TLS}; bellhopctl cert carol --self-signed")
    before = box.shell(f"sha256sum {TLS}/*; stat -c '%n %U %a %i' {TLS}/privkey.pem")
    done = box.try_run("bellhopctl", "cert", "carol", "--install", "/root/pair/fullchain.pem")
    assert done.returncode == 1 and "the output of 'bellhopctl cert carol --request'" in done.stderr, done
    assert box.shell(f"sha256sum {TLS}/*; stat -c '%n %U %a %i' {TLS}/privkey.pem") == before
    box.shell(REQUEST)
    assert box.shell(f"sha256sum {TLS}/privkey.pem; stat -c '%n %U %a %i' {TLS}/privkey.pem") == "".join(
        line for line in before.splitlines(True) if "privkey" in line)
    assert box.run("stat", "-c", "%U %a", f"{TLS}/fullchain.pem") == "carol 400\n"
    installed, = json.loads(box.run("bellhopctl", "cert", "carol", "--json"))["certificates"]
    assert installed["private_key"] == "matches" and not installed["self_signed"]
    assert f"serial={installed['serial'].replace(':', '')}\n" in box.client(
        "sh", "-c", "openssl s_client -connect 127.0.0.1:443 -servername carol.example </dev/null 2>&1 | "
        "openssl x509 -noout -serial")
    # A key that is a neighbour's is neither signed with nor copied.
    before = precious()
    box.shell(f"ln -sf /etc/bellhop/tls/bob/privkey.pem {TLS}/privkey.pem")
    for words in (["--request"], ["--install", "/etc/bellhop/tls/bob/fullchain.pem"], ["--install", "/root/pair/signed.pem"]):
        done = box.try_run("bellhopctl", "cert", "carol", *words)
        assert (done.returncode, done.stdout) == (1, "") and done.stderr, done
    assert precious() == before and box.run("readlink", f"{TLS}/privkey.pem") == "/etc/bellhop/tls/bob/privkey.pem\n"
    box.shell(f"rm {TLS}/privkey.pem")
    done = box.try_run("bellhopctl", "cert", "carol", "--install", "/root/pair/signed.pem")
    assert done.returncode == 1 and "'bellhopctl cert carol --self-signed' makes one" in done.stderr, done
    box.shell(f"bellhopctl cert carol --install {PAIR}")


def test_who_gets_no_certificate(box, precious):
    for name, says in (("nobody-there", "There is no user nobody-there"), ("root", "User root can't have an instance"),
                       ("bellhop", "User bellhop can't have an instance"), ("../bob", "is not a valid name of an instance")):
        done = box.try_run("bash", "-c", f"bellhopctl cert {name} --install {PAIR}")
        assert done.returncode == 1 and says in done.stderr, done
    assert precious
    for words in ("carol --install", f"carol {PAIR}", "carol --install a b c"):
        assert box.try_run("bash", "-c", f"bellhopctl cert {words}").returncode == 2
    done = box.try_run("bash", "-c", f"setpriv --reuid=carol --clear-groups bellhopctl cert carol --install {PAIR}")
    assert done.returncode == 1 and "Only root" in done.stderr


def test_check_reads_no_certificate_of_a_neighbour(box, precious):
    """A link to it changes places with the customer's own, between any two system calls of check. The customer's own is
    for all hosts and fits its key, so each finding about that is one about the neighbour's."""
    before = precious()
    links = {f"{TLS}/{name}": f"/etc/bellhop/tls/bob/{name}" for name in ("fullchain.pem", "privkey.pem")}
    with swapped(box, links):
        found = [json.loads(box.try_run("bellhopctl", "--json", "check").stdout)["findings"] for _ in range(40)]
    kinds = {entry["kind"] for each in found for entry in each if entry["instance"] == "carol"}
    assert not kinds & {"certificate-lacks-host", "key-mismatch", "certificate-expired"}, kinds
    assert "certificate-unreadable" in kinds
    assert precious() == before
