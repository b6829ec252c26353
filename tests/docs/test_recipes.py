# SPDX-License-Identifier: MIT
"""doc/recipes.md: each of the twelve answers works as it is written."""

import re

import pytest
from fixtures import machine_with_customers, packages
from markdown import Document
from mx import MailServer
from showcase import ALICE, BOB
from test_life import status_of, steady
from test_migrating import answers

WWW = f"www.{ALICE}"
LOAD_BALANCER, WEB1, WEB2 = "192.0.2.8", "192.0.2.11", "192.0.2.12"
COMMANDS_MAX = 9
OTHERS = "haproxy rsync"
INSTALL = f"""
    export DEBIAN_FRONTEND=noninteractive
    rm -f /usr/sbin/policy-rc.d /var/lib/man-db/auto-update
    for unit in {OTHERS}; do ln -s /dev/null /etc/systemd/system/$unit.service; done
    dpkg --force-depends --force-unsafe-io --no-triggers --unpack /root/*.deb
    dpkg --force-unsafe-io --configure --pending
    rm /etc/systemd/system/haproxy.service
    systemctl daemon-reload
"""
PYTHON = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"python at " + environ["PATH_INFO"].encode()]
"""
NODE = """
require('http').createServer((request, response) => response.end('node at ' + request.url)).listen('/home/alice/app.sock');
"""
DATABASE = """<?php
$database = new mysqli('localhost', 'alice', '', 'alice');
$database->query('CREATE TABLE IF NOT EXISTS visits (n INT)');
echo $database->query('SELECT CURRENT_USER()')->fetch_row()[0];
"""


@pytest.fixture(name="box", scope="module")
def box_fixture():
    """A machine for these alone, with all packages that the recipes install."""
    for machine in machine_with_customers("bellhop-recipes"):
        for deb in packages("recipes"):
            machine.path(f"/root/{deb.name}").write_bytes(deb.read_bytes())
        machine.shell(INSTALL, timeout=300)
        yield machine


@pytest.fixture(name="recipes", scope="module")
def recipes_fixture():
    return Document("recipes.md")


@pytest.fixture(name="commands", scope="module")
def commands_fixture(box, recipes):
    """The blocks of a recipe, without the installation of packages, which are installed."""
    def of(heading):
        title, = (title for title in recipes.sections if heading in title)
        recipes.commands(title)
        blocks = []
        for block in recipes.sections[title]:
            for names in re.findall(r"^apt-get install -y ([^#\n]*)", block, re.MULTILINE):
                for name in (word for word in names.split() if not word.startswith("-")):
                    assert box.run("dpkg-query", "-W", "-f", "${Status}", name) == "install ok installed"
            blocks.append(re.sub(r"^apt-get install .*\n", "", block, flags=re.MULTILINE))
        return blocks

    return of


@pytest.fixture(name="alice")
def alice_fixture(box):
    """Writes files like alice, and restores the settings afterwards."""
    before = box.path("/etc/bellhop/instances/alice.conf").read_text()

    def write(path, text):
        box.write(path, text)
        box.shell(f"chown -R alice: {path}")

    yield write
    box.write("/etc/bellhop/instances/alice.conf", before)
    box.run("bellhopctl", "apply")


def test_twelve_questions_are_listed(recipes):
    """Each by the anchor that GitHub makes of its heading, and in fewer than ten lines of commands."""
    listed = re.findall(r"^\d+\. \[(.*?)\]\(#(.*?)\)$", recipes.text, re.MULTILINE)
    headings = re.findall(r"^## (.*)$", recipes.text, re.MULTILINE)
    assert [title for title, _ in listed] == headings and len(headings) == 12
    for title, anchor in listed:
        assert anchor == re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        assert sum(len(block.splitlines()) for block in recipes.sections[title]) <= COMMANDS_MAX, title


def test_memory_limit_of_php(box, commands, alice):
    one, every = commands("memory limit")
    for name, host in (("alice", ALICE), ("bob", BOB)):
        box.write(f"/srv/www/{name}/limit.php", "<?php ini_set('memory_limit', '300M'); echo ini_get('memory_limit');")
        box.run("chown", f"{name}:", f"/srv/www/{name}/limit.php")
        assert box.curl(f"https://{host}/limit.php") == "300M"
    with steady(box, ALICE, BOB):
        box.shell(one)
        assert box.curl(f"https://{ALICE}/limit.php") == "512M"
        alice("/srv/www/alice/.user.ini", "memory_limit = 400M\n")
        assert box.curl(f"https://{ALICE}/limit.php") == "512M"
    for name in ("alice", "bob"):
        box.write(f"/srv/www/{name}/limit.php", "<?php echo ini_get('memory_limit');")
    with steady(box, ALICE, BOB):
        box.shell(every)
        assert [box.curl(f"https://{host}/limit.php") for host in (ALICE, BOB)] == ["512M", "256M"]
    box.shell("rm /etc/bellhop/sites/alice/php.fpm /srv/www/alice/.user.ini; bellhopctl apply")


def test_mysql(box, commands, alice):
    box.wait_for("MariaDB", lambda: box.try_run("mariadb", "-e", "SELECT 1").returncode == 0)
    alice("/srv/www/alice/database.php", DATABASE)
    # As before php-mysql was installed.
    box.curl(f"https://{ALICE}/database.php")
    box.shell(commands("MySQL")[0])
    assert box.curl(f"https://{ALICE}/database.php") == "alice@localhost"
    assert "Access denied" in box.try_run("runuser", "-u", "bob", "--", "mariadb", "-u", "alice", "alice").stderr


def test_mail(box, commands, alice):
    server = MailServer(box)
    alice("/srv/www/alice/mail.php", "<?php var_dump(mail('erin@host.example', 'Welcome', 'Text'));")
    assert box.curl(f"https://{ALICE}/mail.php") == "bool(true)\n"
    said = box.shell(commands("mail")[0])
    assert "Mail limit: 5000 messages a day" in said, said
    server.process.terminate()
    server.process.wait()


def test_redirect(box, commands, alice):  # pylint: disable=unused-argument
    change, look = commands("redirect www")[0].splitlines()
    box.shell(change)
    seen = box.client("bash", "-c", look.replace("curl ", "curl -k --resolve '*:443:127.0.0.1' ") + "; true")
    assert re.findall(r"^(?:HTTP/\S+|location:) (\S+)", seen, re.MULTILINE | re.IGNORECASE) == [
        "301", f"https://{WWW}/", "301", f"https://{ALICE}/", "200"]


def test_cron_and_sftp(box, commands, recipes, alice):
    path = "/etc/ssh/sshd_config.d/customers.conf"
    box.write(path, recipes.files[path])
    box.shell("rm -f /root/alice*; ssh-keygen -q -t ed25519 -N '' -f /root/alice")
    alice("/srv/www/alice/cron.php", "<?php file_put_contents('/srv/www/alice/cron.txt', get_current_user());")
    # The job is due at the next minute.
    box.shell("cd /root\n" + commands("cron jobs")[0].replace("*/15", "*"))
    sftp = "sftp -q -b - -i /root/alice -o StrictHostKeyChecking=no alice@127.0.0.1"
    said = box.shell(f"printf 'put /etc/hostname page.txt\\npwd\\nls /\\n' | {sftp}")
    assert "Remote working directory: /alice" in said and "bob" in said, said
    assert box.path("/srv/www/alice/page.txt").stat().st_uid == box.uid("alice")
    for command in ("ls /bob", "ls /etc"):
        assert box.try_run("bash", "-c", f"echo '{command}' | {sftp}").returncode != 0
    shell = box.try_run("ssh", "-i", "/root/alice", "-o", "StrictHostKeyChecking=no", "alice@127.0.0.1", "id")
    assert "uid=" not in shell.stdout


@pytest.mark.parametrize("kind", ["python", "node"])
def test_application(box, commands, recipes, alice, kind):
    path = "/etc/systemd/system/alice-app.service"
    unit = recipes.files[path]
    if kind == "node":
        unit = re.sub(r"^ExecStart=.*\n# For Node: ", "", unit, flags=re.MULTILINE)
    box.write(path, unit)
    alice("/home/alice/app/app.py", PYTHON)
    alice("/home/alice/app/app.js", NODE)
    box.run("chown", "-R", "alice:", "/home/alice/app")
    try:
        start, look = commands("Node or Python")[0].split("bellhopctl check", 1)
        box.shell(start)
        box.wait_for("the application", lambda: box.path("/home/alice/app.sock").exists())
        said = box.shell("bellhopctl check" + look)
        assert "0 errors" in said, said
        assert box.curl(f"https://{ALICE}/some/page") == f"{kind} at /some/page"
        assert box.curl(f"http://{ALICE}/") == f"{kind} at /"
        assert box.path("/home/alice/app.sock").stat().st_mode & 0o077 == 0
        box.run("systemctl", "restart", "alice-app.service")
        box.wait_for("the application again", lambda: box.curl(f"http://{ALICE}/") == f"{kind} at /")
    finally:
        box.shell("systemctl disable --now alice-app.service; rm /etc/bellhop/sites/alice/app.conf; bellhopctl apply;"
                  "rm -f /home/alice/app.sock")


def test_goaccess(box, commands):
    for host, page in ((ALICE, "a-page"), (WWW, "another-page"), (BOB, "bobs-page")):
        box.curl(f"https://{host}/{page}?x", "-A", "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0")
        box.wait_for("the line", lambda p=page: p in box.log("."))
    box.shell(commands("goaccess")[0])
    one, every = (box.path(f"/var/lib/{name}-report.html").read_text() for name in ("alice", "all"))
    assert "a-page" in one and "another-page" in one and "bobs-page" not in one
    for text in ("a-page", "bobs-page", ALICE, BOB, "127.0.0.1"):
        assert text in every, text
    assert '"failed_requests": 0' in every or '"failed_requests":0' in every


@pytest.fixture(name="believed")
def believed_fixture(box, authority):
    """The authority is that of all instances, and signs for all hosts. An attempt that fails is soon repeated."""
    box.shell(f"""
        cat {authority} >>/etc/ssl/certs/ca-certificates.crt
        cp /etc/bellhop/acme/default.conf /root
        printf 'Directory=https://acme.example:14000/acme/local/directory\\nRetrySec=2s\\n' >>/etc/bellhop/acme/default.conf
        echo '127.0.0.1 {BOB} dora.example www.dora.example emil.example' >>/etc/hosts
    """)
    yield
    box.shell("mv /root/default.conf /etc/bellhop/acme/")


def issuer(box, name):
    return box.run("bellhopctl", "cert", name)


@pytest.mark.usefixtures("believed")
def test_certificates_for_all(box, commands):
    for name in ("alice", "bob"):
        box.run("bellhopctl", "cert", name, "--self-signed", "--force")
    with steady(box, ALICE, BOB):
        said = box.shell(commands("get certificates")[0])
        assert "errors" in said
        for name in ("alice", "bob"):
            box.wait_for(f"{name}'s certificate", lambda n=name: "Caddy" in issuer(box, n), seconds=60)
    assert "0 errors" in box.run("bellhopctl", "check")


@pytest.mark.usefixtures("believed")
def test_many_customers(box, commands):
    said = box.try_run("bash", "-euc", commands("300 customers")[0])
    assert "dora" in said.stdout, said
    for name, host in (("dora", "www.dora.example"), ("emil", "emil.example")):
        box.wait_for(f"{name}'s certificate", lambda n=name: "Caddy" in issuer(box, n), seconds=60)
        assert status_of(box, f"https://{host}/") == "200"
    assert box.show("bellhop@dora.service", "MemoryMax") == str(2**30)
    assert "Everything already exists" in box.run("bellhopctl", "import", "/root/customers.csv")
    for name in ("dora", "emil"):
        box.run("bellhopctl", "remove", "--purge", "--yes", name)


def test_which_customer_uses_the_machine(box, commands):
    box.curl(f"https://{ALICE}/")
    said = box.shell(commands("uses the machine")[0])
    assert "CPU" in said and "alice" in said, said


@pytest.fixture(name="balanced")
def balanced_fixture(box, recipes):
    """HAProxy in a network of its own, where clients are; web1 and web2 are two addresses of this machine."""
    path = "/etc/haproxy/haproxy.cfg"
    box.write(path, recipes.files[path])
    box.shell(f"""
        ip netns add lb
        ip link add lb0 type veth peer name lb1 netns lb
        ip address add {WEB1}/24 dev lb0
        ip address add {WEB2}/24 dev lb0
        ip link set lb0 up
        ip -n lb address add {LOAD_BALANCER}/24 dev lb1
        ip -n lb link set lb1 up
        ip -n lb link set lo up
        mkdir -p /etc/systemd/system/haproxy.service.d
        printf '[Service]\\nNetworkNamespacePath=/run/netns/lb\\n' >/etc/systemd/system/haproxy.service.d/lb.conf
        systemctl daemon-reload
    """)
    for name in ("alice", "bob"):
        box.write_page(name, "machine.cgi", 'echo "$SERVER_ADDR $REMOTE_ADDR"')
    yield
    box.shell("systemctl stop haproxy.service; ip netns delete lb;"
              "rm /etc/bellhop/router.conf.d/proxy.conf /etc/bellhop/sites/*/proxy.conf; bellhopctl apply")


@pytest.mark.usefixtures("balanced")
def test_several_machines(box, commands):
    """Each host leads to its machine, by TLS and by HTTP, with the client's own address."""
    ssh = 'ssh() { case $1 in *web1) bellhopctl export alice;; *) bellhopctl export bob;; esac; }\n'
    box.shell(ssh + commands("several machines")[0])
    box.shell(Document("operations.md").commands("Behind a load balancer"))
    for host, machine in ((ALICE, WEB1), (WWW, WEB1), (BOB, WEB2)):
        for scheme in ("http", "https"):
            seen = box.run("ip", "netns", "exec", "lb", "curl", "-sSk", "--max-time", "20", "--interface", "127.0.0.9",
                           "--connect-to", "::127.0.0.1:", f"{scheme}://{host}/machine.cgi")
            assert seen == f"{machine} 127.0.0.9\n", (scheme, host)


def test_cron_has_run(box):
    box.wait_for("cron", lambda: box.path("/srv/www/alice/cron.txt").exists(), seconds=130)
    assert box.path("/srv/www/alice/cron.txt").stat().st_uid == box.uid("alice")
    box.run("rm", "/etc/cron.d/alice")


def test_bellhop_beside_it(old, recipes):
    """Both families, both protocols; the old server notices nothing."""
    before = answers(old)
    heading, = (title for title in recipes.sections if "beside a running" in title)
    recipes.commands(heading)
    begin, end = recipes.sections[heading]
    assert old.shell(begin).count("<h1>carol</h1>") == 2
    assert "0 errors, 0 warnings" in old.run("bellhopctl", "check")
    for address in ("127.0.0.1", "[::1]"):
        for url in ("http://carol.example:8080/", "https://carol.example:8443/"):
            assert "<h1>carol</h1>" in old.client("curl", "-sSk", "--connect-to", f"::{address}:", url)
    assert answers(old) == before
    old.run("systemctl", "restart", "apache2.service")
    assert answers(old) == before
    old.shell(end)
    assert ":8080 " not in old.run("ss", "-Hltn") and old.try_run("id", "carol").returncode != 0
    assert answers(old) == before


def test_all_commands_were_run(recipes):
    assert recipes.not_run() == set()
