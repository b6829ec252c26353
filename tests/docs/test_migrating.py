# SPDX-License-Identifier: MIT
"""doc/migrating.md, command by command: the sites answer the same before, in between and after."""

import json
import re
import time

import pytest
from test_life import main_pid, steady

# All that a visitor may see: address, protocol, rewriting, programs, passwords, redirects and refusals.
URLS = [
    ("http://alice.example/",), ("https://alice.example/",), ("https://www.alice.example/",),
    ("http://a.b.alice.example/article/8",), ("https://blog.alice.example/article/7",),
    ("https://alice.example/members.html",), ("https://alice.example/members.html", "-u", "alice:secret"),
    ("https://alice.example/members.html", "-u", "alice:wrong"), ("https://alice.example/shop",),
    ("http://alice.example/shop/cart?a=b",), ("https://alice.example/.htpasswd",), ("http://alice.example/nothing",),
    ("https://bob.example/",), ("http://bob.example/",), ("http://bob.example/page?a=b",),
]


def answers(box):
    """{what was asked: status, redirect, certificates, and the body unless it is an error page of the server's}."""
    seen = {}
    for url, *options in URLS:
        text = box.curl(url, *options, "-w", "\n%{http_code} %{redirect_url}\n%{certs}")
        body, status, redirect, certificates = re.fullmatch(r"(.*)\n(\d+) (\S*)\n(.*)", text, re.DOTALL).groups()
        seen[" ".join([url, *options])] = (status, redirect, certificates, body if status == "200" else None)
    return seen


def served_by(box, host):
    """By the router's word."""
    return {route["instance"] for route in json.loads(box.run("bellhopctl", "route", "--json", host))["routes"]}


@pytest.fixture(name="step", scope="module")
def _step(old, migrating):
    """Runs the commands below a heading in one shell, and returns what they print."""
    return lambda heading: old.shell(migrating.commands(heading))


@pytest.fixture(name="before", scope="module")
def _before(old):
    seen = answers(old)
    assert seen["https://blog.alice.example/article/7"][3] == (
        "number=7 by alice for blog.alice.example at 127.0.0.1\n")
    assert [seen[url][0] for url in ("https://alice.example/members.html", "http://bob.example/")] == ["401", "301"]
    assert old.run("ss", "-Hltn").count(":443 ") == 1
    return seen


TEN_PATHS = ("/", "/page/7", "/download/file.txt", "/old/x", "/members", "/nothing", "/who.cgi?x")
END = "\n---- end ----\n"


def ten_answers(ten, port=80, tls_port=443):
    """{URL: status, redirect and header from the customer, and the body unless it is a page of the server}."""
    seen = {}
    for scheme, at, customers in (("http", port, (0, 4, 5, 9)), ("https", tls_port, (0, 4))):
        urls = [f"{scheme}://{name}{path}" for number in customers for host in [f"customer{number}.example"]
                for name in (host, f"a.b.sub.{host}") for path in TEN_PATHS]
        # Of another host, a connection that is open already may be none.
        texts = ten.client("curl", "-sik", "-H", "Connection: close", "--http1.1", "--connect-to", f"::127.0.0.1:{at}", "-w",
                           END, *urls, timeout=300).replace("\r", "").split(END)
        for url, text in zip(urls, texts, strict=False):
            head, _, body = text.partition("\n\n")
            status = head.split()[1]
            fields = sorted(re.findall(r"^(?:location|x-site): .*", head, re.MULTILINE | re.IGNORECASE))
            seen[url] = (status, fields, body if status in ("200", "404") else None)
    assert len(seen) == 84
    return seen


def test_all_at_once(ten, migrating):
    """Under ten commands: imported, looked at, switched, and one customer suspended."""
    heading, = (title for title in migrating.sections if title.startswith("All customers at once"))
    begin, look, switch, suspend = migrating.sections[heading]
    assert sum(len(block.splitlines()) for block in (begin, look, switch, suspend)) == 9
    migrating.commands("All customers at once")
    before = ten_answers(ten)
    assert before["https://customer0.example/page/7"] == ("200", ["X-Site: customer0"],
                                                          "customer0 for customer0.example: page=7\n")
    assert {before[f"http://customer5.example{path}"][0] for path in ("/old/x", "/members", "/nothing")} == {
        "301", "401", "404"}
    said = ten.shell(begin)
    assert "needs a hand" not in said.partition("The old server:")[0].replace("0 needs a hand", ""), said
    assert "<h1>customer0.example</h1>" in ten.shell(look)
    assert ten_answers(ten) == before == ten_answers(ten, 8080, 8443)
    ten.shell(switch)
    assert ten_answers(ten) == before
    assert ":8080 " not in ten.run("ss", "-Hltn") and served_by(ten, "www.customer7.example") == {"customer7"}
    assert ten.show("bellhop@customer5.service", "ActiveState") == "active"
    ten.shell(suspend)
    assert ten.curl("http://customer9.example/", "-i").startswith("HTTP/1.1 503")
    assert "0 errors" in ten.run("bellhopctl", "check")
    assert "Everything already exists" in ten.run("bellhopctl", "import", "--apache")
    assert ten.curl("http://customer9.example/", "-i").startswith("HTTP/1.1 503")
    ten.reboot()
    after = ten_answers(ten)
    assert {url: answer for url, answer in after.items() if "customer9" not in url} == {
        url: answer for url, answer in before.items() if "customer9" not in url}


def test_the_switch(old, step, before):
    step("1. Install")
    said = step("2. Make the old")
    assert "0 errors, 0 warnings" in said and "hand-off www-data" in said and "active (running)" in said
    assert answers(old) == before
    assert served_by(old, "alice.example") == served_by(old, "bob.example") == {"www-data"}
    # The router sees that it runs: nobody has to wait for its turn to start.
    assert 'bellhop_instance_starts_total{instance="www-data"} 0\n' in old.run("bellhopctl", "metrics")


def seconds_of(old, verb):
    began = time.monotonic()
    old.run("systemctl", verb, "apache2.service")
    return time.monotonic() - began


@pytest.mark.usefixtures("before")
def test_old_server_is_looked_after_as_before(old):
    """Restarts and reloads take no longer than Apache does, and nobody is refused meanwhile."""
    with steady(old, "alice.example"):
        for verb in ("reload", "restart", "reload"):
            # A machine that stalls delays one of them; a mistake delays all.
            assert min(seconds_of(old, verb) for _ in range(3)) < 4
        pid = old.show("apache2.service", "MainPID")
        for _ in range(20):
            old.run("systemctl", "reload", "apache2.service")
        assert old.show("apache2.service", "MainPID") == pid
    log = old.path("/var/log/apache2/other_vhosts_access.log").read_text()
    assert "blog.alice.example:443 127.0.0.1" in log or "alice.example:443 127.0.0.1" in log


@pytest.mark.usefixtures("before")
def test_old_server_comes_back_by_one_command(old):
    """Also when systemd has given up on it, and on its hand-off socket."""
    old.write("/etc/apache2/conf-enabled/typo.conf", "Frobnicate On\n")
    old.run("systemctl", "stop", "apache2.service")
    old.wait_for("systemd to give up", lambda: old.curl("http://bob.example/", "-I", check=False).stdout.startswith(
        "HTTP/1.1 503"))
    old.path("/etc/apache2/conf-enabled/typo.conf").unlink()
    old.run("systemctl", "reset-failed", "apache2.service")
    old.run("systemctl", "start", "apache2")
    assert old.curl("http://bob.example/", "-o", "/dev/null", "-w", "%{http_code}") == "301"


def test_alice_moves(old, step, before):
    said = step("3. Move alice")
    assert "it serves alice" in said and "error" not in said.replace("0 errors", "")
    assert answers(old) == before and served_by(old, "alice.example") == {"www-data"}
    assert step("4. Compare").count("same: ") == 5
    with steady(old, "alice.example", "blog.alice.example"):
        assert "hand-off alice" in step("5. Switch")
    assert answers(old) == before
    assert served_by(old, "alice.example") == served_by(old, "x.y.alice.example") == {"alice"}
    assert old.show("bellhop@alice.service", "ActiveState") == "active"


def test_alice_goes_back_and_comes_again(old, step, before):
    with steady(old, "alice.example"):
        step("Switch back")
        assert served_by(old, "alice.example") == {"www-data"}
        step("5. Switch")
        assert served_by(old, "alice.example") == {"alice"}
    assert answers(old) == before


def test_bob_moves(old, step, before):
    assert "error" not in step("6. Move bob").replace("0 errors", "")
    assert served_by(old, "bob.example") == {"bob"}
    assert answers(old) == before
    uid = old.run("stat", "-c", "%U", f"/proc/{main_pid(old, 'bob')}").strip()
    assert uid == "bob"
    # The old server can read files that bob writes now.
    old.run("setpriv", "--reuid=bob", "--regid=bob", "--clear-groups", "sh", "-c",
            "umask 027; mkdir /srv/www/bob/new; echo new >/srv/www/bob/new/page.html")
    old.run("setpriv", "--reuid=www-data", "--regid=www-data", "--init-groups", "cat", "/srv/www/bob/new/page.html")


def test_after_a_boot(old, before):
    old.reboot()
    assert answers(old) == before
    assert served_by(old, "nobody.example") == {"www-data"}
    assert "Apache/2.4" in old.curl("http://nobody.example/", "-I")


def test_back_with_everything_and_again(old, step, before):
    step("Undo everything")
    assert answers(old) == before
    assert old.show("bellhop-router.socket", "ActiveState") == "inactive"
    step("2. Make the old")
    assert answers(old) == before
    assert served_by(old, "alice.example") == {"alice"}


def test_the_end_of_the_old_server(old, step, before):
    said = step("7. Remove")
    assert re.match(r'bellhop_instance_handed_off_total\{instance="www-data"\} \d+\n', said)
    assert "0 errors, 0 warnings" in said
    assert answers(old) == before
    assert old.show("apache2.service", "ActiveState") == "inactive"
    others = ("-not", "-user", "bob", "-o", "-not", "-group", "bob", "-o", "-perm", "/2007")
    assert old.run("find", "/srv/www/bob", *others) == ""
    assert old.curl("http://nobody.example/", "-o", "/dev/null", "-w", "%{http_code}") == "421"
    assert not old.try_run("bellhopctl", "list").stdout.count("www-data")


@pytest.mark.usefixtures("before")
def test_a_second_address(old, step):
    """The old server is alone again; alice's site has all that it needs."""
    old.shell("""systemctl disable --now bellhop.target
                 cp /root/apache2.before/ports.conf /etc/apache2/
                 systemctl enable --now apache2.service""")
    for address in ("192.0.2.1", "192.0.2.2"):
        old.client("ip", "address", "add", f"{address}/32", "dev", "lo")
    step("Alternative: a second address")
    for address, server in (("192.0.2.1", "Apache/2.4"), ("192.0.2.2", "Apache\n")):
        seen = old.curl("https://alice.example/", "--http1.1", "-i", address=address)
        assert f"Server: {server}" in seen and "<h1>alice.example" in seen


def test_all_commands_were_run(migrating):
    assert migrating.not_run() == set()
