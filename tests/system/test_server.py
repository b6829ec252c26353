# SPDX-License-Identifier: MIT
"""An instance with nginx, from what is installed."""

import pytest
from test_life import main_pid, steady, status_of

HOST = "nina.example"
UNIT = "bellhop@nina.service"


@pytest.fixture(name="nina", scope="module")
def _nina(box):
    box.run("bellhopctl", "add", "nina", "--create-user", f"--host={HOST}", "--self-signed", "--server=nginx")
    box.write("/srv/www/nina/page.php", "<?php echo posix_getpwuid(posix_getuid())['name'], ' ', $_SERVER['HTTPS'] ?? 'plain';")
    box.run("chown", "nina:", "/srv/www/nina/page.php")
    with box.path("/srv/www/nina/index.html").open("a") as page:
        page.write(HOST)
    yield "nina"
    box.run("bellhopctl", "remove", "--purge", "--yes", "nina")


def programs(box):
    return set(box.run("ps", "-o", "comm=", "-u", "nina").split())


def test_serves(box, nina):
    assert "nina" in box.curl(f"http://{HOST}/") and "nginx" in programs(box)
    assert box.curl(f"http://{HOST}/page.php") == "nina plain"
    for version in ("1.1", "2"):
        assert box.curl(f"https://{HOST}/page.php", f"--http{version}", "-w", " %{http_version}") == f"nina on {version}"
    assert status_of(box, f"https://{HOST}/none") == "404"
    box.wait_for("its log", lambda: f'{HOST}:443 ' in box.log("nina"))
    assert "nginx" in box.run("bellhopctl", "status", "nina")
    found = box.try_run("bellhopctl", "check", "--instance=nina", "--json").stdout
    assert '"severity": "error"' not in found and '"severity": "warning"' not in found, found


def test_idle_exit_and_start(box, nina):
    box.run("bellhopctl", "set", nina, "--idle=200ms")
    box.curl(f"http://{HOST}/")
    box.wait_for("the exit", lambda: box.show(UNIT, "ActiveState") == "inactive")
    assert box.show(UNIT, "Result") == "success"
    assert box.curl(f"http://{HOST}/page.php") == "nina plain"
    box.run("bellhopctl", "set", nina, "--idle=")


def test_the_other_server(box, nina):
    """One set, and no visitor is lost."""
    box.curl(f"http://{HOST}/")
    with steady(box, HOST):
        for server, program in (("apache", "apache2"), ("nginx", "nginx")):
            box.run("bellhopctl", "set", nina, f"--server={server}")
            box.wait_for(f"{program} alone", lambda p=program: {"apache2", "nginx"} & programs(box) == {p})
            assert box.curl(f"https://{HOST}/page.php") == "nina on"
    assert main_pid(box, nina) > 0


def test_add_where_there_are_pages_of_apache(box):
    box.shell("""useradd --create-home nora; install -d -o nora -m 0750 /srv/www/nora
                 runuser -u nora -- sh -c 'echo Require all denied > /srv/www/nora/.htaccess'""")
    said = box.run("bellhopctl", "add", "nora", "--host=nora.example", "--server=nginx")
    assert "nginx does not read the .htaccess files in /srv/www/nora, " in said, said
    box.shell("bellhopctl remove --purge --yes nora; userdel --remove nora")
