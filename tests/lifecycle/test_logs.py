# SPDX-License-Identifier: MIT
"""Where log lines go, and the folders in which they go."""

import re

import pytest

CAROL = "carol.example"
SITE = "bellhop@carol.service"
# A page of each kind.
PAGES = {"load.txt": None, "wrong.php": "<?php error_log('wrong'); shell_exec('echo too >&2');", "hello.cgi": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhello'\n", "hello.php": "<?php echo 'hello';"}


@pytest.fixture(name="site", params=["apache", "nginx"])
def site_fixture(box, carol, request):
    """That of carol, with each server."""
    box.write_instance(carol, f"Host={CAROL}\nServer={request.param}\n")
    box.start_customer(carol)
    return carol


def publish_pages(box, name):
    for page, text in PAGES.items():
        if text:
            box.write(f"/srv/www/{name}/{page}", text, 0o755)
            box.run("chown", f"{name}:", f"/srv/www/{name}/{page}")


@pytest.fixture(name="journal_on_disk")
def journal_on_disk_fixture(box):
    """Where journald gives each user a file of their own; without lines of earlier users of a uid."""
    box.shell("rm -rf /run/log/journal; mkdir -p /var/log/journal; systemctl restart systemd-journald; journalctl --flush")
    yield lambda: sorted(path.name for path in box.path("/var/log/journal").glob("*/user-*.journal"))
    box.shell("rm -rf /var/log/journal; systemctl restart systemd-journald")


def test_site_leaves_no_journal_of_its_user(box, site, journal_on_disk):
    """A cold start, a request of each kind, a reload and a stop; then a line that is meant for the journal has one."""
    publish_pages(box, site)
    for scheme in ("http", "https"):
        for page in PAGES:
            box.curl(f"{scheme}://{CAROL}/{page}")
    box.run("systemctl", "reload", SITE)
    box.curl(f"http://{CAROL}/missing")
    box.run("systemctl", "stop", SITE)
    box.wait_for("the lines", lambda: len(box.log(site).splitlines()) == 9)
    box.wait_for("lines of PHP", lambda: "[php] too\n" in box.log(site, "error"))
    box.run("journalctl", "--sync")
    uid = box.uid(site)
    assert box.journal(f"_UID={uid}") == ""
    assert f"user-{uid}.journal" not in journal_on_disk()
    box.run("runuser", "-u", site, "--", "logger", "hello")
    box.run("journalctl", "--sync")
    assert f"user-{uid}.journal" in journal_on_disk()


def test_format(box, carol):
    """Debian's vhost_combined, and Apache's own of errors."""
    box.start_customer(carol)
    box.write(f"/srv/www/{carol}/error.cgi", "#!/bin/sh\necho oh no >&2\nprintf 'Content-Type: text/plain\\n\\nhello'\n", 0o755)
    box.run("chown", f"{carol}:", f"/srv/www/{carol}/error.cgi")
    box.curl(f"https://{CAROL}/error.cgi?x", "-A", "some browser", "-e", "http://from.example/")
    box.wait_for("both lines", lambda: box.log(carol) and "oh no" in box.log(carol, "error"))
    assert re.fullmatch(r'carol\.example:443 127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] '
                        r'"GET /error\.cgi\?x HTTP/2\.0" 200 \d+ "http://from\.example/" "some browser"\n', box.log(carol))
    line, = (line for line in box.log(carol, "error").splitlines() if "oh no" in line)
    assert re.match(r"\[\w{3} \w{3} \d\d \d\d:\d\d:\d\d\.\d{6} \d{4}\] \[cgi:error\] \[pid \d+:tid \d+\] "
                    r"\[client 127\.0\.0\.1:\d+\] AH01215: ", line), line
    # rsyslogd writes the customer's file first.
    box.wait_for("the common files", lambda: line + "\n" in box.path("/var/log/bellhop/error.log").read_text() and
                 box.log(carol) in box.path("/var/log/bellhop/access.log").read_text())


def test_journal_is_the_other_choice(box, site):
    drop_in = f"/etc/systemd/system/{SITE}.d/logs.conf"
    box.write(drop_in, "[Service]\nEnvironment=BELLHOP_LOGS=journal\n")
    box.run("systemctl", "daemon-reload")
    box.curl(f"http://{CAROL}/load.txt?to-the-journal")
    # A server may write the line after the client has the answer.
    box.wait_for("the line", lambda: "?to-the-journal" in box.journal("-u", SITE, "SYSLOG_IDENTIFIER=bellhop-access"))
    assert box.log(site) == ""
    box.write(drop_in, "[Service]\nEnvironment=BELLHOP_LOGS=nowhere\n")
    box.shell(f"systemctl daemon-reload; systemctl stop {SITE}")
    assert box.curl(f"http://{CAROL}/", "-o", "/dev/null", "-w", "%{http_code}") == "503"
    assert "it must be files or journal" in box.journal("-u", SITE)


def test_last_line_of_an_instance_has_its_unit(box, carol):
    """journald finds the unit by the process that sent the line. It gets a little time if it is late; one of a few tries
    must do."""
    box.write(f"/etc/systemd/system/{SITE}.d/logs.conf", "[Service]\nEnvironment=BELLHOP_LOGS=nowhere\n")
    box.run("systemctl", "daemon-reload")
    box.start_customer(carol)

    def start_while_journald_is_late():
        box.shell(f"""
            systemctl stop bellhop-standin@{carol}.service {SITE}
            journald=$(systemctl show -P MainPID systemd-journald.service)
            kill -STOP $journald
            systemctl start --no-block {SITE}
            sleep 0.4
            kill -CONT $journald
        """)
        box.wait_for("the end", lambda: box.show(SITE, "ActiveState") == "failed")
        return "it must be files or journal" in box.journal("-u", SITE)

    assert any(start_while_journald_is_late() for _ in range(5))


def test_without_the_socket_lines_go_to_the_journal(box, site):
    """Before the start, and while an instance runs: it says once that the socket has gone."""
    box.curl(f"http://{CAROL}/load.txt?first")
    box.wait_for("the line", lambda: "?first" in box.log(site))
    box.run("systemctl", "restart", "bellhop-log.socket")
    before = box.journal("-u", SITE)
    for _ in range(3):
        box.curl(f"http://{CAROL}/load.txt?gone")
    said = box.wait_for("the lines", lambda: (text := box.journal("-u", SITE).removeprefix(before)).count("?gone") == 3 and text)
    assert said.count("the socket of bellhop-log is gone") == 1, said
    box.run("systemctl", "mask", "--now", "bellhop-log.socket")
    try:
        box.run("systemctl", "stop", SITE, "bellhop-log.service")
        box.curl(f"http://{CAROL}/load.txt?none")
        box.wait_for("the line", lambda: "?none" in box.journal("-u", SITE, "SYSLOG_IDENTIFIER=bellhop-access"))
    finally:
        box.run("systemctl", "unmask", "bellhop-log.socket")
    box.run("systemctl", "restart", SITE)
    box.curl(f"http://{CAROL}/load.txt?again")
    box.wait_for("the line", lambda: "?again" in box.log(site))


def test_folder_comes_and_goes_with_the_customer(box):
    box.run("bellhopctl", "add", "dora", "--create-user", "--host=dora.example")
    try:
        uid = box.uid("dora")
        folder, link = box.path("/var/log/bellhop/dora"), box.path(f"/var/log/bellhop/.uid/{uid}")
        assert folder.is_dir() and str(link.readlink()) == "../dora"
        box.curl("http://dora.example/?a-page")
        box.wait_for("the line", lambda: "?a-page" in box.log("dora"))
        box.shell("rm -r /var/log/bellhop/dora; bellhopctl apply; systemctl reload bellhop-log.service")
        box.curl("http://dora.example/?after-apply")
        box.wait_for("the line", lambda: "?after-apply" in box.log("dora"))
        box.run("bellhopctl", "rename", "dora", "nora")
        assert "?after-apply" in box.log("nora") and not folder.exists() and str(link.readlink()) == "../nora"
        box.curl("http://dora.example/?after-rename")
        box.wait_for("the line", lambda: "?after-rename" in box.log("nora"))
        assert box.run("runuser", "-u", "nora", "--", "tail", "-n1", "/var/log/bellhop/nora/access.log")
        box.run("bellhopctl", "remove", "nora")
        assert "?after-rename" in box.log("nora")
    finally:
        for name in ("dora", "nora"):
            box.try_run("bellhopctl", "remove", "--purge", "--yes", name)
    assert not box.path("/var/log/bellhop/nora").exists()


def test_next_user_of_a_uid_gets_no_old_lines(box):
    for name in ("dora", "emma"):
        box.shell(f"useradd --uid 7777 {name}; bellhopctl add {name} --host={name}.example")
        try:
            box.curl(f"http://{name}.example/?by-{name}")
            box.wait_for("the line", lambda n=name: f"?by-{n}" in box.log(n))
            assert name == "dora" or "?by-dora" not in box.log(name)
        finally:
            box.shell(f"bellhopctl remove --purge --yes {name}; userdel -rf {name} 2>/dev/null || :")
