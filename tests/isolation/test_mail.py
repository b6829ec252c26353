# SPDX-License-Identifier: MIT
"""A customer who wants to send mail as a neighbour, more than they may, or so much that the neighbours can send none."""

import json
import pathlib
import subprocess
import time

import pytest
from mallory import assert_neighbours_are_well
from mx import MailServer

HERE = pathlib.Path(__file__).resolve().parent
STATE = "/var/lib/private/bellhop-mail"
# By the socket itself, as the program would: sends N messages, and says what was answered.
SEND = r"""import collections, json, socket, sys
def talk(connection, n, mark=""):
    file, said = connection.makefile("rb"), collections.Counter()
    said[file.readline()[:3].decode()] += 1
    for _ in range(n):
        for line in ("MAIL FROM:<x@forged.example>", "RCPT TO:<y@elsewhere.example>", "DATA", mark + "\r\n\r\nx\r\n."):
            try:
                connection.sendall(line.encode() + b"\r\n")
                answer = file.readline()
            except OSError:
                answer = b""
            if answer[:1] not in b"23" or not answer:
                said[answer[:3].decode() or "end"] += 1
                break
        else:
            said["sent"] += 1
    return said
def connect():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect("/run/bellhop-mail/socket")
    return connection
"""


@pytest.fixture(name="server", scope="module")
def server_fixture(box):
    server = MailServer(box)
    yield server
    server.process.terminate()
    server.process.wait()


@pytest.fixture(autouse=True)
def budget_fixture(box):
    """Each test begins with what nobody has used."""
    box.shell(f"systemctl stop bellhop-mail.service; rm -f {STATE}/sent; systemctl reset-failed bellhop-mail.service || true")


def mails(box, name, script, *args):
    """What a program of the customer's prints, in the instance."""
    box.write_page(name, "mail.cgi", f"/usr/bin/python3 - {' '.join(args)} <<'END'\n{SEND}{script}\nEND\n")
    return box.curl(f"http://{name}.example/mail.cgi")


ONE = "print(json.dumps(talk(connect(), 1)))"


def sent(box, name):
    box.run("systemctl", "stop", "bellhop-mail.service")
    text = box.path(f"{STATE}/sent").read_text()
    return next(([int(word) for word in line.partition("=")[2].split()] for line in text.splitlines()
                 if line.startswith(f"{name}=")), None)


@pytest.mark.parametrize("customer", ["mallory", "trudy"])
def test_who_sends_is_what_the_kernel_says(box, server, request, customer):
    """Whatever the program says, and whatever sendmail is told by environment, files and options."""
    name = request.getfixturevalue(customer).name
    said = mails(box, name, "print(json.dumps(talk(connect(), 1, 'X-Bellhop-Instance: bob')))")
    assert json.loads(said) == {"220": 1, "sent": 1}
    assert server.next() == ["<x@forged.example>", f"X-Bellhop-Instance: {name}\r\n\r\nx\r\n"]
    box.write(f"/home/{name}/.mailrc", "set sendmail=/bin/false\n")
    box.write(f"/home/{name}/.msmtprc", "account default\nhost bob.example\n")
    box.write_page(name, "mail.cgi", """
        export HOME=/home/$(id -un) USER=bob LOGNAME=bob MAILNAME=bob.example BELLHOP_INSTANCE=bob LD_LIBRARY_PATH=/tmp
        printf 'X-Bellhop-Instance: bob\\nX-Bellhop-Instance : bob\\n x\\n\\ntext\\n' | /usr/sbin/sendmail -C /dev/null -f '' y@elsewhere.example
        echo $?""")
    assert box.curl(f"http://{name}.example/mail.cgi") == "0\n"
    sender, text = server.next()
    assert sender.startswith(f"<{name}@") and text.startswith(f"X-Bellhop-Instance: {name}\r\n")
    assert "bob" not in text
    assert sent(box, name)[1] == 2 and sent(box, "bob") is None


def test_passed_connection_is_its_makers(box, server, mallory):
    """A socket counts for the customer who made it, in any process: for the budget and the name."""
    box.write("/root/pass.py", SEND + """
import os, pwd
connection = connect()
user = pwd.getpwnam("bob")
os.setgroups([])
os.setgid(user.pw_gid)
os.setuid(user.pw_uid)
print(json.dumps(talk(connection, 1)))
""")
    assert json.loads(box.run("/usr/bin/python3", "/root/pass.py")) == {"554": 1, "end": 1}
    uid = str(box.uid("mallory"))
    text = box.path("/root/pass.py").read_text().replace("connection = connect()", f"os.seteuid({uid})\nconnection = connect()\n"
                                                         "os.seteuid(0)")
    box.write("/root/pass.py", text)
    assert json.loads(box.run("/usr/bin/python3", "/root/pass.py")) == {"220": 1, "sent": 1}
    assert server.next()[1].startswith("X-Bellhop-Instance: mallory\r\n")
    assert sent(box, "mallory")[1] == 1 and sent(box, "bob") is None


@pytest.mark.parametrize("user", ["root", "nobody", "bellhop", "www-data"])
def test_nobody_elses(box, user):
    box.write("/root/send.py", SEND + ONE)
    box.path("/root/send.py").chmod(0o644)
    with box.path("/root/send.py").open() as script:
        done = box.run("setpriv", f"--reuid={user}", "--clear-groups", "/usr/bin/python3", "-", stdin=script)
    assert json.loads(done) == {"554": 1, "end": 1}


def test_budget_is_out_of_reach(box, server, mallory):
    """Not by files, signals or the socket of the service; and not by making it restart."""
    box.write("/etc/bellhop/instances/mallory.conf", "[Instance]\nHost=mallory.example\nMailPerDay=1\n")
    assert json.loads(mails(box, "mallory", ONE)) == {"220": 1, "sent": 1}
    server.next()
    tries = f"""
import glob, os, signal
paths = ["/var/lib/bellhop-mail/sent", "{STATE}/sent", "/etc/bellhop/mail.conf", "/etc/bellhop/instances/mallory.conf",
         "/run/bellhop-mail/socket", "/run/bellhop-mail/x"]
def fails(action, *args):
    try:
        action(*args)
    except OSError:
        return True
print(all(fails(open, path, "r+") and fails(os.unlink, path) and fails(os.rename, path, path + ".old") for path in paths),
      fails(os.mkdir, "/run/bellhop-mail/folder"), len(glob.glob("/proc/[0-9]*/exe")) < 20)
"""
    assert mails(box, "mallory", tries) == "True True True\n"
    file = box.path(f"{STATE}/sent")
    box.wait_for("the count is in the file", lambda: file.exists() and "mallory=" in file.read_text())
    box.run("systemctl", "kill", "--signal=KILL", "bellhop-mail.service")
    assert json.loads(mails(box, "mallory", ONE)) == {"220": 1, "450": 1}
    assert sent(box, "mallory")[1] == 1
    box.write("/etc/bellhop/instances/mallory.conf", "[Instance]\nHost=mallory.example\n")


def test_flood_of_mail(box, server, mallory):
    """Ten thousand messages of one customer, who holds connections and stops in the middle, while others send one each."""
    flood = """
import threading
held = [connect() for _ in range(5)]
for connection in held[1:]:
    connection.sendall(b"MAIL FROM:<x@x.example>\\r\\nRCPT TO:<y@x.example>\\r\\nDATA\\r\\nhalf of it")
said = talk(held[0], 10000)
for _ in range(5000):
    said += talk(connect(), 1)
print(json.dumps(said))
"""
    began = time.time()
    box.write_page("mallory", "flood.cgi", f"/usr/bin/python3 - <<'END'\n{SEND}{flood}\nEND\n")
    with box.popen_client("curl", "-sS", "--max-time", "120", "--resolve", "mallory.example:80:127.0.0.1",
                          "http://mallory.example/flood.cgi", stdout=subprocess.PIPE) as curl:
        assert server.next()[1].startswith("X-Bellhop-Instance: mallory\r\n")
        for name in ("alice", "bob") * 3:
            assert json.loads(mails(box, name, ONE)) == {"220": 1, "sent": 1}
        assert_neighbours_are_well(box)
        said = json.loads(curl.communicate(timeout=120)[0])
    # The four half messages also count against the budget. A new hour has a new budget.
    hours = 1 + int(time.time() // 3600 - began // 3600)
    assert 190 <= said["sent"] <= 200 * hours, said
    marks = [server.next()[1].splitlines()[0] for _ in range(said["sent"] - 1 + 6)]
    assert sorted(set(marks)) == [f"X-Bellhop-Instance: {name}" for name in ("alice", "bob", "mallory")]
    assert marks.count("X-Bellhop-Instance: alice") == 3
    # One line for each ten minutes, not one for each message.
    log = box.journal("-u", "bellhop-mail", "--grep", "mallory: this site has sent its 200 messages of this hour")
    assert len(log.splitlines()) == 1, log
