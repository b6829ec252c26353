# SPDX-License-Identifier: MIT
"""A customer tries to forge lines in a log, their own or a neighbour's, or to lose lines."""

import re

import pytest
from mallory import assert_neighbours_are_well

FOLDER = "/run/bellhop-private/sockets"
VICTIM = "203.0.113.66"
# Outside of the sandbox, like a job of cron: passes a descriptor of /run to each client.
HOLE = """import os, socket, sys
hole = socket.socket(socket.AF_UNIX)
hole.bind("/srv/www/mallory/hole.sock")
hole.listen()
print("ready", flush=True)
peer = hole.accept()[0]
socket.send_fds(peer, [b"x"], [os.open("/run", os.O_RDONLY | os.O_DIRECTORY)])
peer.recv(1)
"""
AS = ("setpriv", "--reuid=mallory", "--regid=mallory", "--init-groups")
SEND = """import os, socket, sys
own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
own.connect("/run/bellhop-private/sockets/lines")
os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
own.send(b"<134>" + sys.argv[2].encode().decode("unicode_escape").encode("latin-1"))
"""


def send(box, uid, text):
    """As root in place of code that has taken control of a server of that user."""
    box.run("/usr/bin/python3", "-c", SEND, str(uid), text)


def test_only_servers_send_lines(box, mallory):
    paths = [f"{FOLDER}/{name}" for name in ("lines", "reports", "notify")]
    assert set(mallory.do("knocks", path=paths).values()) <= {"EACCES", "ENOENT"}
    for path in paths:
        done = box.try_run(*AS, "/usr/bin/python3", "-c",
                           f"import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).connect('{path}')")
        assert "PermissionError" in done.stderr, done


def test_descriptor_from_outside_leads_to_no_socket(box, mallory):
    box.shell("rm -f /srv/www/mallory/hole.sock")
    with box.popen_run(*AS, "/usr/bin/python3", "-c", HOLE, stdout=-1) as hole:
        assert hole.stdout.readline() == "ready\n"
        reached = mallory.do("reaches_through", path=["bellhop-private/sockets/lines", "bellhop-private/sockets/notify",
                                                      "systemd/journal/socket"])
    # The last one shows that the way as such is open.
    assert list(reached.values()) == ["EACCES", "EACCES", "done"], reached


def test_customer_reads_their_own_logs_and_changes_none(box, mallory):
    assert mallory.serves()
    own, folder = "/var/log/bellhop/mallory/access.log", "/var/log/bellhop/mallory"
    box.wait_for("a line", lambda: box.log("mallory"))
    assert_neighbours_are_well(box)
    box.wait_for("a neighbour's", lambda: box.log("bob"))
    assert box.run(*AS, "cat", own) and mallory.do("reads", path=[own]) == {own: "done"}
    closed = ["/var/log/bellhop/bob/access.log", "/var/log/bellhop/access.log", "/var/log/bellhop/error.log"]
    assert set(mallory.do("reads", path=closed).values()) == {"EACCES"}
    for path in closed:
        assert "Permission denied" in box.try_run(*AS, "cat", path).stderr
    before = box.log("mallory")
    for command in (f"echo x >> {own}", f"truncate -s 0 {own}", f"rm -f {own}", f"mv {own} {own}.x", f"chmod 0666 {own}",
                    f"touch {folder}/x", f"ln {own} /srv/www/mallory/x", f"mv {folder} {folder}.x", f"rmdir {folder}",
                    "ln -s /srv/www/mallory /var/log/bellhop/x",
                    "ln -sfn ../bob /var/log/bellhop/.uid/$(id -u)"):
        assert box.try_run(*AS, "bash", "-c", command).returncode != 0, command
    written = mallory.do("writes", path=[own, folder, "/var/log/bellhop", "/var/log/bellhop/.uid"])
    assert set(written.values()) <= {"EACCES", "EROFS"}, written
    assert box.log("mallory").startswith(before)


def test_line_stays_one_line(box, mallory):
    """Whatever a server sends that its customer controls."""
    send(box, box.uid("mallory"), f"evil\\nbob.example:80 {VICTIM} - - x\\x00\\r\\x0b")
    box.wait_for("the line", lambda: "evil" in box.log("mallory"))
    common = box.path("/var/log/bellhop/access.log").read_text()
    assert not re.search(rf"^bob\.example:80 {VICTIM}", common + box.log("mallory"), re.MULTILINE)
    assert VICTIM not in box.log("bob")


FORGED = f"{VICTIM} - - [29/Nov/2026:10:00:00 +0000] \"GET /x HTTP/1.1\" 404 1"
# What separates the lines of one message, see rsyslog.conf.
SEPARATOR = "␤"
ERROR = f"[Sun Nov 29 10:00:00.000000 2026] [auth_basic:error] [pid 1:tid 1] [client {VICTIM}:1] AH01618: user x not found: /"


# What the server itself knows: of Apache, of nginx, whose lines have the client behind the message, and of PHP-FPM.
BEGIN = (r"\[[^]]+\] \[\w+:\w+\] \[pid \d+:tid \d+\] (?!.*^\[client 203)|\d+/\d+/\d+ \d+:\d+:\d+ \[\w+\] \d+#\d+: |"
         r"\[[^]]+\] \[php\] ")
WAYS = ["request", "referer", "agent", "user", "program", "syslog", "journal"]


@pytest.mark.parametrize("name, way", [*(("mallory", way) for way in WAYS), *(("mabel", way) for way in WAYS[:5])])
def test_forged_line_names_no_client(box, request, name, way):
    """Each line of a log begins with that."""
    hostile = request.getfixturevalue(name)
    if name == "mallory":
        box.write_page(name, "says.cgi", f"printf '%s\\n' 'x\n{FORGED}' '{ERROR}' >&2")
    else:
        box.write(f"{hostile.folder}/says.php", f"<?php $x = <<<'END'\nx\n{FORGED}\n{ERROR}\nEND;\nerror_log($x); "
                                                "file_put_contents('php://stderr', \"$x\\n\");")
    url = f"http://{hostile.host}/"
    if way == "request":
        box.curl(f"{url}%0a{FORGED}%0d%0a{ERROR}".replace(" ", "%20").replace('"', "%22").replace("[", "%5B").replace("]", "%5D"),
                 check=False)
    elif way in ("referer", "agent"):
        box.curl(url, "-H", f"{'Referer' if way == 'referer' else 'User-Agent'}: \" 1\\n{FORGED} \\x0a{ERROR}{SEPARATOR}{FORGED}")
    elif way == "user":
        box.curl(url, "-u", f"x\n{FORGED}\n{ERROR}{SEPARATOR}{FORGED}:x")
    elif way == "program":
        box.curl(f"{url}says.{'cgi' if name == 'mallory' else 'php'}")
    elif way == "syslog":
        for tag in ("bellhop-access", "bellhop-bob"):
            box.run(*AS, "logger", "-t", tag, FORGED + "\n" + ERROR)
    else:
        hostile.do("forges_journal")
    box.curl(f"{url}?after-{way}")
    box.wait_for("all lines", lambda: f"?after-{way}" in box.log("."))
    for path in (*box.path("/var/log/bellhop").glob("*.log"), *box.path("/var/log/bellhop").glob("*/*.log")):
        for line in path.read_text().splitlines():
            if path.name == "access.log":
                assert re.match(rf"evil|\S+:\d+ (?!{re.escape(VICTIM)})[0-9a-f.:]+ ", line), line
            else:
                assert re.match(BEGIN, line), line
                found = re.match(r"\[[^]]+\] \[\w+:", line) and re.search(r"\[client ([^]]*)\]", line)
                assert not found or not found[1].startswith(VICTIM), line


def test_user_without_a_folder(box, mallory):
    """Lines of others are still written, and the customer's lines come back with the folder."""
    box.shell("rm /var/log/bellhop/.uid/$(id -u mallory); systemctl restart bellhop-log.service")
    try:
        assert mallory.serves()
        box.curl("http://bob.example/?while-there-is-none")
        box.wait_for("the neighbour's line", lambda: "?while-there-is-none" in box.log("bob"))
    finally:
        box.run("/usr/lib/bellhop/bellhop-log-folders", "mallory")
    box.curl(f"http://{mallory.host}/?there-again")
    box.wait_for("the line", lambda: "?there-again" in box.log("mallory"))
