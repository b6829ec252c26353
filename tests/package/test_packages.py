# SPDX-License-Identifier: MIT
"""The packages, as packaging/debs has built them: installed, upgraded, removed and purged on a pristine Debian."""

import pathlib
import re
import shutil
import subprocess

import pytest
from box import ROOT, SOURCE, Box
from clients import ALL_KINDS, load

FOLDER = pathlib.Path(ROOT).parent
REPOSITORY = FOLDER / "repository"
BOTH = ["bellhop", "libapache2-mod-bellhop"]
OLD = "0.0.9-1"
HOSTS = ["alice.example", "bob.example"]

# Customers, their pages and what others log belong to somebody else; tidying up and package lists are apt's and dpkg's.
NOT_OURS = ["/etc/.pwd.lock", "/etc/group", "/etc/gshadow", "/etc/passwd", "/etc/shadow", "/etc/subgid", "/etc/subgid-",
            "/etc/subuid", "/etc/subuid-", "/etc/ld.so.cache", "/home", "/srv", "/var/cache", "/var/lib/apt",
            "/var/lib/dpkg", "/var/log",
            "/var/lib/systemd/catalog", "/var/lib/systemd/random-seed", "/var/lib/systemd/timers", "/var/lib/dbus"]


@pytest.fixture(name="machine", scope="module")
def machine_fixture(tmp_path_factory):
    """A pristine Debian and an archive with the packages, and older ones of them that a test makes known."""
    archive = tmp_path_factory.mktemp("archive")
    shutil.copytree(REPOSITORY, archive, dirs_exist_ok=True)
    archive.chmod(0o755)
    for parent in (archive.parent, archive.parent.parent):
        parent.chmod(0o755)
    machine = Box("bellhop-package", repository=archive)
    machine.up()
    try:
        machine.use_repository()
        yield machine
    finally:
        machine.down()


def previous(archive):
    """The same packages as if of an older version, which had one line more in two conffiles, and a file since dropped."""
    for path in [*archive.glob("bellhop_*.deb"), *archive.glob("libapache2-mod-bellhop_*.deb")]:
        tree = archive / "tree"
        subprocess.run(["dpkg-deb", "-R", path, tree], check=True)
        control = tree / "DEBIAN/control"
        version = re.search(r"^Version: (.*)$", control.read_text(), re.MULTILINE)[1]
        control.write_text(control.read_text().replace(version, OLD))
        for conffile in (tree / "etc/bellhop/router.conf", tree / "etc/bellhop/apache2/instance.conf"):
            if conffile.exists():
                conffile.write_text("# older\n" + conffile.read_text())
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, archive], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(tree)
    with open(archive / "Packages", "w", encoding="utf-8") as packages:
        subprocess.run(["dpkg-scanpackages", "--multiversion", "."], cwd=archive, check=True, stdout=packages,
                       stderr=subprocess.DEVNULL)


def files_of(box):
    places = box.run("find", "/etc", "/home", "/opt", "/root", "/srv", "/usr", "/var", "-xdev", "-not", "-type", "d",
                     "-or", "-empty")
    # systemd ends the name of a unit's private folder by chance, and makes it anew after a boot.
    places = re.sub(r"(/systemd-private-[0-9a-f]+-[^/\n]+)-\w{6}(?=/|$)", r"\1", places, flags=re.MULTILINE).splitlines()
    return {place for place in places if not any(place == mine or place.startswith(mine + "/") for mine in NOT_OURS)}


def installed(box, package):
    return box.try_run("dpkg-query", "-W", "-f", "${db:Status-Abbrev}", package).stdout == "ii "


def version(box):
    return box.run("dpkg-query", "-W", "-f", "${Version}", "bellhop")


def loaded_units(box):
    """Without the name that is left of bellhop.target while it is enabled, and not there."""
    units = box.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "bellhop*").splitlines()
    return [unit for unit in units if unit.split()[1] != "not-found"]


def listening(box):
    return box.run("ss", "-Hlntu")


def publish(box, *customers):
    for customer in customers:
        box.write(f"/srv/www/{customer}/load.txt", f"{customer}.example\n")
        box.run("chown", f"{customer}:", f"/srv/www/{customer}/load.txt")


def assert_both_serve(box):
    for host in HOSTS:
        assert box.curl(f"https://{host}/load.txt") == host + "\n"


def test_same_bytes_again():
    """Built in another place, at another time, by another locale, mask and number of processors."""
    first = {path.name: path.read_bytes() for path in REPOSITORY.glob("*bellhop*.deb")}
    again = {path.name: path.read_bytes() for path in (FOLDER / "again").glob("*.deb")}
    assert sorted(first) == sorted(again)
    assert [name for name in first if first[name] != again[name]] == []
    assert {name.partition("_")[0] for name in first} >= {*BOTH, "libbellhop0", "libbellhop-dev"}


def test_unit_tests_passed_in_the_build():
    said = (FOLDER / "tests").read_text()
    assert int(re.search(r"^Ok: +(\d+)", said, re.MULTILINE)[1]) > 30
    assert re.search(r"^Fail: +0 *$", said, re.MULTILINE)


def test_lintian_has_nothing_but_what_is_explained():
    # Overrides for another release's lintian are not findings of this one.
    said = [line for line in (FOLDER / "lintian").read_text().splitlines()
            if not re.match(r"N:|O:|I: .* unused-override|E: .* alien-tag", line)]
    assert said == []
    for overrides in (SOURCE / "debian").glob("**/*lintian-overrides"):
        above = ""
        for line in overrides.read_text().splitlines():
            assert line.startswith("#") or above.startswith("#"), f"{overrides.name}: no reason above {line}"
            above = line


def test_hardened(tmp_path):
    """Each program and library: position-independent, nothing writable that is called through, no code on the stack."""
    for package in REPOSITORY.glob("*bellhop*_amd64.deb"):
        if "dbgsym" not in package.name:
            subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    programs = [path for path in tmp_path.rglob("*")
                if path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF"]
    assert len(programs) >= 6
    for path in programs:
        facts = subprocess.run(["readelf", "-W", "-h", "-l", "-d", path], check=True, text=True,
                               capture_output=True).stdout
        assert "DYN (" in facts and "GNU_RELRO" in facts and "NOW" in facts, path
        assert not re.search(r"GNU_STACK.*RWE", facts), path


def dependencies(box, *packages):
    would = box.run("apt-get", "-s", "install", *packages)
    return [name for name in re.findall(r"^Inst (\S+)", would, re.MULTILINE) if name not in BOTH]


def test_install_and_purge(machine):
    machine.apt_get("install", *dependencies(machine, *BOTH, "curl"))
    before = files_of(machine)
    said = machine.apt_get("install", *BOTH)
    assert "another server" not in said
    assert not installed(machine, "apache2"), "Apache's own service came along"
    assert machine.show("bellhop.target", "ActiveState") == "active"
    assert machine.show("bellhop.target", "UnitFileState") == "enabled"
    # What the package says of itself to autopkgtest: bellhopctl add twice, and both sites over HTTPS.
    machine.write("/root/sites", (SOURCE / "debian/tests/sites").read_text(), 0o755)
    assert "\nalice.example is served by alice\nbob.example is served by bob\n" in machine.run("/root/sites")
    publish(machine, "alice", "bob")
    assert_both_serve(machine)
    machine.reboot()
    assert_both_serve(machine)
    machine.path("/root/sites").unlink()
    machine.apt_get("purge", *BOTH)
    assert loaded_units(machine) == []
    assert listening(machine) == ""
    assert files_of(machine) == before
    for place in ("/etc/bellhop", "/run/bellhop", "/run/bellhop-instance", "/run/systemd/generator/bellhop.target.wants"):
        assert not machine.path(place).exists(), place
    assert machine.try_run("id", "bellhop").returncode != 0
    assert machine.path("/srv/www/alice/load.txt").read_text() == "alice.example\n", "pages are the customer's"
    machine.shell("userdel -r alice; userdel -r bob; rm -rf /srv/www")


def test_upgrade_under_load(machine):
    previous(pathlib.Path(machine.repository))
    machine.apt_get("update")
    machine.apt_get("install", f"bellhop={OLD}", f"libapache2-mod-bellhop={OLD}")
    for customer in ("alice", "bob"):
        machine.run("bellhopctl", "add", customer, "--create-user", "--self-signed", f"--host={customer}.example")
    publish(machine, "alice", "bob")
    assert_both_serve(machine)
    # Conffiles: this one is the administrator's now, the other one is as it came.
    mine = machine.path("/etc/bellhop/router.conf").read_text() + "[Router]\nStartingMax=7\n"
    machine.path("/etc/bellhop/router.conf").write_text(mine)
    router, alice = machine.show("bellhop-router.service", "MainPID"), machine.show("bellhop@alice.service", "MainPID")
    socket = machine.show("bellhop-router.socket", "ActiveEnterTimestampMonotonic")
    with load(machine, *HOSTS) as report:
        machine.apt_get("-o", "Dpkg::Options::=--force-confold", "install", *BOTH)
    report.assert_nothing_failed(*ALL_KINDS)
    assert version(machine) != OLD
    assert machine.show("bellhop-router.service", "MainPID") not in ("0", router), "the new router runs"
    assert machine.show("bellhop@alice.service", "MainPID") == alice, "the instance has not been disturbed"
    assert machine.show("bellhop-router.socket", "ActiveEnterTimestampMonotonic") == socket
    assert machine.path("/etc/bellhop/router.conf").read_text() == mine
    assert "# older" not in machine.path("/etc/bellhop/router.conf.dpkg-dist").read_text()
    assert "# older" not in machine.path("/etc/bellhop/apache2/instance.conf").read_text()
    assert machine.show("bellhop-router.service", "NRestarts") == "0"
    assert_both_serve(machine)


def test_remove_and_come_back(machine):
    machine.curl("http://alice.example/load.txt")
    machine.apt_get("remove", *BOTH)
    assert loaded_units(machine) == []
    assert listening(machine) == ""
    assert machine.path("/etc/bellhop/instances/alice.conf").exists(), "configuration stays until the purge"
    said = machine.journal("-b", "_PID=1")
    assert "Stopped bellhop-router.service" in said
    assert re.findall(r".*bellhop.*(?:[Ff]ailed|timed out).*", said) == []
    machine.apt_get("install", *BOTH)
    assert_both_serve(machine)


def test_disabled_stays_disabled(machine):
    machine.run("systemctl", "disable", "--now", "bellhop.target")
    machine.apt_get("install", "--reinstall", *BOTH)
    assert machine.show("bellhop.target", "UnitFileState") == "disabled"
    assert machine.show("bellhop.target", "ActiveState") == "inactive"
    assert listening(machine) == ""
    machine.apt_get("purge", *BOTH)
    assert not machine.path("/etc/bellhop").exists()


def test_existing_apache_keeps_its_ports():
    machine = Box("bellhop-apache", repository=REPOSITORY)
    machine.up()
    try:
        machine.use_repository()
        machine.apt_get("install", "apache2")
        machine.write("/var/www/html/load.txt", "the host's own\n")
        said = machine.apt_get("install", *BOTH)
        assert re.search(r"does not run.*\n +port 80 is taken by another program \(perhaps apache2\.service\)\n", said), said
        assert "systemctl disable --now apache2.service && systemctl enable --now bellhop.target" in said
        assert machine.run("a2query", "-m").count("bellhop") == 0
        for _ in range(2):
            assert machine.curl("http://host.example/load.txt") == "the host's own\n"
            machine.reboot()
        # While its service is stopped for a moment, the ports are not free to be taken either.
        machine.run("systemctl", "stop", "apache2")
        machine.apt_get("purge", "bellhop")
        said = machine.apt_get("install", *BOTH)
        assert re.search(r"does not run.*\n +apache2\.service is enabled\n", said), said
        # And what it says leads to sites.
        machine.shell("systemctl disable --now apache2.service && systemctl enable --now bellhop.target")
        machine.run("bellhopctl", "add", "alice", "--create-user", "--self-signed", "--host=alice.example")
        publish(machine, "alice")
        assert machine.curl("https://alice.example/load.txt") == "alice.example\n"
    finally:
        machine.down()
