# SPDX-License-Identifier: MIT
"""Mail of a site, by Debian's mail servers as Debian sets them up for one machine."""

import json
import pathlib
import re
import subprocess

import pytest
from box import BUILD, Failed
from fixtures import machine_with_customers

TESTS = pathlib.Path(__file__).resolve().parent.parent
WWW = "/srv/www/dave"
SITE = "bellhop@dave.service"
MARK = "X-Bellhop-Instance: dave"
UNITS = {"postfix": "postfix.service", "exim": "exim4.service"}
# Exim accepts all from this machine, and reports what it can't deliver.
WRONG = {"postfix": "nobody-of-that-name", "exim": "a|b"}
# As an administrator of one machine answers their questions.
CHOICES = """
postfix postfix/main_mailer_type select Local only
postfix postfix/mailname string host.example
exim4-config exim4/dc_eximconfig_configtype select local delivery only; not on a network
exim4-config exim4/mailname string host.example
exim4-config exim4/dc_other_hostnames string host.example
exim4-config exim4/dc_local_interfaces string 127.0.0.1
"""
PHP = """<?php
$sent = mail('erin@host.example', 'Your password', "Hello\nErin\n.\nEnd\n", ['From' => 'Shop <shop@dave.example>',
             'Bcc' => 'frank@host.example'], $_GET['f'] ?? '');
echo json_encode([$sent, error_get_last()['message'] ?? null]);
"""
# What programs do, by the language; each sends to erin.
PROGRAMS = {
    "sh": r"""printf 'To: Erin <erin@host.example>\nSubject: by sh\n\ntext\n' | /usr/sbin/sendmail -t -i 2>&1; echo $?""",
    "path": r"""printf 'Subject: by path\n\ntext\n' | sendmail -oi -r dave@dave.example erin 2>&1; echo $?""",
    "python": """/usr/bin/python3 -c '
import email.message, subprocess
message = email.message.EmailMessage()
message["To"], message["Subject"] = "erin@host.example", "by python"
message.set_content("text")
done = subprocess.run(["/usr/sbin/sendmail", "-t", "-oi"], input=message.as_bytes(), capture_output=True)
print(done.stderr.decode() + str(done.returncode))'""",
    "bs": """/usr/bin/python3 -c '
import subprocess
done = subprocess.run(["/usr/sbin/sendmail", "-bs"], capture_output=True, input=(
    b"EHLO [127.0.0.1]\\r\\nMAIL FROM:<dave@dave.example>\\r\\nRCPT TO:<erin@host.example>\\r\\nDATA\\r\\n"
    b"From: dave@dave.example\\r\\nSubject: by bs\\r\\n\\r\\ntext\\r\\n.\\r\\nQUIT\\r\\n"))
print(done.stderr.decode() + str(done.returncode if done.stdout.endswith(b"221 2.0.0 bye\\r\\n") else done.stdout))'""",
}


@pytest.fixture(name="server", scope="module", params=["postfix", "exim"])
def server_fixture(request):
    return request.param


@pytest.fixture(name="machine", scope="module")
def machine_fixture(server):
    """It has the mail server, and Erin, who reads mail there."""
    folder = BUILD / f"{server}-packages"
    subprocess.run([TESTS / "download-packages", server, folder], check=True)
    for machine in machine_with_customers(f"bellhop-{server}"):
        # Until now there was none: instances had a sendmail all the same, and the machine has it not because of them.
        add_dave(machine)
        assert refused(machine, "sh").startswith("sendmail: the message was refused: 451 4.4.2 the mail server can't be")
        assert not machine.path("/usr/sbin/sendmail").exists()
        for deb in folder.glob("*.deb"):
            machine.path(f"/root/{deb.name}").write_bytes(deb.read_bytes())
        machine.write("/root/choices", CHOICES)
        machine.shell(f"""
            useradd --create-home erin
            useradd --create-home frank
            echo host.example >/etc/mailname
            export DEBIAN_FRONTEND=noninteractive
            debconf-set-selections /root/choices
            dpkg --install /root/*.deb
            systemctl daemon-reload
            systemctl restart {UNITS[server]} bellhop-mail.service
        """, timeout=300)
        machine.wait_for("the mail server", lambda: machine.try_run("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/25; read x <&3"
                                                                    ).returncode == 0)
        yield machine


def add_dave(machine):
    machine.create_customer("dave", ["dave.example"])
    machine.write(f"{WWW}/mail.php", PHP)
    machine.run("chown", "dave:", f"{WWW}/mail.php")
    for name, script in PROGRAMS.items():
        machine.write_page("dave", f"{name}.cgi", script)
    machine.start_customer("dave")


@pytest.fixture(name="dave", params=["no", "yes"])
def dave_fixture(request, machine):
    """What the instance has is what systemd has read; each has an empty mailbox to write to."""
    machine.write_instance("dave", f"Host=dave.example\nNetwork={request.param}\n")
    machine.run("systemctl", "stop", SITE)
    machine.run("systemctl", "daemon-reload")
    machine.shell("rm -f /var/mail/erin /var/mail/frank")
    return machine


def refused(machine, program):
    return machine.curl(f"http://dave.example/{program}.cgi")


def mailbox(machine, reader="erin", has="\n\n"):
    path = machine.path(f"/var/mail/{reader}")
    try:
        return machine.wait_for(f"mail for {reader}", lambda: path.exists() and has in path.read_text() and path.read_text())
    except Failed as error:
        log = machine.try_run("journalctl", "-n", "60", "--no-pager").stdout
        more = machine.try_run("bash", "-c", "tail -n 20 /var/log/exim4/* /var/log/mail.log").stdout
        raise Failed(f"{error}\n{log}\n{more}") from error


def mail_figures(machine):
    entry, = json.loads(machine.run("bellhopctl", "status", "dave", "--json"))["instances"]
    return [entry[key] for key in ("mail_today", "mail_sent", "mail_refused")]


def test_php(dave):
    assert dave.curl("http://dave.example/mail.php") == "[true,null]"
    text = mailbox(dave, has="End")
    assert text.count(MARK) == 1 and text.count("\nSubject: Your password\n") == 1
    assert "\nFrom: Shop <shop@dave.example>\n" in text and "\n\nHello\nErin\n.\nEnd\n" in text
    assert re.search(r"^Message-ID: <.*@host\.example>$", text, re.MULTILINE | re.IGNORECASE)
    assert "\nDate: " in text and "Bcc" not in text
    # Failures are reported to the customer, whose address it is.
    assert re.search(r"^Return-[Pp]ath: <dave@host\.example>$", text, re.MULTILINE) or text.startswith("From dave@host.example ")
    assert MARK in mailbox(dave, "frank")


def test_php_names_the_sender(dave):
    assert dave.curl("http://dave.example/mail.php?f=-fbounces@host.example") == "[true,null]"
    assert mailbox(dave).startswith("From bounces@host.example ")


@pytest.mark.parametrize("program", PROGRAMS)
def test_program(dave, program):
    assert dave.curl(f"http://dave.example/{program}.cgi") == "0\n"
    text = mailbox(dave, has=f"Subject: by {program}")
    assert text.count(MARK) == 1 and "\n\ntext\n" in text


def test_what_the_mail_server_refuses(dave, server):
    dave.write_page("dave", "refused.cgi", f"echo x | /usr/sbin/sendmail '{WRONG[server]}@host.example' 2>&1; echo $?")
    said = dave.curl("http://dave.example/refused.cgi")
    assert re.match(r"sendmail: the message was refused(, [^:]*)?: 55\d", said) and said.endswith("\n69\n"), said


def test_over_the_budget(dave):
    """PHP says that it failed, and the log of the site why."""
    # It writes its figures a second late, or when it stops.
    dave.run("systemctl", "stop", "bellhop-mail.service")
    before = [each or 0 for each in mail_figures(dave)]
    dave.write_instance("dave", "Host=dave.example\nMailPerHour=0\n")
    assert dave.curl("http://dave.example/mail.php") == "[false,null]"
    reason = re.compile(r"sendmail: the message was refused: 450 4\.7\.1 this site has sent its 0 messages of this hour; the next one "
                        r"can go out at \d\d:00 UTC")
    dave.wait_for("the log of the site", lambda: reason.search(dave.log("dave", "error")))
    assert not dave.path("/var/mail/erin").exists()
    dave.wait_for("it is counted", lambda: mail_figures(dave) == [*before[:2], before[2] + 1])
    dave.write_instance("dave", "Host=dave.example\n")
    assert dave.curl("http://dave.example/mail.php") == "[true,null]"
    dave.wait_for("bellhopctl shows it", lambda: mail_figures(dave) == [each + 1 for each in before])


def test_nothing_but_sending(dave):
    dave.write_page("dave", "mode.cgi", "for mode in -bp -q -bi -bd; do /usr/sbin/sendmail $mode </dev/null 2>&1; done; mailq 2>&1")
    said = dave.curl("http://dave.example/mode.cgi").splitlines()
    assert said[:4] == ["sendmail: this sendmail can only send messages: see bellhop-mail(8)"] * 4, said


def test_machine_keeps_its_own(dave, server):
    """Cron jobs and SSH are outside of the instance."""
    dave.shell("printf 'Subject: by cron\\n\\ntext\\n' | setpriv --reuid=dave --regid=dave --clear-groups "
               "/usr/sbin/sendmail erin@host.example")
    text = mailbox(dave, has="by cron")
    assert "X-Bellhop" not in text
    assert b"bellhop" not in dave.path("/usr/sbin/sendmail").read_bytes()
    # And it is still there.
    assert server in dave.run("readlink", "-f", "/usr/sbin/sendmail") or server == "postfix"
