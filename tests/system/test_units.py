# SPDX-License-Identifier: MIT
"""Units as systemd sees them: exposure, modes, what they make of the files."""

import re
import stat

import pytest
from box import ACME_MAX_EXPOSURE, CERT_MAX_EXPOSURE, FIREWALL_MAX_EXPOSURE, INSTANCE_MAX_EXPOSURE, ROUTER_MAX_EXPOSURE, SOURCE

UNITS = ["bellhop.target", "bellhop.slice", "bellhop-router.socket", "bellhop-router-control.socket",
         "bellhop-metrics.socket", "bellhop-metrics.service", "bellhop-usage.socket", "bellhop-usage-reports.socket",
         "bellhop-usage.service", "bellhop-firewall.service", "bellhop-network.slice", "bellhop-private.service", "bellhop-log.socket", "bellhop-log.service", "bellhop-mail.socket", "bellhop-mail.service",
         "bellhop-acme.service", "bellhop-cert.socket", "bellhop-cert@1.service",
         "bellhop-acme-tls.socket", "bellhop-acme-tls.service",
         "bellhop-router.service", "bellhop@alice.socket",
         "bellhop@alice.service", "bellhop-standin@alice.service"]


@pytest.mark.parametrize("unit, limit", [("bellhop-router.service", ROUTER_MAX_EXPOSURE),
                                         ("bellhop-standin@alice.service", ROUTER_MAX_EXPOSURE),
                                         ("bellhop-metrics.service", ROUTER_MAX_EXPOSURE),
                                         ("bellhop-usage.service", ROUTER_MAX_EXPOSURE),
                                         ("bellhop-firewall.service", FIREWALL_MAX_EXPOSURE),
                                         ("bellhop-log.service", ROUTER_MAX_EXPOSURE),
                                         ("bellhop-mail.service", ROUTER_MAX_EXPOSURE),
                                         ("bellhop-acme.service", ACME_MAX_EXPOSURE),
                                         ("bellhop-cert@1.service", CERT_MAX_EXPOSURE),
                                         ("bellhop-acme-tls.service", ROUTER_MAX_EXPOSURE),
                                         ("bellhop@alice.service", INSTANCE_MAX_EXPOSURE)])
def test_exposure(box, unit, limit):
    report = box.run("systemd-analyze", "security", "--no-pager", unit)
    exposure = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", report).group(1))
    assert exposure <= limit, report


def test_verify_finds_nothing(box):
    # That there are the manual pages, where there are any.
    man = "yes" if box.path("/usr/bin/man").exists() else "no"
    checked = box.try_run("systemd-analyze", "verify", f"--man={man}", *UNITS)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("unit", ["bellhop-router.service.in", "bellhop-standin@.service.in",
                                  "bellhop@.service.in", "bellhop-metrics.service", "bellhop-usage.service.in",
                                  "bellhop-firewall.service.in",
                                  "bellhop-log.service.in",
                                  "bellhop-mail.service.in", "bellhop-acme.service.in", "bellhop-acme-tls.service.in", "bellhop-cert@.service.in"])
def test_every_sandbox_line_has_its_reason(unit):
    """Its comment is directly above it, or above the line that it completes."""
    completes = {"AmbientCapabilities", "BindPaths", "BindReadOnlyPaths", "DevicePolicy", "ProcSubset", "ReadWritePaths",
                 "RemoveIPC"}
    sandbox = (SOURCE / "units" / unit).read_text().partition("\n## Privileges")[2].partition("\n[Install]")[0]
    lines = [line for line in sandbox.splitlines() if line]
    assert len(lines) > 40
    for above, line in zip(lines, lines[1:]):
        key = line.partition("=")[0]
        assert (line.startswith("#") or above.startswith("# ") or key in completes or
                above.startswith(key + "=")), f"no reason above {line}"


def connect_handoff(box, target, user, *groups):
    program = ("import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)"
               f".connect('/run/bellhop/{target}.handoff')")
    return box.try_run("setpriv", f"--reuid={user}", f"--regid={user}",
                       f"--groups={','.join(groups)}" if groups else "--clear-groups", "/usr/bin/python3", "-c", program)


def test_handoff_sockets_are_the_routers_alone(box):
    folder = box.path("/run/bellhop")
    assert (stat.S_IMODE(folder.stat().st_mode), folder.stat().st_uid) == (0o710, 0)
    status = box.path("/run/bellhop/alice.handoff").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o660, 0, 0)
    assert connect_handoff(box, "alice", "bellhop").returncode == 0
    # A user who reads the metrics can enter the folder.
    assert "PermissionError" in connect_handoff(box, "alice", "bob", "bellhop").stderr
    # The folder's mode is one fence, the socket's another.
    folder.chmod(0o711)
    try:
        for user in ("alice", "bob"):
            assert "PermissionError" in connect_handoff(box, "alice", user).stderr
    finally:
        folder.chmod(0o710)


@pytest.mark.parametrize("user, target", [("alice", "bob"), ("alice", "alice"), ("bob", "alice")])
def test_customers_cannot_send_hand_offs(box, user, target):
    tried = connect_handoff(box, target, user)
    assert "PermissionError" in tried.stderr, tried


def test_generator_wants_the_socket_of_each_file(box):
    wants = box.path("/run/systemd/generator/bellhop.target.wants")
    box.run("systemctl", "daemon-reload")
    assert sorted(path.name for path in wants.iterdir()) == ["bellhop@alice.socket", "bellhop@bob.socket"]


def test_generator_goes_on_after_an_instance_whose_drop_in_can_not_be_written(box):
    """The sockets of the others, and its own, are wanted at the boot all the same."""
    file = box.path("/etc/bellhop/instances/alice.conf")
    before = file.read_text()
    file.write_text(before + "Network=yes\n")
    try:
        box.shell("mkdir /tmp/units; touch /tmp/units/bellhop@alice.service.d")
        done = box.try_run("/usr/lib/systemd/system-generators/bellhop-generator", *["/tmp/units"] * 3)
        assert done.returncode == 1 and "can't write the units of alice: Not a directory" in done.stderr, done
        wanted = box.run("ls", "/tmp/units/bellhop.target.wants").split()
        assert {"bellhop@alice.socket", "bellhop@bob.socket"} <= set(wanted)
    finally:
        file.write_text(before)
        box.run("rm", "-rf", "/tmp/units")


def test_the_template_works_without_the_generator(box):
    box.run("systemctl", "enable", "bellhop@alice.socket")
    assert box.path("/etc/systemd/system/bellhop.target.wants/bellhop@alice.socket").is_symlink()
    box.run("systemctl", "disable", "bellhop@alice.socket")
