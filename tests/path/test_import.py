# SPDX-License-Identifier: MIT
"""bellhopctl import without systemd: what it says of plans with mistakes, and what it makes of a configuration that a real
Apache has read. Nothing is changed here; tests/system carries plans out."""

import contextlib
import json
import os
import pwd
import re
import signal
import subprocess
import sys
import tempfile
import time
import types

import pytest
from handoff import BUILD, ROOT, TIMEOUT

sys.path.append(f"{ROOT}/src/import")
import access  # noqa: E402
import apache  # noqa: E402
import carry  # noqa: E402
import plan  # noqa: E402
import sites  # noqa: E402
import vhosts  # noqa: E402

# Users that every Debian has.
A, B, C = "daemon", "bin", "games"


@pytest.fixture(name="config")
def _config(tmp_path):
    (tmp_path / "bellhop/instances").mkdir(parents=True)
    (tmp_path / "bellhop/acme").mkdir()
    (tmp_path / "bellhop/acme/default.conf").write_text("[Acme]\n")
    return tmp_path / "bellhop"


def run(config, *arguments, status=0):
    done = subprocess.run([f"{ROOT}/src/import/bellhop-import", f"--bellhopctl={BUILD}/bellhopctl", f"--config={config}",
                           "--dry-run", *map(str, arguments)], capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


# --- plans ---


def entry(**keys):
    return {"instance": A, "hosts": ["a.example"], **keys}


@pytest.mark.parametrize("keys, says", [
    ({"htpp": "serve"}, "htpp: unknown key. Did you mean http?"),
    ({"instance": "../x"}, "instance: this must be a name"), ({"instance": ["x"]}, "instance: this must be a name"),
    ({"hosts": "a.example"}, "hosts: this must be a list of hosts"), ({"hosts": ["a b"]}, "hosts: this must be a list"),
    ({"hosts": ["a\nDefault=yes"]}, "hosts: this must be"), ({"hosts": ["\ud800.example"]}, "hosts: this must be"),
    ({"snippets": {"x.conf": "# \ud800"}}, "snippets: this must be"), ({"idle_seconds": float("nan")}, "idle_seconds: this must"), ({"hosts": ["x..y"]}, "Host=x..y is not a host name"),
    ({"addresses": ["0.0.0.0"]}, "addresses: Address=0.0.0.0"), ({"default": "yes"}, "default: this must be true or false"),
    ({"http": "redirekt"}, "http: this must be serve, redirect or refuse"),
    ({"idle_seconds": -1}, "idle_seconds: this must be a number of seconds"),
    ({"idle_seconds": True}, "idle_seconds: this must be a number of seconds"),
    ({"memory_max_bytes": "1G"}, "memory_max_bytes: this must be a whole number, 16777216 or more, or null"),
    ({"tasks_max": 15}, "tasks_max: this must be"), ({"cpu_max_percent": 12.5}, "cpu_max_percent: this must be"),
    ({"disk_max_bytes": 1024}, "disk_max_bytes: this must be"), ({"tasks_max": 1 << 31}, "tasks_max: this must be"),
    ({"certificate": "/x"}, "set both certificate and key"), ({"key": "x", "certificate": "/x"}, "an absolute path"),
    ({"snippets": {"../x.conf": ""}}, "snippets: this must be an object"), ({"snippets": {"x": ""}}, "snippets: this must"),
    ({"tls": "auto"}, "tls: this must be files or acme"), ({"acme": "../x"}, "acme: this must be the name of a file"),
    ({"folders": ["/a b"]}, "folders: this must be"), ({"folders": ["/a/../etc"]}, "folders: this must be"),
    ({"folders": ["/"]}, "folders: this must be"), ({"hosts": []}, "no route leads to this instance"),
    ({"instance": "nobody-of-that-name"}, "instance: user nobody-of-that-name does not exist"),
    ({"instance": "root"}, "instance: root is root"),
    ({"certificates": {"x": {"certificate": "/x", "key": "/y"}}}, "certificates: the instance itself needs a certificate"),
])
def test_mistakes(config, tmp_path, keys, says):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"instances": [entry(instance=B, hosts=["b.example"]), entry(**keys)]}, indent=1))
    said = run(config, path, status=1)
    assert says in said and said.endswith("bellhopctl: Nothing was changed.\n")
    line = re.match(rf"bellhopctl: {path}:(\d+)", said).group(1)
    key = next(iter(keys))
    assert f'"{key}"' in path.read_text().splitlines()[int(line) - 1] or "no route" in says or "set both" in says


def test_all_mistakes_at_once(config, tmp_path):
    (tmp_path / "plan.json").write_text('{"instances": [\n{"instance": "x y",\n "hosts": 1},\n{"instance": "daemon",\n'
                                        ' "hosts": ["a.example"], "network": 1},\n{"instance": "daemon", "hosts": ["b"]}]}')
    said = run(config, tmp_path / "plan.json", status=1)
    assert [int(line) for line in re.findall(r"plan.json:(\d+): \w", said)] == [2, 3, 5, 6]


def test_mistakes_of_form_hide_no_others(config, tmp_path):
    (tmp_path / "plan.csv").write_text("instance,hosts,http,create_user\n"
                                       "nobody-of-that-name,a.example,,\nbin,b.example\ndaemon,x..y,,\ngames,c.example,on,\n"
                                       "new,d.example,refuse,yes\ndaemon,e.example,,\nmail,x..z,,\n")
    said = run(config, tmp_path / "plan.csv", status=1)
    assert [int(line) for line in re.findall(r"plan.csv:(\d+):", said)] == [2, 3, 4, 5, 6, 7, 8], said


def test_a_new_instance_without_plain_http_has_a_certificate(config, tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps({"instances": [
        {"instance": "new", "hosts": ["a.example"], "http": "redirect", "create_user": True}]}))
    assert "plan.json:1: http: without plain HTTP, clients need HTTPS" in run(config, tmp_path / "plan.json", status=1)


def test_a_key_that_does_not_exist_is_one_mistake_of_the_first_line(config, tmp_path):
    (tmp_path / "plan.csv").write_text("instance,host\ndaemon,a.example\nbin,b.example\n")
    assert run(config, tmp_path / "plan.csv", status=1) == (
        f"bellhopctl: {tmp_path}/plan.csv:1: host: unknown key. Did you mean hosts?\n"
        "bellhopctl: Nothing was changed.\n")


@pytest.mark.parametrize("text, says", [
    ("", ":1: this is not valid JSON"), ("{", ":1: this is not valid JSON"), ("[]", ":1: this is not valid JSON: expected {"),
    ('{"instances": [\n{"instance": "a",}]}', ":2: this is not valid JSON"), ('{"instances": []} x', "there is text after the end"),
    ("{}", 'the file has no list "instances"'), ('{"instances": [{"http": 1,\n"http": 2}]}', ":2: http is given twice"),
    ('{"instances": [{"snippets": {"a.conf": "", "a.conf": ""}}]}', "a.conf is given twice"), ("[" * 99999, "JSON"),
    ('{[]: 1}', "a key is a string"), ('{{}: 1}', "a key is a string"), ('{"instances": [{1: 1}]}', "a key is a string"),
    ('{"instances": [' + "[" * 99999, "JSON"), ('{"x": ' + "[" * 99999, "nested too deeply"),
])
def test_broken_json(config, tmp_path, text, says):
    (tmp_path / "plan.json").write_text(text)
    assert says in run(config, tmp_path / "plan.json", status=1)


@pytest.mark.parametrize("text, says", [
    ("hosts\na\n", ":1: the first line must contain the keys, separated by commas; one of them must be instance"),
    ("instance,hosts,hosts\n", "'hosts' appears twice"), ("instance,snippets\n", "snippets is only allowed in JSON"),
    ("instance,hosts\ndaemon\n", ":2: the row has 1 cells, but the first line has 2 keys"), ('instance,hosts\ndaemon,"a\n', ":2: "),
    ("instance,hosts,default\ndaemon,a.example,maybe\n", ":2: default: this must be true or false"),
    ('instance,hosts\n"daemon","a.example\nb.example"\nbin,x..y\n', ":4: hosts: Host=x..y"), ("", "one of them must be"),
    ("instance;hosts\ndaemon;a.example\n", "separated by commas"),
    ("instance,hosts,idle_seconds\ndaemon,a.example,10min\n", ":2: idle_seconds: this must be a number"),
])
def test_broken_csv(config, tmp_path, text, says):
    (tmp_path / "plan.csv").write_text(text)
    assert says in run(config, tmp_path / "plan.csv", status=1)


def test_conflicts(config, tmp_path):
    """With another one in the plan, and with existing ones; spelling does not matter."""
    (config / f"instances/{C}.conf").write_text("[Instance]\nHost=There.Example\nDefault=yes\n")
    entries = [entry(), entry(instance=B, hosts=["A.example.", "there.example"], default=True)]
    (tmp_path / "plan.json").write_text(json.dumps({"instances": entries}))
    said = run(config, tmp_path / "plan.json", status=1)
    assert f"A.example. is already in {tmp_path}/plan.json:1 ({A})" in said
    assert f"there.example is already in {config}/instances/{C}.conf" in said
    assert f"default: true is already in {config}/instances/{C}.conf" in said


@pytest.mark.parametrize("one, other", [("::1", "0:0::1"), ("[::1]:443", "[0::1]:443"), ("127.0.0.1:80", "127.0.0.1:80")])
def test_addresses_conflict_however_they_are_written(config, tmp_path, one, other):
    """Also those that are judged apart, as each processor judges some."""
    entries = [entry(addresses=[one]), entry(instance=B, hosts=["b.example"], addresses=[other])]
    (tmp_path / "plan.json").write_text(json.dumps({"instances": entries}))
    assert f"{other} is already in {tmp_path}/plan.json:1 ({A})" in run(config, tmp_path / "plan.json", status=1)


def test_no_word_of_a_plan_reaches_the_terminal(config, tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps({"instances": [entry(**{"x\x1b]0;y\x07\u202e\ud800": 1})]}))
    said = run(config, tmp_path / "plan.json", status=1)
    assert r"x\x1b]0;y\x07\u202e\ud800: unknown key" in said


def test_large_plan(config, tmp_path):
    """Each line of it is looked at once."""
    entries = [entry(instance=f"u{n}", hosts=[f"h{n}.example"], snippets={"x.conf": "#\n" * 500}) for n in range(10000)]
    (tmp_path / "plan.json").write_text(json.dumps({"instances": entries}, indent=1))
    assert plan.load(str(tmp_path / "plan.json"))[0][-1].line > 10000
    assert "is larger than" in run(config, "/dev/zero", status=1)


def test_nobody_reads_to_the_end(config, tmp_path):
    (tmp_path / "plan.csv").write_text("instance,hosts\ndaemon,a.example\nbin,b.example\n")
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run([f"{ROOT}/src/import/bellhop-import", f"--bellhopctl={BUILD}/bellhopctl", f"--config={config}",
                           "--dry-run", tmp_path / "plan.csv"], stdout=writes, stderr=subprocess.PIPE, text=True,
                          timeout=TIMEOUT, check=False)
    os.close(writes)
    assert (done.returncode, done.stderr) == (0, "")


def test_errors_of_other_verbs_are_no_sentences_of_their_own():
    assert carry.without_name("bellhopctl: One.\nbellhopctl: Two.") == "One.\nTwo"


def test_csv_and_json_say_the_same(config, tmp_path):
    (tmp_path / "plan.csv").write_text("\ufeffinstance,hosts,network,server,tls,idle_seconds,mail_per_day\r\n"
                                       "daemon,a.example *.b.example,yes,nginx,acme,90,0\r\n", encoding="utf-8")
    printed = json.loads(run(config, "--json", tmp_path / "plan.csv"))
    assert printed["instances"] == [{
        "instance": A, "hosts": ["a.example", "*.b.example"], "addresses": [], "default": False, "http": "serve",
        "network": "yes", "server": "nginx", "idle_seconds": 90, "suspended": False, "canonical": None,
        "tls": "acme", "acme": "default", **dict.fromkeys((*plan.MAIL, *plan.LIMITS)), "mail_per_day": 0}]
    (tmp_path / "plan.json").write_text(json.dumps(printed))
    assert json.loads(run(config, "--json", tmp_path / "plan.json")) == printed
    assert printed["changes"] == [{"change": "instance", "what": f"add {A}"}]


def test_acme_of_all(config, tmp_path):
    """Where a host is: for an address, no authority signs a certificate."""
    (tmp_path / "plan.json").write_text(json.dumps({"instances": [
        entry(), entry(instance=B, hosts=["b.example"], tls="files", acme="other"),
        entry(instance=C, hosts=[], addresses=["192.0.2.7"])]}))
    found = json.loads(run(config, "--json", "--acme=", tmp_path / "plan.json"))["instances"]
    assert [(one["tls"], one["acme"]) for one in found] == [("acme", "default"), ("acme", "default"), ("files", "default")]
    assert "acme: this file does not exist, but Acme=staging names it" in run(config, "--acme=staging", tmp_path / "plan.json", status=1)
    (config / "acme/staging.conf").write_text("[Acme]\n")
    found = json.loads(run(config, "--json", "--acme=staging", tmp_path / "plan.json"))["instances"]
    assert [one["acme"] for one in found] == ["staging", "staging", "default"]


def test_acme_in_the_file():
    """As add writes it, and as set is told."""
    def options(**keys):
        values = {"instance": A, "hosts": ["a.example"], **keys}
        return [option for key, option in carry.Carry.options(plan.entry_of(values, "x", 1)) if key in ("tls", "acme")]
    assert options() == options(acme="other") == [] and options(tls="acme") == ["--tls=acme"]
    assert options(tls="acme", acme="other") == ["--tls=acme", "--acme=other"]


@pytest.mark.parametrize("given, there, keys", [
    ({"tls": "acme"}, ("files", "default"), ["tls"]), ({"tls": "acme"}, ("acme", "other"), []),
    ({"tls": "acme", "acme": "other"}, ("acme", "default"), ["acme"]), ({"acme": "other"}, ("acme", "default"), ["acme"]),
    # A setting without effect is not a difference.
    ({"acme": "other"}, ("files", "default"), []), ({"tls": "files", "acme": "other"}, ("acme", "default"), ["tls"])])
def test_what_differs_of_acme(given, there, keys):
    work = carry.Carry(None, [], True, None)
    assert list(work.differs(plan.entry_of(given, "x", 1), dict(zip(("tls", "acme"), there)))) == keys


# --- whose a host is ---


def test_a_value_ends_no_line():
    """What Python takes for the end of a line besides Apache's own; a customer's values may have it."""
    for end in "\x0b\x0c\x1c\x85\u2028":
        nodes = apache.parse(f'#  1:\n<VirtualHost *:80>\n  #  2:\n  ServerAdmin "x{end}</VirtualHost>{end}AssignUserID bin"\n'
                             '</VirtualHost>\n')
        assert [[child.key for child in node.children] for node in nodes] == [["serveradmin"]]


def test_many_wildcards_in_a_name():
    """It takes no time that grows with each of them."""
    assert not sites.matches("*a" * 40 + "*b", "a" * 250)
    assert sites.matches("*a" * 40 + "*", "a" * 250) and sites.matches("[x].?", "[x].y") and not sites.matches("[x]", "x")


def sites_of(*blocks, wanted=()):
    """Of virtual hosts, each (address, user, names)."""
    text = "# In file: /etc/x.conf\n"
    for number, (address, user, names) in enumerate(blocks, 1):
        first, *others = names.split()
        text += f"#  {number}:\n<VirtualHost {address}>\n  #  {number}:\n  ServerName {first}\n"
        text += "".join(f"  #  {number}:\n  ServerAlias {name}\n" for name in others)
        text += f"  #  {number}:\n  AssignUserID {user} x\n" if user else ""
        text += "  #  1:\n  SSLEngine on\n" if address.endswith(":443") else ""
        text += "</VirtualHost>\n"
    return sites.Sites(apache.Source(apache.parse(text), [], ""), {}, dict(wanted))


@pytest.mark.parametrize("blocks, hosts, default", [
    # The first one that has a name gets it, though a later one has it exactly.
    ([("*:80", A, "a.example *.example"), ("*:80", B, "b.example")], {A: ["a.example", "*.example", "b.example"]}, A),
    ([("*:80", B, "b.example"), ("*:80", A, "a.example *.example")], {B: ["b.example"], A: ["a.example", "*.example"]}, B),
    # A longer wildcard that comes later gets nothing.
    ([("*:80", A, "a.example *.example"), ("*:80", B, "b.test *.sub.example")],
     {A: ["a.example", "*.example", "*.sub.example"], B: ["b.test"]}, A),
    # Of those that no Host= can say, the known hosts go where Apache takes them.
    ([("*:80", A, "a.example www.*"), ("*:80", B, "b.example www.b.example")],
     {A: ["a.example", "www.b.example"], B: ["b.example"]}, A),
    # Another user over TLS: nobody's.
    ([("*:80", A, "a.example"), ("*:443", B, "a.example")], {}, None),
    # One without a user is of those who have its names elsewhere.
    ([("*:80", None, "x.test a.example b.example"), ("*:443", A, "a.example"), ("*:443", B, "b.example")],
     {A: ["a.example"], B: ["b.example"]}, A),
    ([("*:80", None, "nobody.example"), ("*:80", A, "a.example")], {A: ["a.example"]}, None),
    # Each address has its own virtual hosts.
    ([("192.0.2.1:80", A, "a.example"), ("192.0.2.2:80", B, "b.example")], {A: ["a.example"], B: ["b.example"]}, None),
    ([("*:80", A, "192.0.2.1 a_b.example UPPER.Example.")], {A: ["a_b.example", "upper.example"]}, A),
])
def test_owners(blocks, hosts, default):
    found = sites_of(*blocks)
    assert found.routes()[0] == hosts
    assert found.default()[0] in ([A, B, None] if default is A and blocks[0][1] is None else [default])


def test_addresses():
    found = sites_of(("192.0.2.1:80", A, "a.example"), ("192.0.2.1:443", A, "a.example"), ("192.0.2.2:443", B, "b.example"),
                     ("[2001:db8::1]:80", C, "c.example"), ("192.0.2.3:80", A, "d.example"), ("192.0.2.3:80", B, "e.example"))
    assert found.addresses() == {A: ["192.0.2.1"], B: ["192.0.2.2:443"], C: ["[2001:db8::1]:80"]}


def test_user_of_the_command_line():
    blocks = [("*:80", None, "a.example www.a.example"), ("*:80", "nobody-of-that-name", "b.example")]
    assert sites_of(*blocks).routes()[0] == {}
    assert sites_of(*blocks, wanted={"www.A.example": A, "b.example": B}).routes()[0] == {
        A: ["a.example", "www.a.example"], B: ["b.example"]}


# --- a configuration that Apache has read ---

MODULES = ["mpm_event", "authz_core", "alias", "rewrite", "headers", "proxy", "proxy_http", "proxy_fcgi", "dir", "status",
           "substitute", "mime"]


@pytest.fixture(name="old")
def _old(tmp_path):
    """Writes the configuration of an old server, and returns its path."""
    def write(text):
        (tmp_path / "logs").mkdir(exist_ok=True)
        modules = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in MODULES)
        (tmp_path / "apache2.conf").write_text(f"ServerRoot {tmp_path}\n{modules}Listen 80\nServerName old\n{text}",
                                              errors="surrogateescape")
        return tmp_path / "apache2.conf"
    return write


def planned(path, acme=None, **wanted):
    """({user: what is planned}, verdicts), before bellhop-instance judges it."""
    entries, verdicts = vhosts.plan_of(apache.load(str(path)), wanted, "no", acme)
    return {each.name: plan.as_json(each) for each in entries}, [verdict.as_json() for verdict in verdicts]


def test_every_directive_has_a_verdict(old):
    path = old("""
<IfModule mod_nothing.c>
    Frobnicate On
</IfModule>
Define HOST a.example
<VirtualHost *:80>
    ServerName ${HOST}
    ServerAlias "www.a.example" \\
        web?.a.example
    DocumentRoot "/var/www/a site"
    Alias "/with blank" "/var/www/a site/x"
    Redirect gone /old
    <Location "/app">
        ProxyPass http://127.0.0.1:3000/
        Substitute "s/a \\"b\\"/c/"
    </Location>
    <Directory "/var/www/a site">
        <Limit GET>
            Require all granted
        </Limit>
    </Directory>
    <Location /server-status>
        SetHandler server-status
    </Location>
    RewriteEngine On
    RewriteCond %{HTTP_HOST} ^www\\. [NC]
    RewriteRule ^(.*)$ "http://a.example$1" [R=301,L]
    CustomLog /dev/null "%h"
</VirtualHost>
""")
    plans, verdicts = planned(path, **{"a.example": A})
    snippet = plans[A]["snippets"]["import.conf"]
    for line in ('DocumentRoot "/var/www/a site"', 'Alias "/with blank" "/var/www/a site/x"', "Redirect gone /old",
                 'Substitute "s/a \\"b\\"/c/"', 'RewriteRule ^(.*)$ "http://a.example$1" [R=301,L]',
                 "LoadModule substitute_module /usr/lib/apache2/modules/mod_substitute.so", "<Limit GET>"):
        assert line in snippet
    assert "CustomLog" not in snippet and "Frobnicate" not in snippet
    assert plans[A]["hosts"] == ["a.example", "www.a.example"] and plans[A]["network"] == "yes"
    by_text = {" ".join(verdict["directive"].split()): verdict for verdict in verdicts}
    alias = by_text['ServerAlias "www.a.example" web?.a.example']
    assert alias["verdict"] == "needs a hand" and "web?.a.example: Host= allows only the wildcard" in alias["why"]
    assert by_text["SetHandler server-status"]["verdict"] == "needs a hand"
    assert by_text['CustomLog /dev/null "%h"']["verdict"] == "moved"
    lines = {verdict["line"] for verdict in verdicts if verdict["file"] == str(path)}
    first = path.read_text().splitlines().index("<VirtualHost *:80>") + 1
    text = path.read_text().splitlines()
    for number in range(first, len(text)):
        if not text[number - 1].strip().startswith("</") and not text[number - 1].endswith("\\"):
            assert number in lines, text[number - 1]


MANAGED = """
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
LoadModule md_module /usr/lib/apache2/modules/mod_md.so
MDStoreDir {store}
MDomain a.example www.a.example auto
<MDomainSet b.example>
    MDRenewWindow 30%
</MDomainSet>
<VirtualHost *:443>
    ServerName www.a.example
    SSLEngine on
    MDMembers auto
</VirtualHost>
<VirtualHost *:443>
    ServerName b.example
    SSLEngine on
</VirtualHost>
"""


def test_certificates_of_mod_md(old, tmp_path):
    """No directive of a virtual host names the files. One that is yet to come is not there."""
    folder = tmp_path / "store/domains/a.example"
    folder.mkdir(parents=True)
    for name in ("pubcert.secp384r1.pem", "privkey.secp384r1.pem", "job.json"):
        (folder / name).touch()
    path = old(MANAGED.format(store=tmp_path / "store"))
    plans, verdicts = planned(path, **{"www.a.example": A, "b.example": B})
    assert (plans[A]["certificate"], plans[A]["key"]) == tuple(f"{folder}/{name}.secp384r1.pem" for name in ("pubcert", "privkey"))
    assert "SSLCertificateFile ${BELLHOP_TLS}/fullchain.pem" in plans[A]["snippets"]["import.conf"]
    assert "certificate" not in plans[B] and "MDMembers" not in plans[A]["snippets"]["import.conf"]
    assert plans[A]["tls"] == "files"
    assert all(verdict["verdict"] == "needs a hand" for verdict in verdicts if verdict["directive"].startswith(("MD", "<MD")))
    (folder / "pubcert.pem").touch()
    (folder / "privkey.pem").touch()
    plans, verdicts = planned(path, "", **{"www.a.example": A, "b.example": B})
    assert plans[A]["certificate"] == f"{folder}/pubcert.pem" and plans[A]["tls"] == plans[B]["tls"] == "acme"
    managed = [verdict for verdict in verdicts if verdict["directive"].startswith(("MD", "<MD"))]
    assert len(managed) > 3 and all(verdict["verdict"] == "moved" for verdict in managed)


def test_php_of_the_server_itself(old):
    """mod_php's settings become those of the customer's PHP-FPM; what differs between the sites is for a hand."""
    path = old("""
LoadModule php_module /usr/lib/apache2/modules/libphp8.2.so
<VirtualHost *:80>
    ServerName a.example
    AddType application/x-httpd-php .php
    php_admin_value open_basedir /srv/a:/tmp
    php_admin_flag display_errors off
    php_value memory_limit 64M
    <Directory /srv/www/x>
        php_value upload_max_filesize 3M
    </Directory>
</VirtualHost>
<VirtualHost *:80>
    ServerName b.example
    php_admin_value open_basedir /srv/b:/tmp
    php_admin_flag display_errors off
    php_value memory_limit 128M
    <FilesMatch "\\.html$">
        SetHandler application/x-httpd-php
    </FilesMatch>
</VirtualHost>
""")
    path.write_text(path.read_text().replace("mpm_event", "mpm_prefork"))
    plans, verdicts = planned(path, **{"a.example": A, "b.example": A})
    ini = plans[A]["snippets"]["php.fpm"]
    assert 'php_admin_value[open_basedir] = "/srv/a:/tmp:/srv/b"\n' in ini
    assert 'php_admin_flag[display_errors] = "off"\n' in ini
    assert "memory_limit" not in ini and "upload_max_filesize" not in ini
    snippet = plans[A]["snippets"]["import.conf"]
    assert 'SetHandler "proxy:unix:${RUNTIME_DIRECTORY}/php.sock|fcgi://bellhop-php"' in snippet and "php_" not in snippet
    hand = [verdict["directive"] for verdict in verdicts if verdict["verdict"] == "needs a hand"]
    assert {"php_value memory_limit 64M", "php_value memory_limit 128M", "php_value upload_max_filesize 3M"} <= set(hand)


def test_first_virtual_host_of_all_serves_unknown_hosts(old):
    """It has no name in the snippet, and the others have theirs: so it gets what nobody names."""
    path = old("".join(f"<VirtualHost *:80>\n    ServerName {name}.example\n    ServerAlias www.{name}.example\n"
                       "</VirtualHost>\n" for name in "abc"))
    plans, _ = planned(path, **{"a.example": A, "b.example": A, "c.example": B})
    assert plans[A]["default"] and plans[A]["snippets"]["import.conf"].count("Server") == 2
    assert "ServerName b.example" in plans[A]["snippets"]["import.conf"]
    assert "ServerName c.example" in plans[B]["snippets"]["import.conf"]


@pytest.mark.parametrize("inside, policy", [
    ("Redirect permanent / https://a.example/", "redirect"), ("Redirect / https://a.example", "redirect"),
    ("RewriteEngine On\nRewriteCond %{HTTPS} off\nRewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R=301,L]", "redirect"),
    ("RewriteEngine On\nRewriteRule ^/?(.*) https://%{SERVER_NAME}/$1 [R,L]", "redirect"),
    ("Redirect permanent /shop https://a.example/", "serve"), ("Redirect permanent / https://other.example/", "serve"),
    ("Redirect permanent / https://a.example/new/", "serve"), ("RedirectMatch ^/x https://a.example/", "serve"),
    ("Redirect /x http://x.example/\nRedirect permanent / https://a.example/", "serve"),
    ("RewriteEngine On\nRewriteCond %{HTTP_USER_AGENT} x\nRewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R]", "serve"),
    ("RewriteEngine On\nRewriteRule ^/x https://%{HTTP_HOST}%{REQUEST_URI} [R]", "serve"),
    ("ProxyPass /x http://127.0.0.1:1/\nRedirect permanent / https://a.example/", "serve"), ("", "serve"),
])
def test_redirects(inside, policy):
    lines = "".join(f"  #  1:\n  {line}\n" for line in inside.splitlines())
    site = sites.Sites(apache.Source(apache.parse(
        f"# In file: /x\n#  1:\n<VirtualHost *:80>\n  #  1:\n  ServerName a.example\n{lines}</VirtualHost>\n"), [], ""), {},
        {}).all[0]
    assert ("redirect" if vhosts.redirects_all(site) else "serve") == policy


def test_odd_bytes_of_a_customer(config, old):
    """They are kept as they are, and printed so that a terminal does nothing."""
    path = old('<VirtualHost *:80>\n    ServerName a.example\n    ServerAdmin "caf\udce9\x1b[31m\x0cx"\n</VirtualHost>')
    said = run(config, f"--apache={path}", f"--user=a.example={A}")
    assert r'ServerAdmin "caf\udce9\x1b[31m\x0cx"' in said
    plans, _ = planned(path, **{"a.example": A})
    snippet = plans[A]["snippets"]["import.conf"]
    assert "caf\udce9\x1b[31m" in snippet and plan.is_made(snippet) and not plan.is_changed(snippet)


def test_apache_does_not_accept_it(config, old):
    said = run(config, f"--apache={old('Frobnicate On')}", status=1)
    assert "Apache does not accept" in said and "Invalid command 'Frobnicate'" in said
    assert "does not exist. Name the main file" in run(config, "--apache=/nowhere/apache2.conf", status=1)
    assert "there is no virtual host" in run(config, f"--apache={old('')}", status=1)


@pytest.mark.parametrize("arguments", [[], ["--apache=x", "x.json"], ["x.json", "--network"], ["--apache=", "--user=x"]])
def test_wrong_usage(config, arguments):
    run(config, *arguments, status=2)


# --- what runs as a customer ---

TRACE = """import ctypes, errno, sys
c = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE = 0x4206
r = c.ptrace(PTRACE_SEIZE, int(sys.argv[1]), None, None)
print("done" if r == 0 else errno.errorcode[ctypes.get_errno()])
"""


def trace(pid, user):
    """How another program of the user's fares that traces it."""
    return subprocess.run([sys.executable, "-c", TRACE, str(pid)], capture_output=True, text=True, check=True, cwd="/",
                          user=user.pw_uid, group=user.pw_gid, extra_groups=[]).stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs programs as customers")
def test_program_that_import_runs_is_not_traced(monkeypatch):
    user, seen = pwd.getpwnam(C), []

    def talk(process, *_):
        assert process.stdout.readline() == b"ready\n"
        seen.append(trace(process.pid, user))
        process.stdin.close()
        return b"", b""

    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, user=user.pw_uid, group=user.pw_gid, extra_groups=[]) as plain:
        assert trace(plain.pid, user) == "done\n"
    monkeypatch.setattr(access, "talk", talk)
    access.as_customer(user, ["sh", "-c", "echo ready; cat; id -u"])
    assert seen == ["EPERM\n"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs programs as customers")
def test_program_that_import_runs_is_the_customers():
    user = pwd.getpwnam(C)
    said = access.as_customer(user, ["sh", "-c", "id -u; id -G; umask; cat; ps -o tty= -p $$"], b"text\n").decode().split()
    assert said == [str(user.pw_uid), str(user.pw_gid), "0077", "text", "?"]


def test_import_waits_for_no_dead_file_server(monkeypatch):
    """As one does that waits for a file server of the customer, which never answers."""
    started = []

    class Hanging(subprocess.Popen):
        def __init__(self, *args, **keys):
            super().__init__(*args, **keys)
            started.append(self)

        def kill(self):
            pass

    with monkeypatch.context() as patch:
        patch.setattr(access, "AS_CUSTOMER_SEC", 0.1)
        patch.setattr(subprocess, "Popen", Hanging)
        patch.setattr(os, "killpg", lambda *_: None)
        patch.setattr(access, "spent", {})
        with pytest.raises(access.Failed, match="do not end within"):
            access.as_customer(pwd.getpwuid(os.geteuid()), ["sleep", str(TIMEOUT)])
    assert started[0].poll() is None
    started[0].send_signal(signal.SIGKILL)
    started[0].wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs programs as customers")
def test_customer_delays_import_only_once(monkeypatch):
    """By stopping each program that import runs, or by continuing it just before its time is over. Others are not affected."""
    user = pwd.getpwnam(C)
    monkeypatch.setattr(access, "spent", {})
    access.as_customer(user, ["sleep", "0.5"])
    assert access.spent[user.pw_uid] >= 0.5
    monkeypatch.setattr(access, "AS_CUSTOMER_SEC", access.spent[user.pw_uid] + 1.5)
    delays = []
    for _ in range(5):
        begin = time.monotonic()
        with pytest.raises(access.Failed, match="do not end within"):
            access.as_customer(user, ["sh", "-c", "kill -STOP $$"])
        delays.append(time.monotonic() - begin)
    # The first one takes all that is left. The machine may delay one, too.
    assert sorted(delays)[2] < 1, delays
    assert access.as_customer(pwd.getpwuid(0), ["echo", "fine"]) == b"fine\n"


def test_check_of_a_plan_has_an_end(monkeypatch, config, tmp_path):
    """The check also does not look at pages, where no mistake of a plan can be."""
    program = tmp_path / "bellhopctl"
    program.write_text(f"#!/bin/sh\necho \"$@\" > {tmp_path}/words\nexec sleep {TIMEOUT}\n")
    program.chmod(0o755)
    monkeypatch.setattr(carry, "CHECK_SEC", 0.2, raising=False)
    monkeypatch.setattr(carry.Carry, "stage", lambda *_: None)
    work = carry.Carry(carry.Ctl(str(program), str(config), str(tmp_path)), [], True, print)
    begin = time.monotonic()
    with pytest.raises(access.Failed, match="bellhopctl check does not end within 0.2 seconds"):
        list(work.judge_some([]))
    assert time.monotonic() - begin < TIMEOUT
    assert "--files=0" in (tmp_path / "words").read_text()


def test_links_of_a_customer_are_left_to_the_kernel(tmp_path):
    """os.path.realpath() follows any number of them, until Python exceeds its recursion limit."""
    (tmp_path / "a").mkdir()
    (tmp_path / "up").symlink_to("a/../a/..")
    (tmp_path / "nowhere").symlink_to("no/where")
    for path in ("a", "nowhere", "nowhere/x", "none", "none/none", "up", "up/a", "up/none/none", "up/up/up/a/none"):
        assert access.real(f"{tmp_path}/{path}") == os.path.realpath(tmp_path / path)
    assert (access.real("/"), access.real("/no-such/folder")) == ("/", "/no-such/folder")
    (tmp_path / "l0").symlink_to("a")
    for n in range(1, 1500):
        (tmp_path / f"l{n}").symlink_to(f"l{n - 1}")
    assert access.real(tmp_path / "l30/x") == f"{tmp_path}/a/x"
    assert access.real(tmp_path / "l1499/x") == f"{tmp_path}/l1498/x"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes folders of others")
def test_only_a_customers_whole_folder_is_bound():
    """A link inside a customer's folder may change before systemd binds the path."""
    user = pwd.getpwnam(C)
    with tempfile.TemporaryDirectory(dir="/root") as folder:
        own = f"{folder}/own"
        os.mkdir(own)
        os.chown(own, user.pw_uid, user.pw_gid)
        os.symlink(".", f"{own}/back")
        os.symlink("own", f"{folder}/roots")
        os.symlink(own, f"{folder}/theirs")
        os.chown(f"{folder}/theirs", user.pw_uid, user.pw_gid, follow_symlinks=False)
        bound = [name for name in ("own", "roots", "theirs", "own/back", "own/none", "none")
                 if access.is_bindable(f"{folder}/{name}", user)]
        assert bound == ["own", "roots", "none"]


# --- the folder in which a plan is checked ---


@contextlib.contextmanager
def staged(tmp_path, monkeypatch):
    """A folder in which a plan is checked, on a file system like /run: (folder, path of a customer's key)."""
    memory = tempfile.mkdtemp(prefix="bellhop-run-", dir="/dev/shm")
    os.chmod(memory, 0o755)
    monkeypatch.setattr(access, "RUN", memory)
    work = carry.Carry(types.SimpleNamespace(config=str(tmp_path)), [], False, None)
    work.pairs = {(A, at): ("certificate\n", "key\n") for at in ("", "www.a.example")}
    with access.scratch() as folder:
        work.stage(folder, [plan.entry_of({"instance": A, "hosts": ["a.example"], "snippets": {"a.conf": "# a\n"}}, "x", 1)])
        yield folder, f"{folder}/tls/{A}/privkey.pem"
    assert os.listdir(memory) == []
    os.rmdir(memory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users")
def test_customer_owns_nothing_in_the_folder_of_a_check(tmp_path, monkeypatch):
    """As the owner of a file in /run, a customer could fill /run."""
    customer = pwd.getpwnam(A)
    with staged(tmp_path, monkeypatch) as (folder, key):
        paths = [folder] + [os.path.join(at, name) for at, folders, names in os.walk(folder) for name in (*folders, *names)]
        assert sum(path.endswith(".pem") for path in paths) == 4
        for path in paths:
            assert os.lstat(path).st_uid == 0, path
            for command in ("test ! -w", "! chmod 600", "! touch", "! truncate -s 1M"):
                access.as_customer(customer, ["sh", "-c", f"{command} '{path}' 2>/dev/null"])
            if path.endswith(".pem"):
                assert access.as_customer(customer, ["cat", path])
        with pytest.raises(access.Failed, match="Permission denied"):
            access.as_customer(pwd.getpwnam(B), ["cat", key])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users")
def test_open_file_of_a_check_holds_no_memory(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch) as (_, key):
        command = ["setpriv", "--reuid", A, "--clear-groups", "sh", "-c", f"exec <'{key}'; echo open; exec sleep {TIMEOUT}"]
        holder = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert holder.stdout.readline() == b"open\n"
        assert os.stat(f"/proc/{holder.pid}/fd/0").st_blocks > 0
    with holder:
        assert os.stat(f"/proc/{holder.pid}/fd/0").st_blocks == 0
        holder.kill()
