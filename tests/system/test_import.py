# SPDX-License-Identifier: MIT
"""bellhopctl import, from JSON and CSV, and from Apache as panels for hosting configure it: each connection goes to
the same customer as in Apache itself. BELLHOP_CUSTOMERS=300 makes as many customers as a large machine has."""

import json
import os
import pathlib
import random
import re
import shlex
import subprocess
import time

import pytest
from box import Box

HERE = pathlib.Path(__file__).parent
COUNT, UNKNOWN = int(os.environ.get("BELLHOP_CUSTOMERS", "20")), 1000
LONG = 600 + 4 * COUNT  # seconds
PORTS = {"hestia": ("8080", "8443")}
PANELS = ["hestia", "ispconfig", "froxlor", "virtualmin"]


# --- from JSON and CSV ---


@pytest.fixture(name="gone")
def _gone(box):
    """Instances that a test has made are no more."""
    names = []
    yield names
    for name in names:
        box.shell(f"bellhopctl remove --purge --yes {name} || true; userdel -rf {name} 2>/dev/null || true;"
                  f"rm -rf /etc/systemd/system*/bellhop@{name}.service.d")
    box.run("systemctl", "daemon-reload")


def write(box, path, *entries):
    box.write(path, json.dumps({"instances": entries}, indent=3))
    return path


def files(box):
    """{path: what it is} of all that import may write."""
    return box.shell("find /etc/bellhop /etc/systemd /etc/passwd /srv/www /home -printf '%p %i %T@ %u %m\\n' | sort")


def run(box, *arguments, status=0):
    done = box.try_run("bellhopctl", "import", *arguments, timeout=LONG)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


def test_json(box, gone):
    """User, certificate, snippet, settings: served at once, and there is nothing to do a second time."""
    gone += ["emil", "fritz"]
    box.shell("""
        mkdir -p /root/import && cd /root/import
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 90 -subj /CN=emil.example \
                -addext "subjectAltName=DNS:emil.example,DNS:*.emil.example" -keyout emil.key -out emil.pem 2>/dev/null
    """)
    plan = write(box, "/root/import/plan.json", {
        "instance": "emil", "hosts": ["emil.example", "*.emil.example"], "create_user": True, "http": "redirect",
        "certificate": "/root/import/emil.pem", "key": "/root/import/emil.key", "idle_seconds": 3600,
        "snippets": {"header.conf": "Header always set X-From import\r\n"}, "tasks_max": 100, "cpu_max_percent": 150,
    }, {"instance": "fritz", "hosts": ["fritz.example"], "create_user": True, "suspended": True})
    before = files(box)
    assert "This is what would be done." in run(box, "--dry-run", plan)
    assert files(box) == before
    run(box, plan)
    assert "x-from: import" in box.client("curl", "-sik", "--connect-to", "::127.0.0.1:", "https://www.emil.example/")
    assert "Location: https://emil.example/" in box.curl("http://emil.example/", "-i")
    assert box.curl("http://fritz.example/", "-i").startswith("HTTP/1.1 503")
    assert box.show("bellhop@emil.service", "TasksMax") == "100"
    assert box.run("stat", "-c", "%U:%G %a", "/etc/bellhop/sites/emil", "/etc/bellhop/sites/emil/header.conf") == (
        "root:emil 750\nroot:emil 640\n")
    assert box.run("stat", "-c", "%U %a", "/etc/bellhop/tls/emil/privkey.pem") == "emil 400\n"
    assert "0 errors" in box.run("bellhopctl", "check", "--instance", "emil")
    after = files(box)
    assert run(box, plan) == "Everything already exists with these settings.\n"
    assert json.loads(run(box, "--json", plan))["changes"] == []
    assert files(box) == after


def test_nginx(box, gone):
    """Snippets are judged by the server that is to have them, which is the one that is there if the plan names none."""
    gone.append("emil")
    entry = {"instance": "emil", "hosts": ["emil.example"]}
    new = {**entry, "create_user": True, "server": "nginx", "snippets": {
        "x.conf": "location = /x { return 402; }\n", "x.http": "map $uri $x { default 1; }\n"}}
    plan = write(box, "/root/plan.json", new)
    other = "Redirect 410 /x\n"
    box.run("mv", "/usr/sbin/nginx", "/root/nginx")
    try:
        assert "/usr/sbin/nginx does not exist, so the instance would not start" in run(box, plan, status=1)
    finally:
        box.run("mv", "/root/nginx", "/usr/sbin/nginx")
    assert "unexpected end of file" in run(box, write(box, "/root/bad.json", {**new, "snippets": {"x.conf": other}}), status=1)
    assert not box.path("/etc/bellhop/instances/emil.conf").exists()

    def status():
        return box.curl("http://emil.example/x", "-o", "/dev/null", "-w", "%{http_code}")

    run(box, plan)
    assert status() == "402"
    assert run(box, plan) == "Everything already exists with these settings.\n"
    run(box, write(box, "/root/more.json", {**entry, "snippets": {"x.conf": "location = /x { return 406; }\n"}}))
    assert status() == "406"
    before = files(box)
    assert "unexpected end of file" in run(box, write(box, "/root/bad.json", {**entry, "snippets": {"x.conf": other}}), status=1)
    assert "Invalid command 'location'" in run(box, write(box, "/root/bad.json", {**entry, "server": "apache"}), status=1)
    assert files(box) == before and status() == "406"
    run(box, write(box, "/root/other.json", {**entry, "server": "apache", "snippets": {"x.conf": other}}))
    assert status() == "410"
    # Those for one server.
    both = {"x.conf": "# none\n", "x.apache": other, "x.nginx": "location = /x { return 407; }\n"}
    run(box, write(box, "/root/both.json", {**entry, "snippets": both}))
    assert status() == "410"
    run(box, write(box, "/root/both.json", {**entry, "server": "nginx"}))
    assert status() == "407"
    twice = {**entry, "snippets": {"x.conf": "location = /x { return 408; }\n"}}
    assert "duplicate location" in run(box, write(box, "/root/bad.json", twice), status=1)


def test_suspended_before_it_is_served(box, gone):
    """No client sees the pages of a suspended customer, not even for a moment, or when the target is started
    later."""
    gone += ["otto"]
    entry = {"instance": "otto", "hosts": ["otto.example"], "create_user": True, "suspended": True}
    box.run("systemctl", "stop", "bellhop-router.socket", "bellhop-router.service")
    try:
        run(box, write(box, "/root/import/plan.json", entry))
        assert "Suspended=yes\n" in box.path("/etc/bellhop/instances/otto.conf").read_text()
    finally:
        box.run("systemctl", "start", "bellhop-router.socket", "bellhop-router.service")
    box.shell("bellhopctl remove --purge --yes otto; systemctl stop bellhop@otto.socket || true")
    done = [change["what"] for change in json.loads(run(box, "--json", "/root/import/plan.json"))["changes"]]
    assert done.index("suspend otto") < done.index("start the hand-off socket of otto")
    assert box.curl("http://otto.example/", "-i").startswith("HTTP/1.1 503")


def test_changes_what_is_there(box, gone):
    """What a plan says is changed, what it does not say stays; what export prints changes nothing."""
    gone += ["karl"]
    key = {"instance": "karl", "create_user": True}
    run(box, write(box, "/root/import/plan.json", {**key, "hosts": ["karl.example"], "idle_seconds": 90, "tasks_max": 100,
                                                   "mail_per_day": 2}))
    run(box, write(box, "/root/import/plan.json", {**key, "hosts": ["*.karl.example", "new.example"], "tasks_max": 120,
                                                   "mail_per_day": 3}))
    found = json.loads(box.run("bellhopctl", "export", "karl"))["instances"][0]
    assert (found["hosts"], found["idle_seconds"], found["tasks_max"], found["mail_per_day"]) == (
        ["*.karl.example", "new.example"], 90, 120, 3)
    assert "karl" in box.curl("http://a.karl.example/") and box.curl("http://karl.example/", "-i").startswith("HTTP/1.1 421")
    box.write("/root/import/export.json", box.run("bellhopctl", "export"))
    before = files(box)
    assert run(box, "/root/import/export.json") == "Everything already exists with these settings.\n"
    run(box, write(box, "/root/import/plan.json", {"instance": "karl", "default": False, "hosts": ["new.example"],
                                                   "tasks_max": None}))
    assert files(box) != before
    assert json.loads(box.run("bellhopctl", "export", "karl"))["instances"][0]["tasks_max"] is None


def test_csv(box, gone):
    gone += ["gustav", "hugo"]
    box.write("/root/import/plan.csv", "instance,hosts,create_user,http,idle_seconds\r\n"
              "gustav,gustav.example www.gustav.example,yes,,90\r\nhugo,*.hugo.example,yes,serve,\r\n")
    run(box, "/root/import/plan.csv")
    assert "gustav" in box.curl("http://www.gustav.example/") and "hugo" in box.curl("http://any.hugo.example/")
    assert "IdleSec=90s" in box.path("/etc/bellhop/instances/gustav.conf").read_text()
    assert run(box, "/root/import/plan.csv") == "Everything already exists with these settings.\n"


def test_goes_on_where_it_stopped(box, gone):
    """What can't be done of one keeps no other, and the same command goes on."""
    gone += ["ida", "jana"]
    entries = [{"instance": name, "hosts": [f"{name}.example"], "create_user": True} for name in ("ida", "jana")]
    plan = write(box, "/root/import/plan.json", *entries)
    box.shell("mkdir -p /srv/www; touch /srv/www/.ida.new")
    assert "ida: " in run(box, plan, status=1)
    assert "jana" in box.curl("http://jana.example/")
    assert not box.path("/etc/bellhop/instances/ida.conf").exists()
    box.shell("rm /srv/www/.ida.new")
    run(box, plan)
    assert "ida" in box.curl("http://ida.example/")


def test_mistakes_before_anything_is_changed(box):
    """All of them, each with its place."""
    plan = write(box, "/root/import/plan.json",
                 {"instance": "kurt", "hosts": ["kurt.example"]},
                 {"instance": "alice", "hosts": ["alice.example", "new.example"], "snippets": {"x.conf": "Frobnicate On\n"}},
                 {"instance": "bob", "hosts": ["alice.example"]},
                 {"instance": "lisa", "hosts": ["lisa.example"], "create_user": True, "certificate": "/nowhere",
                  "key": "/nowhere"})
    before = files(box)
    said = run(box, plan, status=1)
    assert files(box) == before
    for what in (r":4: instance: user kurt does not exist", r":\d+: hosts: alice.example is already in \S+ \(alice\)",
                 r":\d+: certificate: /nowhere: No such file", r"Nothing was changed."):
        assert re.search(what, said), said
    plan = write(box, "/root/import/plan.json",
                 {"instance": "alice", "hosts": ["alice.example"], "snippets": {"x.conf": "\nFrobnicate On\n"}})
    assert "snippets: Invalid command 'Frobnicate'" in run(box, plan, status=1) and files(box) == before


def test_key_of_a_neighbour(box):
    """A plan's files are read as the customer where the customer could put a link to a neighbour's."""
    box.shell("""
        install -d -o alice -g alice /home/alice/tls
        runuser -u alice -- ln -sfn /etc/bellhop/tls/bob/fullchain.pem /home/alice/tls/cert.pem
        runuser -u alice -- ln -sfn /etc/bellhop/tls/bob/privkey.pem /home/alice/tls/key.pem
    """)
    plan = write(box, "/root/import/plan.json", {
        "instance": "alice", "hosts": ["alice.example"], "certificate": "/home/alice/tls/cert.pem",
        "key": "/home/alice/tls/key.pem"})
    before = box.run("sha256sum", "/etc/bellhop/tls/alice/privkey.pem")
    said = run(box, plan, status=1)
    assert "certificate: as alice: " in said and "Permission denied" in said
    assert box.run("sha256sum", "/etc/bellhop/tls/alice/privkey.pem") == before


@pytest.mark.parametrize("what", ["ln -sfn /dev/zero", "mkfifo"])
def test_certificate_without_end(box, what):
    """Of a link that leads to what never ends, or of a fifo that has no end; the certificate is installed."""
    box.shell(f"""
        cp -a /etc/bellhop/tls/alice /root/tls.alice
        cp /etc/bellhop/tls/alice/fullchain.pem /root/import/alice.pem; cp /etc/bellhop/tls/alice/privkey.pem /root/import/alice.key
        rm /etc/bellhop/tls/alice/fullchain.pem
        runuser -u alice -- {what} /etc/bellhop/tls/alice/fullchain.pem
    """)
    plan = write(box, "/root/import/plan.json", {"instance": "alice", "hosts": ["alice.example"], "snippets": {},
                                                 "certificate": "/root/import/alice.pem", "key": "/root/import/alice.key"})
    try:
        done = box.try_run("bash", "-c", f"ulimit -v 1000000; bellhopctl import --dry-run {plan}", timeout=100)
        assert (done.returncode, done.stderr) == (0, "") and "install the certificate of alice" in done.stdout
    finally:
        box.shell("rm -r /etc/bellhop/tls/alice; mv /root/tls.alice /etc/bellhop/tls/alice")


def test_import_that_was_killed(box):
    """Its keys are in no file any more after the next one; those of one that runs stay."""
    box.shell("mkdir -p /run/bellhop-import.killed/tls /run/bellhop-import.runs; touch /run/bellhop-import.killed/tls/key")
    plan = write(box, "/root/import/plan.json", {"instance": "alice", "hosts": ["new.example"]})
    with box.popen_run("flock", "/run/bellhop-import.runs", "sh", "-c", "echo has it; cat", stdin=subprocess.PIPE,
                       stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == "has it\n"
        run(box, "--dry-run", plan)
        assert box.shell("ls -d /run/bellhop-import.*") == "/run/bellhop-import.runs\n"
        other.stdin.close()
    run(box, "--dry-run", plan)
    assert "No such file" in box.try_run("ls", "/run/bellhop-import.runs").stderr


def test_folders_that_others_can_change(box):
    """systemd follows links as root at each start, so a folder with another's link on the way is bound for nobody."""
    box.shell("install -d -o alice /data /data/alice; chown root: /data; install -d -o alice /data/alice/in; ln -sfn alice /data/link")
    for folders in (["/data/alice/in"], ["/tmp/x"], ["/data/alice", "/home/bob"]):
        plan = write(box, "/root/import/plan.json", {"instance": "alice", "hosts": ["alice.example"], "folders": folders})
        assert "users other than root can change" in run(box, "--dry-run", plan, status=1)
    plan = write(box, "/root/import/plan.json",
                 {"instance": "alice", "hosts": ["alice.example"], "folders": ["/data/alice", "/data/link", "/var/lib/nowhere"]})
    assert "import.conf" in run(box, "--dry-run", plan)


# --- from Apache ---


MODULES = ("mpm_event", "authz_core")


@pytest.mark.parametrize("target", ["/", "/run", "/home/bob", "/tmp/a\n[Service]\nExecStartPre=+/tmp/evil", "/nowhere/%h"])
def test_pages_behind_a_link(box, gone, target):
    """What a customer's link leads to is theirs to choose: no folder but their own is shown, and systemd is told nothing."""
    gone += ["mal"]
    box.shell("""
        useradd --create-home --home-dir /var/www/mal mal
        runuser -u mal -- mkdir -p "$0"
        runuser -u mal -- ln -sfn "$0" /var/www/mal/public
    """.replace('"$0"', shlex.quote(target)).replace("mkdir -p", "mkdir -p" if target.startswith("/tmp") else "true"))
    modules = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in MODULES)
    box.write("/root/import/apache2.conf", f"{modules}User www-data\nServerName old\nErrorLog /dev/null\nListen 80\n"
              "<VirtualHost *:80>\nServerName mal.example\nDocumentRoot /var/www/mal/public\n</VirtualHost>\n")
    said = run(box, "--apache=/root/import/apache2.conf", "--user=mal.example=mal")
    assert "needs a hand: in the snippet, but the sandbox does not show" in said and "\nExec" not in said
    assert "No such file" in box.try_run("ls", "/etc/systemd/system/bellhop@mal.service.d").stderr
    box.shell("rm -rf /tmp/a*; rm /var/www/mal/public /etc/bellhop/sites/mal/import.conf; "
              "runuser -u mal -- mkdir /var/www/mal/public")
    run(box, "--apache=/root/import/apache2.conf", "--user=mal.example=mal")
    assert "BindPaths=-/var/www/mal\n" in box.path("/etc/systemd/system/bellhop@mal.service.d/import.conf").read_text()


@pytest.fixture(name="panel", scope="module", params=PANELS)
def _panel(request):
    """A machine that a panel has configured: (box, panel, what panels.py says of it)."""
    machine = Box(f"bellhop-{request.param}")
    machine.up()
    try:
        for file in ("panels.py", "choice.py"):
            machine.path(f"/root/{file}").write_bytes((HERE / file).read_bytes())
        made = json.loads(machine.run("python3", "/root/panels.py", request.param, COUNT))
        machine.install()
        yield machine, request.param, made
    finally:
        machine.down()


def hosts_of(owners):
    """All, one below each wildcard, and some that nobody has."""
    chance = random.Random(1)
    unknown = [f"{''.join(chance.choices('abcdefghij', k=8))}.{chance.choice(['example', 'test', 'c001.invalid'])}"
               for _ in range(UNKNOWN)]
    return [host.replace("*", "any.thing") for host in owners], unknown


def choice(machine, panel, hosts):
    """{host: [name of the virtual host over HTTP, and over TLS]}, as Apache itself says."""
    machine.write("/root/hosts", "\n".join(hosts))
    return json.loads(machine.shell(f"unshare -n python3 /root/choice.py 192.0.2.80 {' '.join(PORTS.get(panel, ('80', '443')))} "
                                    "</root/hosts", timeout=LONG))


def routes(machine, hosts):
    """{host: [user over TLS, and over HTTP]}, as bellhopctl says."""
    machine.write("/root/hosts", "\n".join(hosts))
    text = machine.shell("while read -r host; do bellhopctl route --json \"$host\" || true; done < <(cat /root/hosts; echo)",
                         timeout=LONG)
    decoder, at, found = json.JSONDecoder(), 0, []
    while at < len(text.rstrip()):
        value, at = decoder.raw_decode(text, at)
        at += len(text[at:]) - len(text[at:].lstrip())
        found.append(value["routes"])
    assert len(found) == len(hosts)
    return {host: {route["protocol"]: route["instance"] for route in each} for host, each in zip(hosts, found)}


def test_panel(panel):
    machine, name, made = panel
    owners, unknown = made["owners"], made["unknown"]
    hosts, strangers = hosts_of(owners)
    said = choice(machine, name, hosts + strangers)
    begin = time.monotonic()
    printed = json.loads(run(machine, "--apache", "--json"))
    print(f"{name}: {len(printed['instances'])} instances in {time.monotonic() - begin:.1f} s")
    assert len(printed["instances"]) == COUNT

    # A verdict on each directive that Apache has read in a virtual host.
    dump = machine.run("apache2", "-f", "/etc/apache2/apache2.conf", "-C",
                       "LoadModule info_module /usr/lib/apache2/modules/mod_info.so", "-t", "-D", "DUMP_CONFIG")
    read, file, line = set(), "", 0
    for row in dump.splitlines():
        file = row.partition("# In file: ")[2] or file
        if found := re.match(r"\s*#\s*(\d+):$", row):
            line = int(found.group(1))
        elif not row.lstrip().startswith(("#", "</")) and row.strip():
            read.add((file, line))
    assert read == {(verdict["file"], verdict["line"]) for verdict in printed["verdicts"]} & read

    # The customer of each connection.
    led = routes(machine, hosts)
    for host in hosts:
        pattern, owner = next(item for item in owners.items() if item[0].replace("*", "any.thing") == host)
        by_http, by_tls = (owners.get(vhost) for vhost in said[host])
        assert by_http == owner and by_tls == (made["unknown_tls"] if pattern in made["plain"] else owner)
        assert led[host] == {"tls": owner, "http": owner}, host
    for host in strangers:
        assert [owners.get(vhost) for vhost in said[host]] == [unknown, made["unknown_tls"]]
    machine.write("/root/hosts", "\n".join(strangers))
    for host, got in json.loads(machine.shell("python3 /root/choice.py 127.0.0.1 80 443 --router </root/hosts",
                                              timeout=LONG)).items():
        if unknown:
            assert got == [f"200 /home/{unknown}/public_html of {unknown}"] * 2, (host, got)
        else:
            assert got[0].startswith("421 ") and got[1] == "TLSV1_UNRECOGNIZED_NAME", (host, got)

    # And what the visitor gets, but where Virtualmin leads to a port of its own.
    for host in random.Random(2).sample([host for host in hosts if not host.startswith(("webmail.", "admin."))], 5):
        owner = led[host]["tls"]
        done = machine.try_client("curl", "-skL", "--connect-to", "::127.0.0.1:", f"http://{host}/")
        assert owner in done.stdout, done
    assert "0 errors" in machine.try_run("bellhopctl", "check", timeout=LONG).stdout

    # A second time, there is nothing to do.
    before = files(machine)
    begin = time.monotonic()
    again = json.loads(run(machine, "--apache", "--json"))
    print(f"{name}: again in {time.monotonic() - begin:.1f} s")
    assert again["changes"] == [] and files(machine) == before and again["verdicts"] == printed["verdicts"]
