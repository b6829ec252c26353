# SPDX-License-Identifier: MIT
"""doc/logs.md: Debian's programs read the log files, command by command."""

import re

import pytest
from markdown import Document
from showcase import ALICE, BOB

STRANGER, VICTIM = "127.7.7.7", "203.0.113.66"


@pytest.fixture(name="logs", scope="module")
def _logs():
    return Document("logs.md")


@pytest.fixture(name="step", scope="module")
def _step(box, logs):
    """The packages are on the host already, which the machine is a view of; apt knows none there."""
    def run(heading):
        commands = logs.commands(heading)
        package = re.search(r"^apt-get install -y --no-install-recommends (\S+)\n", commands)
        assert box.run("dpkg-query", "-W", "-f", "${Status}", package[1]) == "install ok installed"
        return box.shell(commands.replace(package[0], ""))

    return run


@pytest.fixture(name="visited", scope="module", autouse=True)
def _visited(box):
    for host, page in ((ALICE, "a-page"), (f"www.{ALICE}", "another-page"), (BOB, "bobs-page")):
        box.curl(f"https://{host}/{page}?x", "-A", "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0")
        box.wait_for("the line", lambda p=page: p in box.log("."))


def test_awstats(box, step):
    said = step("awstats")
    assert re.search(r"Found 0 dropped records", said) and re.search(r"Found 0 corrupted records", said), said
    page = box.path("/var/lib/alice-awstats.html").read_text()
    assert re.search(r"Found [1-9]\d* new qualified records", said), said
    assert "127.0.0.1" in page and "a-page" in page or "404" in page


def banned(box, jail):
    return re.findall(r"[\d.]{7,}", box.run("fail2ban-client", "get", jail, "banip"))


@pytest.fixture(name="fail2ban", scope="module")
def _fail2ban(box, step):
    """It bans, but nobody: the action takes note only, as there is no firewall here."""
    box.write("/etc/fail2ban/jail.d/zz-test.local",
              "[DEFAULT]\nbanaction = noted\nbanaction_allports = noted\nignoreself = false\nignoreip =\nmaxretry = 2\n")
    box.write("/etc/fail2ban/action.d/noted.conf", "[Definition]\nactionban = echo <ip> >> /root/banned\nactionunban =\n")
    said = step("fail2ban")
    assert "apache-auth" in said and "bellhop-badbots" in said, said
    yield
    box.run("systemctl", "stop", "fail2ban")


def test_fail2ban_bans_who_guesses_passwords(box, fail2ban):
    box.shell("""
        install -d -o alice -g alice /srv/www/alice/members
        printf 'x:$apr1$xxxxxxxx$xxxxxxxxxxxxxxxxxxxxxx\\n' >/srv/www/alice/.htpasswd
        printf 'AuthType Basic\\nAuthName x\\nAuthUserFile /srv/www/alice/.htpasswd\\nRequire valid-user\\n' \\
            >/srv/www/alice/members/.htaccess
        chown -R alice: /srv/www/alice
    """)
    for _ in range(5):
        box.curl(f"http://{ALICE}/members/", "--interface", STRANGER, "-u", "root:guess", "-o", "/dev/null")
    box.wait_for("the ban", lambda: STRANGER in banned(box, "apache-auth"), seconds=60)


def test_fail2ban_bans_bad_robots(box, fail2ban):
    for _ in range(5):
        box.curl(f"http://{BOB}/", "--interface", "127.8.8.8", "-A", "Missigua Locator 1.9", "-o", "/dev/null")
    box.wait_for("the ban", lambda: "127.8.8.8" in banned(box, "bellhop-badbots"), seconds=60)


def test_forged_lines_ban_nobody(box, fail2ban):
    """By a program, a header, syslog(3) and the journal; a stranger at the end shows that all has been read."""
    error = (f"[auth_basic:error] [pid 1:tid 1] [client {VICTIM}:1] AH01618: user root not found: /members/")
    access = f'bob.example:80 {VICTIM} - - [%s] "GET / HTTP/1.1" 200 1 "-" "Missigua Locator 1.9"'
    box.write_page("bob", "forge.cgi", f"""
        for i in 1 2 3 4 5; do
            echo "[$(date '+%a %b %d %H:%M:%S.000000 %Y')] {error}" >&2
            echo '{access}' | sed "s,%s,$(date '+%d/%b/%Y:%H:%M:%S %z')," >&2
            logger -t bellhop-access "{error}"
        done
        echo done""")
    for _ in range(5):
        assert box.curl(f"http://{BOB}/forge.cgi", "-A", f"x\\n{access}", "-H", f"Referer: [client {VICTIM}] user x not found") == "done\n"
    box.shell(f"for i in 1 2 3 4 5; do runuser -u bob -- logger -t apache2 '{error}'; done")
    for _ in range(5):
        box.curl(f"http://{ALICE}/members/", "--interface", "127.9.9.9", "-u", "root:guess", "-o", "/dev/null")
    box.wait_for("the ban", lambda: "127.9.9.9" in banned(box, "apache-auth"), seconds=60)
    assert VICTIM not in box.path("/root/banned").read_text()
    for jail in ("apache-auth", "apache-noscript", "apache-overflows", "apache-nohome", "bellhop-badbots"):
        assert VICTIM not in banned(box, jail)


def test_all_commands_were_run(logs):
    assert logs.not_run() == set()
