# SPDX-License-Identifier: MIT
"""bellhop-mail: what goes to the mail server, what does not, and who hears what of it."""

import contextlib
import itertools
import os
import pathlib
import pwd
import signal
import time

import pytest
from handoff import AS_ROOT, TIMEOUT
from mailserver import NAME, UID, Mail, MailServer

MARK = f"X-Bellhop-Instance: {NAME}\r\n".encode()
BODY = b"Subject: x\r\n\r\ntext\r\n"
OTHER = "games"


@pytest.fixture(name="server")
def server_fixture():
    server = MailServer()
    yield server
    server.gate.set()
    server.close()


@pytest.fixture(autouse=True)
def _hour():
    """The counts of an hour and of a day begin at 0 with the next one, so no test goes on into the next hour."""
    left = 3600 - time.time() % 3600
    if left < 15:
        time.sleep(left)


def ready(mail):
    client = mail.connect()
    assert client.read().startswith("220 host.example ")
    return client


def commands(server):
    asked = []
    while not server.asked.empty():
        asked.append(server.asked.get())
    return asked


def sent(mail):
    """The figures of the customer, as they were written last."""
    try:
        with open(f"{mail.folder.name}/state/sent", encoding="ascii") as file:
            return next(([int(n) for n in line.split("=")[1].split()] for line in file if line.startswith(NAME + "=")),
                        [0] * 7)
    except FileNotFoundError:
        return [0] * 7


def await_sent(mail, condition):
    end = time.monotonic() + TIMEOUT
    while not condition(sent(mail)):
        assert time.monotonic() < end, sent(mail)
        time.sleep(0.01)


# --- what arrives ---


def test_message_arrives_and_the_answer_is_that_of_the_mail_server(server):
    server.answers["."] = b"250 2.0.0 queued as ABC"
    with Mail(server) as mail:
        client = ready(mail)
        assert "SIZE 26214400" in client.say("EHLO me")
        assert client.send(recipients=("b@elsewhere.example", "root")) == "250 2.0.0 queued as ABC\r\n"
        assert client.say("QUIT").startswith("221 ")
        assert server.messages.get(timeout=TIMEOUT) == (
            b"<a@site.example>", [b"<b@elsewhere.example>", b"<root@host.example>"], MARK + BODY)


@pytest.mark.parametrize("text, arrives", [
    # Dots.
    (b"\r\n..\r\n...x\r\n.x\r\n", b"\r\n..\r\n...x\r\nx\r\n"),
    # Line ends.
    (b"A: b\n\nc\n.\r\nd\r\n", b"A: b\r\n\r\nc\r\n..\r\nd\r\n"),
    (b"A: b\r\r\n\r\nc\rd\r\n", b"A: b \r\n\r\nc d\r\n"),
    # Nothing, and no header.
    (b"", b""),
    (b"\r\n", b"\r\n"),
    # Long lines.
    (b"A: " + b"x" * 200000 + b"\r\n\r\n" + b"y" * 200000 + b"\r\n",
     b"A: " + b"x" * 200000 + b"\r\n\r\n" + b"y" * 200000 + b"\r\n"),
    # The mark of somebody else.
    (b"X-Bellhop-Instance: bob\r\nA: b\r\n\r\nX-Bellhop-Instance: text\r\n",
     b"A: b\r\n\r\nX-Bellhop-Instance: text\r\n"),
    (b"A: b\nx-bellhop-INSTANCE \t : bob\n bob\n\tbob\nC: d\n\r\n", b"A: b\r\nC: d\r\n\r\n"),
    (b"X-Bellhop-Instance: bob\r\n bob\r\nA: b\r\n", b"A: b\r\n"),
    (b"A: b\r\n X-Bellhop-Instance: bob\r\n", b"A: b\r\n X-Bellhop-Instance: bob\r\n"),
    (b"A: b\rX-Bellhop-Instance: bob\r\n", b"A: b X-Bellhop-Instance: bob\r\n"),
    # Others that begin like it.
    (b"X-Bellhop-Instances: 3\r\nX-Bellhop\r\nX-Bellhop-Instance\r\nX-\r\n",
     b"X-Bellhop-Instances: 3\r\nX-Bellhop\r\nX-Bellhop-Instance\r\nX-\r\n"),
    (b"X-Bellhop-Instance  x: 3\r\n", b"X-Bellhop-Instance  x: 3\r\n"),
], ids=itertools.count())
def test_how_a_message_arrives(server, text, arrives):
    with Mail(server) as mail:
        client = ready(mail)
        assert client.send(text).startswith("250 ")
        assert server.messages.get(timeout=TIMEOUT)[2] == MARK + arrives.replace(b"x-bellhop", b"X-Bellhop")


# What some mail server, in some version, has taken for the end of a message (CVE-2023-51764 and its kin).
ENDS = [line + b"." + end for line in (b"\n", b"\r\n", b"\r", b"\r\r\n", b"\n\r") for end in (b"\n", b"\r", b"\r\r\n", b"\n\r")
        ] + [b"\r\n.\r", b"\r\n.\0\r\n", b"\r\n.\n\r\n.\r\r\n"]
SECOND = b"MAIL FROM:<x@bob.example>\r\nRCPT TO:<y@bob.example>\r\nDATA\r\nX-Bellhop-Instance: bob\r\n\r\nforged\r\n"


@pytest.mark.parametrize("end", ENDS)
def test_no_message_is_smuggled(server, end):
    with Mail(server) as mail:
        client = ready(mail)
        reply = client.send(b"A: b\r\n\r\nc" + end + SECOND)
        assert reply[0] == ("5" if b"\0" in end else "2"), reply
        assert client.send().startswith("250 ")
        assert commands(server).count("MAIL") == (1 if b"\0" in end else 2)
        messages = [server.messages.get(timeout=TIMEOUT) for _ in range(server.messages.qsize())]
        assert all(text.startswith(MARK) and text.count(MARK) == 1 for _, _, text in messages)
        assert {sender for sender, _, _ in messages} == {b"<a@site.example>"}


@pytest.mark.parametrize("text", [b"A: b\0\r\n", b"A: b\r\n\r\n\0\r\n", b" continued\r\n\r\n", b"\tx\r\n"])
def test_what_can_not_be_sent(server, text):
    with Mail(server) as mail:
        client = ready(mail)
        assert client.send(text).startswith("554 5.6.0 the message ")
        assert client.send().startswith("250 ")
        assert commands(server).count("MAIL") == 1
        mail.stop()
        assert sent(mail)[1] == 1


def test_pipelined_messages(server):
    with Mail(server, "MailPerHour=30\n") as mail:
        client = ready(mail)
        one = (b"MAIL FROM:<a@site.example>\r\nRCPT TO:<b@elsewhere.example>\r\nDATA\r\n" + BODY + b".\r\n")
        client.socket.sendall(one * 25 + b"QUIT\r\n")
        replies = [client.read() for _ in range(25 * 4 + 1)]
        assert [reply[:3] for reply in replies] == ["250", "250", "354", "250"] * 25 + ["221"]
        assert client.read() == ""
        assert server.messages.qsize() == 25


@pytest.mark.parametrize("settings, sender, arrives", [
    ("", "a@site.example", "a@site.example"),
    ("", "", f"{NAME}@host.example"),
    ("", "root", f"{NAME}@host.example"),
    ("", '"a b@c"@site.example', '"a b@c"@site.example'),
    ("Sender=instance", "a@site.example", f"{NAME}@host.example"),
])
def test_sender(server, settings, sender, arrives):
    with Mail(server, settings) as mail:
        client = ready(mail)
        assert client.send(sender=sender).startswith("250 ")
        assert server.messages.get(timeout=TIMEOUT)[0] == f"<{arrives}>".encode()


@pytest.mark.parametrize("line", [
    "MAIL FROM:<a@b>\rRCPT TO:<c@d>", "MAIL FROM:<a b@c>", "MAIL FROM:<a@b", "MAIL FROM:a@b", "MAIL FROM:<a@b>>", "MAIL FROM:<a@b> X=1",
    "MAIL FROM:<a@b>SIZE=x", "MAIL FROM:<a@@b>", "MAIL FROM:<-oQ/tmp@b>", "MAIL FROM:<a@b..c>", "MAIL FROM:<\xe4@b>",
    "MAIL FROM:<" + "a" * 250 + "@b.example>", "MAIL TO:<a@b>", "MAIL", "MAIL FROM:<\"a\">b@c>", "MAIL FROM:<|x y>",
    "MAIL FROM:<a@b> SIZE=99999999999999999999", "MAIL FROM:<a@b> SIZE=26214401", "VRFY root", "STARTTLS", "RCPT TO:<a@b>",
    "DATA", "DATA x", "", "X" * 900,
])
def test_wrong_commands(server, line):
    with Mail(server) as mail:
        client = ready(mail)
        assert client.say(line)[0] == "5"
        assert client.send().startswith("250 ")
        assert commands(server)[:3] == ["greeting", "EHLO", "MAIL"]


def test_line_without_end(server):
    with Mail(server) as mail:
        client = ready(mail)
        assert client.say(b"NOOP " + b"x" * 5000).startswith("500 5.5.2 ")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            client.say("NOOP")
        assert ready(mail).send().startswith("250 ")


# --- who ---


@pytest.mark.skipif(not AS_ROOT, reason="needs other users")
@pytest.mark.parametrize("user", ["root", "nobody", OTHER, "bin"])
def test_only_users_of_instances(server, user):
    with Mail(server) as mail:
        client = mail.connect(pwd.getpwnam(user).pw_uid)
        assert client.read().startswith("554 5.7.1 ")
        assert client.read() == ""


def test_suspended(server):
    with Mail(server, instance="Suspended=yes") as mail:
        assert mail.connect().read().startswith("421 4.7.1 the site is suspended")
        mail.configure()
        assert ready(mail).send().startswith("250 ")


@pytest.mark.parametrize("settings, says", [
    ("Suspended=yes", "421 4.7.1 the site is suspended"),
    ("MailPerHour=1", "450 4.7.1 this site has sent its 1 messages of this hour"),
    (None, "554 5.7.1 "),
])
def test_connection_that_is_held(server, settings, says):
    """From before the customer was suspended, limited or removed."""
    with Mail(server) as mail:
        client = ready(mail)
        assert client.send().startswith("250 ")
        if settings:
            mail.configure(instance=settings)
        else:
            os.unlink(f"{mail.folder.name}/etc/instances/{NAME}.conf")
        assert client.say("MAIL FROM:<a@site.example>").startswith(says)
        assert commands(server).count("MAIL") == 1


# --- how many ---


@pytest.mark.parametrize("settings, instance, n, said", [
    ("MailPerHour=3", "", 3, "450 4.7.1 this site has sent its 3 messages of this hour"),
    ("MailPerDay=2", "", 2, "450 4.7.1 this site has sent its 2 messages of this day"),
    ("MailPerDay=2", "MailPerDay=4", 4, "450 4.7.1 this site has sent its 4 messages of this day"),
    ("", "MailPerHour=0", 0, "450 4.7.1 this site has sent its 0 messages of this hour"),
    ("MailRecipientsPerDay=5", "", 2, "450 4.7.1 this site has sent its 5 recipients of this day"),
    ("", "Http=nonsense", 0, "450 4.7.1 "),
])
def test_budget(server, settings, instance, n, said):
    with Mail(server, settings, instance) as mail:
        for restart in (False, True):
            if restart:
                mail.stop()
                mail.start()
            client = ready(mail)
            for _ in range(0 if restart else n):
                assert client.send(recipients=("a@b.example", "c@d.example")).startswith("250 ")
            # Another connection begins with no more.
            for other in (client, ready(mail)):
                for _ in range(3):
                    assert other.send(recipients=("a@b.example", "c@d.example")).startswith(said)
                    other.say("RSET")
        assert server.messages.qsize() == n
        mail.stop()
        assert sent(mail)[5:7] == [n, 12]
        # Three times that, and one line each time that it was started.
        assert mail.log().count(f"{NAME}: this site has sent its") == 2


def test_what_was_not_sent_is_not_charged(server):
    with Mail(server, "MailPerHour=2\nMailRecipientsPerDay=2\n") as mail:
        client = ready(mail)
        for command, reply in (("MAIL", b"550 no"), ("RCPT", b"450 greylisted"), ("DATA", b"554 no"), (".", b"552 too large"),
                               ("greeting", b"554 go away"), ("EHLO", b"500 what")):
            server.answers = {command: reply}
            said = client.send()
            assert said.startswith(("4" if command in ("greeting", "EHLO") else reply.decode()[0]) + reply.decode()[1:]), said
        server.answers = {}
        client.begin()
        client.close()
        client = ready(mail)
        client.say("MAIL FROM:<a@site.example>")
        client.say("RCPT TO:<a@site.example>")
        client.say("RSET")
        assert client.send().startswith("250 ")
        assert client.send().startswith("250 ")
        assert client.send().startswith("450 4.7.1 ")


def test_too_many_recipients(server):
    with Mail(server, "RecipientsMax=2") as mail:
        client = ready(mail)
        assert client.begin(recipients=["a@b.example"] * 3).startswith("452 4.5.3 a message has 2 recipients at most")
        assert client.say("DATA")[0] == "3"
        assert client.say(BODY + b".\r\n").startswith("250 ")


def test_too_large(server):
    with Mail(server, "MessageMaxBytes=10K") as mail:
        client = ready(mail)
        assert client.send(b"\r\n" + b"x" * 100 * 1024 + b"\r\n").startswith("552 5.3.4 ")
        assert client.send().startswith("250 ")
        assert server.messages.qsize() == 1


def test_store_is_shared_and_given_back(server):
    with Mail(server, "StoreMaxBytes=100K") as mail:
        first, second = ready(mail), ready(mail)
        first.begin()
        first.socket.sendall(b"\r\n" + b"x" * 60 * 1024)
        await_stored(mail, 60 * 1024)
        assert second.send(b"\r\n" + b"x" * 60 * 1024 + b"\r\n").startswith("452 4.3.1 ")
        first.close()
        # It has gone when the connection has.
        await_stored(mail, 0)
        assert second.send(b"\r\n" + b"x" * 60 * 1024 + b"\r\n").startswith("250 ")


def stored(mail):
    """The sizes of its messages, which have no names: they are descriptors of the process."""
    for path in pathlib.Path(f"/proc/{mail.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if f"{mail.folder.name}/state/#" in os.readlink(path):
                yield path.stat().st_size


def await_stored(mail, least):
    end = time.monotonic() + TIMEOUT
    while True:
        sizes = list(stored(mail))
        if sum(sizes) >= least and bool(sizes) == bool(least):
            return
        assert time.monotonic() < end, sizes
        time.sleep(0.01)


def test_connections_of_one_customer(server):
    with Mail(server, "ConnectionsMaxPerInstance=3") as mail:
        held = [ready(mail) for _ in range(3)]
        for _ in range(50):
            late = mail.connect()
            assert late.read().startswith("421 4.7.0 too many connections of this site")
            late.close()
        held.pop().say("QUIT")
        assert ready(mail).send().startswith("250 ")


@pytest.mark.skipif(not AS_ROOT, reason="needs another user")
def test_other_customers_have_their_own(server):
    with Mail(server, "ConnectionsMaxPerInstance=2\nMailPerHour=1\n") as mail:
        with open(f"{mail.folder.name}/etc/instances/{OTHER}.conf", "w", encoding="ascii") as file:
            file.write("[Instance]\nHost=other.example\n")
        held = [ready(mail) for _ in range(2)]
        assert held[0].send().startswith("250 ")
        assert held[0].send().startswith("450 ")
        other = mail.connect(pwd.getpwnam(OTHER).pw_uid)
        assert other.read().startswith("220 ")
        assert other.send().startswith("250 ")
        server.messages.get(timeout=TIMEOUT)
        assert server.messages.get(timeout=TIMEOUT)[2].startswith(b"X-Bellhop-Instance: games\r\n")


def test_connections_in_all(server):
    with Mail(server, "ConnectionsMax=2") as mail:
        held = [ready(mail) for _ in range(2)]
        assert mail.connect().read().startswith("421 4.7.0 too many connections in all")
        assert len(held) == 2


def add_customer(mail, name):
    with open(f"{mail.folder.name}/etc/instances/{name}.conf", "w", encoding="ascii") as file:
        file.write(f"[Instance]\nHost={name}.example\n")
    return pwd.getpwnam(name).pw_uid


@pytest.mark.skipif(not AS_ROOT, reason="needs another user")
def test_customers_who_work_together_leave_room_for_others(server):
    with Mail(server, "ConnectionsMax=4") as mail:
        other, third, stranger = add_customer(mail, OTHER), add_customer(mail, "daemon"), pwd.getpwnam("bin").pw_uid
        silent = [mail.connect(uid) for uid in (UID, other, UID, other)]
        assert all(client.read().startswith("220 ") for client in silent)
        # A user who cannot send replaces no connection.
        assert mail.connect(stranger).read().startswith("554 5.7.1 only customers")
        assert mail.connect(other).read().startswith("421 4.7.0 too many connections in all")
        assert silent[0].say("NOOP").startswith("250 ")
        late = mail.connect(third)
        assert late.read().startswith("220 ")
        # The new connection replaces the one that was silent longest.
        assert silent[1].read().startswith("421 4.7.0 too many connections in all") and silent[1].read() == ""
        assert mail.connect(other).read().startswith("421 4.7.0 too many connections in all")
        assert late.send().startswith("250 ")
        assert all(silent[i].say("NOOP").startswith("250 ") for i in (0, 2, 3))


@pytest.mark.skipif(not AS_ROOT, reason="needs another user")
def test_message_that_is_passed_on_gives_way_to_nobody(server):
    """A waiting message is replaced, even if its program has ended."""
    server.gate.clear()
    with Mail(server, "ConnectionsMax=2\nRelayConnectionsMax=1\n") as mail:
        clients = [ready(mail) for _ in range(2)]
        for client in clients:
            client.begin()
            client.socket.sendall(BODY + b".\r\n")
            await_stored(mail, 1)
        assert server.asked.get(timeout=TIMEOUT) == "greeting"
        clients[1].close()
        other = mail.connect(add_customer(mail, OTHER))
        assert other.read().startswith("220 ")
        server.gate.set()
        assert clients[0].read().startswith("250 ")
        assert other.send().startswith("250 ")
        assert server.messages.qsize() == 2


def test_programs_that_go_while_their_messages_wait(server):
    server.gate.clear()
    with Mail(server, "RelayConnectionsMax=1\nRelayTimeoutSec=300ms\nConnectionsMaxPerInstance=9\n") as mail:
        for _ in range(9):
            client = ready(mail)
            client.begin()
            client.socket.sendall(BODY + b".\r\n")
            client.close()
        await_stored(mail, 0)
        server.gate.set()
        assert ready(mail).send().startswith("250 ")


def test_commands_without_a_message(server):
    with Mail(server) as mail:
        client = ready(mail)
        replies = [client.say(("NOOP", "EHLO x", "RSET", "nonsense")[i % 4])[:3] for i in range(200)]
        assert replies == ["250", "250", "250", "500"] * 50
        assert client.say("NOOP").startswith("421 4.7.0 too many commands")
        assert client.read() == ""


# --- who is slow, or ends ---


@pytest.mark.parametrize("phase", ["command", "body"])
def test_slow_program(server, phase):
    begin = b"MAIL FROM:<a@site.example>\r\nRCPT TO:<b@elsewhere.example>\r\nDATA\r\n"
    with Mail(server, "ClientTimeoutSec=300ms") as mail:
        slow = mail.connect()
        slow.socket.sendall(begin if phase == "body" else b"NO")
        slow.socket.settimeout(0.02)
        said = b""
        while b"\r\n421 " not in said:  # a byte at a time does not extend it
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the reply may have come just now
                slow.socket.send(b"x")
            with contextlib.suppress(TimeoutError):
                part = slow.socket.recv(1000)
                assert part, said
                said += part
        assert said.count(b"\r\n250 ") == (2 if phase == "body" else 0) and b"\r\n421 4.4.2 too slow" in said
        quick = mail.connect()
        quick.socket.sendall(begin + BODY + b".\r\n")
        assert [quick.read()[:3] for _ in range(5)] == ["220", "250", "250", "354", "250"]
        assert server.messages.qsize() == 1


def test_program_that_reads_nothing(server):
    with Mail(server) as mail:
        client = ready(mail)
        mail.connect()
        try:
            while True:
                client.socket.sendall(b"NOOP\r\n" * 1000)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert ready(mail).send().startswith("250 ")


@pytest.mark.parametrize("command", ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "."])
def test_mail_server_that_hangs(server, command):
    """A message that may have been sent counts against the budget. It may have been sent if the mail server hangs after the
    dot, which must arrive within RelayTimeoutSec=."""
    server.answers[command] = None
    with Mail(server, f"RelayTimeoutSec={'5s' if command == '.' else '300ms'}\nMailPerHour=1\n") as mail:
        said = ready(mail).send()
        assert said.startswith("451 4.4.2 the mail server does not answer"), said
        server.answers.clear()
        mail.stop()
        mail.configure("MailPerHour=1\n")
        mail.start()
        assert ready(mail).send()[:3] == ("450" if command == "." else "250")


@pytest.mark.parametrize("reply", [b"nonsense", b"250", b"\xff\xff", b"999 x", b"25", b"250-x\r\nEND", b"1" * 3000, b"200 fine",
                                   b"250?x"])
def test_mail_server_that_speaks_something_else(server, reply):
    server.answers["greeting"] = reply
    with Mail(server) as mail:
        client = ready(mail)
        said = client.send()
        assert said[:3] in ("250", "451") and (said[0] == "2") == (reply in (b"250", b"200 fine")), said
        server.answers.clear()
        assert client.send().startswith("250 ")


def test_no_mail_server(server):
    server.close()
    with Mail(server) as mail:
        client = ready(mail)
        for _ in range(3):
            assert client.send().startswith("451 4.4.2 the mail server can't be reached")
        assert mail.log().count("no site can send mail: 451 4.4.2 the mail server can't be reached; see Relay=") == 1


def test_messages_wait_for_their_turn(server):
    server.gate.clear()
    with Mail(server, "RelayConnectionsMax=1") as mail:
        clients = [ready(mail) for _ in range(3)]
        for client in clients:
            client.begin()
            client.socket.sendall(BODY + b".\r\n")
        assert server.asked.get(timeout=TIMEOUT) == "greeting"
        # A fourth is served meanwhile.
        assert ready(mail).begin()[0] == "3"
        assert server.asked.empty()
        server.gate.set()
        assert all(client.read().startswith("250 ") for client in clients)
        assert server.messages.qsize() == 3


def test_message_that_waits_too_long(server):
    server.gate.clear()
    with Mail(server, "RelayConnectionsMax=1\nRelayTimeoutSec=300ms\n") as mail:
        clients = [ready(mail) for _ in range(2)]
        for client in clients:
            client.begin()
            client.socket.sendall(BODY + b".\r\n")
        assert all(client.read()[0] == "4" for client in clients)
        server.gate.set()
        mail.configure("RelayConnectionsMax=1\n")
        mail.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + TIMEOUT
        while not ready(mail).send().startswith("250 "):  # the signal may arrive later
            assert time.monotonic() < end


def test_program_that_is_killed_sends_nothing(server):
    with Mail(server) as mail:
        for text in (b"", b"A: b\r\n", b"A: b\r\n\r\nhalf of it\r\n", b"A: b\r\n\r\nhalf of it\r\n.", b"A: b\r\n\r\n.\r"):
            client = ready(mail)
            client.begin()
            client.socket.sendall(text)
            client.close()
        assert ready(mail).send().startswith("250 ")
        assert commands(server).count("greeting") == 1 and server.messages.qsize() == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("command", ["DATA", "."])
def test_kill_in_the_middle(server, command, number):
    """Before the dot nothing is sent; behind it, once. The program hears of no success in either case."""
    large = b"\r\n" + b"x" * (8 << 20) + b"\r\n"
    server.answers[command] = None
    with Mail(server) as mail:
        client = ready(mail)
        client.begin()
        client.socket.sendall(large + b".\r\n")
        while server.asked.get(timeout=TIMEOUT) != command:
            pass
        mail.stop(number)
        assert client.read() == ""
        mail.start()
        server.answers.clear()
        assert ready(mail).send().startswith("250 ")
        assert server.messages.qsize() == (1 if command == "DATA" else 2)


def test_budget_survives_a_crash(server):
    with Mail(server, "MailPerHour=2") as mail:
        client = ready(mail)
        assert client.send().startswith("250 ")
        assert client.send().startswith("250 ")
        await_sent(mail, lambda figures: figures[1] == 2)
        mail.stop(signal.SIGKILL)
        mail.start()
        assert ready(mail).send().startswith("450 4.7.1 ")


# --- settings ---


def test_reload(server):
    with Mail(server, "MailPerHour=1") as mail:
        client = ready(mail)
        assert client.send().startswith("250 ")
        mail.configure("MailPerHour=nonsense")
        mail.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + TIMEOUT
        while "MailPerHour=nonsense is not a whole number" not in mail.log():
            assert time.monotonic() < end
        assert ready(mail).send().startswith("450 ")
        mail.configure("MailPerHour=2")
        mail.process.send_signal(signal.SIGHUP)
        while not ready(mail).send().startswith("250 "):
            assert time.monotonic() < end
