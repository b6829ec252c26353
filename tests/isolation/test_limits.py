# SPDX-License-Identifier: MIT
"""Filling the machine: what is bounded, by whom.

Memory, tasks and processor need cgroup controllers, which a container may have on cgroup v1 only: a machine of its own,
in which now and then a unit hangs when it ends, so every wait in it is bounded.
"""

import os

import pytest
from box import Box
from fixtures import publish
from mallory import Hostile, assert_neighbours_are_well


def test_descriptors_run_out_for_itself_alone(box, mallory):
    n, error = mallory.do("eats_descriptors")
    assert error == "EMFILE" and n <= int(box.show(mallory.unit, "LimitNOFILE"))
    assert_neighbours_are_well(box)


def test_descriptors_in_flight_delay_nobody(box, mallory):
    """The kernel looks through those of all users at once, so one customer may have only so many."""
    mallory.forget()
    request = box.popen_client("curl", "-s", "--max-time", "20", "--resolve", f"{mallory.host}:80:127.0.0.1",
                               mallory.url("keeps_in_flight", most=60000, seconds=1))
    n, error = mallory.left("port.json")
    assert error in ("EMFILE", "ETOOMANYREFS") and n < 16000
    assert_neighbours_are_well(box)
    request.wait()


def test_writes_to_no_file_system_that_others_use_without_a_quota(box, mallory):
    """What is on the disk, a quota of the user bounds; in memory, each instance has file systems of its own."""
    places = mallory.do("file_systems", of=mallory.do("writable_places"))
    disk = {os.stat(box.path(path)).st_dev for path in ("/home", "/srv", "/var/lib", "/var/cache")}
    assert_neighbours_are_well(box)
    mounted = box.run("cat", f"/proc/{box.show('bellhop@bob.service', 'MainPID')}/mountinfo", "/proc/1/mountinfo")
    numbers = {line.split()[2] for line in mounted.splitlines() if " - mqueue " not in line}
    others = {os.makedev(*map(int, number.split(":"))) for number in numbers} - disk
    assert {path for path, number in places.items() if number in others} == set(), places


# By files and by bytes. nginx writes to the first one.
FULL = [("mallory", folder, size) for folder in ("/run/bellhop-instance", "/tmp", "/dev/shm") for size in (0, 1 << 20)]


@pytest.mark.parametrize("name, folder, size", [*FULL, ("mabel", "/run/bellhop-instance", 0)])
def test_full_file_system_is_its_own(box, request, name, folder, size):
    """Everything that needs room in memory goes on elsewhere."""
    hostile = request.getfixturevalue(name)
    box.run("systemctl", "stop", "bellhop@bob.service")
    n, error = hostile.do("fills", folder=folder, files=200000, size=size)
    assert (0 < n < 200000, error) == (True, "ENOSPC")
    assert_neighbours_are_well(box)
    box.run("systemctl", "daemon-reload")
    box.reload_router()
    for path in ("/run", "/tmp", "/dev/shm"):
        status = os.statvfs(box.path(path))
        assert status.f_bavail * status.f_frsize > 64 << 20 and status.f_favail != 0
    assert hostile.serves()
    hostile.do("empties", folder=folder)


def test_takes_no_place_that_the_machine_has_few_of(mallory):
    assert mallory.do("opens_terminals", most=100) == [0, "EPERM"]
    assert mallory.do("calls")["io_setup"] == "EPERM"


def test_shared_memory_of_the_customers_other_programs_survives_an_idle_exit(box, carol):
    box.start_customer(carol)
    assert box.curl("http://carol.example/load.txt").strip() == "carol.example"
    box.shell("runuser -u carol -- ipcmk --shmem 4096; runuser -u carol -- touch /dev/shm/of-carol")
    box.run("systemctl", "stop", "bellhop@carol.service")
    box.run("systemctl", "daemon-reload")
    assert " carol " in box.run("ipcs", "-m") and box.path("/dev/shm/of-carol").exists()


def test_flooded_journal_still_has_others_lines(box, mallory):
    """journald counts for each unit; by itself it lets through so many that a test would take long."""
    drop_in = f"/run/systemd/system/{mallory.unit}.d/test.conf"
    box.write(drop_in, "[Service]\nLogRateLimitBurst=1000\n")
    box.run("systemctl", "daemon-reload")
    mallory.restart_socket()
    mallory.do("floods_journal", lines=10000)
    box.run("systemd-cat", "-t", "bob-says", "echo", "right after the flood")
    assert "right after the flood" in box.journal("-t", "bob-says")
    assert len(box.journal("-t", "flood").splitlines()) < 10000
    box.path(drop_in).unlink()
    box.run("systemctl", "daemon-reload")
    mallory.restart_socket()


@pytest.fixture(name="small", scope="module")
def small_fixture():
    """A hostile customer, on a machine that can count their usage."""
    machine = Box("bellhop-limits", cgroup="v1")
    machine.up()
    try:
        machine.install()
        yield Hostile(machine, "mallory", network="no")
    finally:
        machine.down()


def limit(small, *properties):
    small.box.run("timeout", "20", "systemctl", "set-property", "--runtime", small.unit, *properties)


def test_tasks_are_bounded(small):
    """TasksMax= of the template is for one customer; here a smaller one, which is reached sooner."""
    assert small.serves()
    assert small.do("eats_tasks", most=600) < int(small.box.show(small.unit, "TasksMax")) == 512
    limit(small, "TasksMax=80")
    assert small.do("eats_tasks", most=200) < 80
    limit(small, "TasksMax=512")


def test_busy_tasks_of_one_delay_no_start(small):
    """This holds for any number of tasks. Without CPU shares, a start waited until the tasks ended."""
    small.box.create_customer("bob", ["bob.example"])
    publish(small.box, "bob", "bob.example")
    small.box.start_customer("bob")
    assert small.serves()
    small.forget()
    request = small.box.popen_client("curl", "-s", "--max-time", "60", "--resolve", f"{small.host}:80:127.0.0.1",
                                     small.url("spins", tasks=150, seconds=40))
    assert small.left("port.json") == "begun"
    # curl gives up after twenty seconds.
    assert small.box.curl("http://bob.example/load.txt").strip() == "bob.example"
    assert request.poll() is None
    small.forget()
    request.wait()


def test_processor_is_bounded(small):
    limit(small, "CPUQuota=20%")
    assert small.do("eats_cpu", seconds=2) < 0.4
    limit(small, "CPUQuota=")


def test_memory_of_php_is_bounded_with_it(small):
    """And what is killed for it is not the site."""
    path = f"{small.folder}/eat.php"
    small.box.write(path, "<?php ini_set('memory_limit', -1); echo strlen(str_repeat('x', 300 << 20)), ' eaten';")
    small.box.run("chown", "mallory:", path)
    url = f"http://{small.host}/eat.php"
    assert small.box.curl(url).endswith(" eaten")
    limit(small, "MemoryMax=96M")
    pid = small.box.show(small.unit, "MainPID")
    assert "eaten" not in small.box.curl(url)
    assert small.serves() and small.box.show(small.unit, "MainPID") == pid
    limit(small, "MemoryMax=infinity")


def test_memory_is_bounded(small):
    """Of the instance; what is bounded for the slice is bounded for all of them together."""
    limit(small, "MemoryMax=96M")
    small.box.path(f"{small.folder}/result.json").unlink(missing_ok=True)
    answer = small.box.curl(small.url("eats_memory", megabytes=300), check=False)
    assert "200" not in answer.stdout and not small.box.path(f"{small.folder}/result.json").exists()
    small.box.run("timeout", "20", "systemctl", "set-property", "--runtime", "bellhop.slice", "MemoryMax=96M")
    limit(small, "MemoryMax=infinity")
    small.box.curl(small.url("eats_memory", megabytes=300), check=False)
    assert not small.box.path(f"{small.folder}/result.json").exists()
    small.box.wait_for("mallory's site again", small.serves)
