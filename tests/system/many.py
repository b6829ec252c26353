# SPDX-License-Identifier: MIT
"""Many customers at once, made as a control panel would: lines in files instead of a command for each."""

import json
import os
import shutil
import tempfile

from box import HERE

FIRST_UID = 20000


def names(n, first=0):
    return [f"c{number:04d}" for number in range(first, first + n)]


def host(name):
    return f"{name}.example"


def create(box, customers, first=0, instance=""):
    """User, home, a page with the name of the customer, and the instance file; no certificate. Their sockets are not
    started. first: the number of the first one, from which uids are made. """
    uids = {name: FIRST_UID + first + i for i, name in enumerate(customers)}
    with open(box.path("/etc/passwd"), "a", encoding="ascii") as passwd:
        passwd.writelines(f"{name}:x:{uid}:{uid}::/home/{name}:/bin/false\n" for name, uid in uids.items())
    with open(box.path("/etc/group"), "a", encoding="ascii") as group:
        group.writelines(f"{name}:x:{uid}:\n" for name, uid in uids.items())
    for name, uid in uids.items():
        for folder in (f"/home/{name}", f"/srv/www/{name}"):
            path = box.path(folder)
            path.mkdir(parents=True)
            os.chmod(path, 0o750)
            os.chown(path, uid, uid)
        box.write(f"/srv/www/{name}/index.html", f"{name}\n")
        os.chown(box.path(f"/srv/www/{name}/index.html"), uid, uid)
        box.write_instance(name, f"Host={host(name)}\n{instance}")


def remove(box, customers):
    for name in customers:
        box.path(f"/etc/bellhop/instances/{name}.conf").unlink()
    box.reload_router()
    systemctl(box, "stop", sockets(customers))
    for file in ("/etc/passwd", "/etc/group"):
        lines = box.path(file).read_text().splitlines(keepends=True)
        box.path(file).write_text("".join(line for line in lines if line.partition(":")[0] not in customers))
    for name in customers:
        for top in ("/home", "/srv/www", "/etc/bellhop/sites"):
            shutil.rmtree(box.path(f"{top}/{name}"), ignore_errors=True)


def sockets(customers):
    return [f"bellhop@{name}.socket" for name in customers]


def systemctl(box, action, units):
    """systemctl fails for more than about 8000 units in one command: "No buffer space available"."""
    for i in range(0, len(units), 1000):
        box.run("systemctl", action, *units[i:i + 1000], timeout=300)


def start(box, customers):
    """Their sockets, and then the router hears of them."""
    systemctl(box, "start", sockets(customers))
    box.reload_router()


def visit(box, customers, other=None):
    """All of them at once, and meanwhile the host other: what crowd.py tells."""
    with tempfile.TemporaryFile("w+") as hosts:
        hosts.write("\n".join(map(host, customers)))
        hosts.seek(0)
        return json.loads(box.client("/usr/bin/python3", HERE / "crowd.py", *([other] if other else []), stdin=hosts))


STARTING, STARTED = "7d4958e842da4a758f6c1cdc7b36dcc5", "39f53479d3a045ac8e11786248231fbf"  # systemd.journal-fields(7)
FAILED = "be02cf6855d2428ba40df7e9d022f03d"


def most_at_once(box, cursor):
    """Of instances in state activating, since that place in the journal: PID 1 has told of each that came and went."""
    entries = box.journal("-o", "json", "--output-fields=MESSAGE_ID,UNIT", f"--after-cursor={cursor}", "_PID=1",
                          *(f"MESSAGE_ID={kind}" for kind in (STARTING, STARTED, FAILED)))
    starting, most = set(), 0
    for entry in map(json.loads, entries.splitlines()):
        if entry["UNIT"].startswith("bellhop@") and entry["UNIT"].endswith(".service"):
            (starting.add if entry["MESSAGE_ID"] == STARTING else starting.discard)(entry["UNIT"])
            most = max(most, len(starting))
    return most


def journal_cursor(box):
    return box.journal("-n", "0", "--show-cursor").rpartition("cursor: ")[2].strip()


def let_sleep(box, customers):
    systemctl(box, "stop", [f"bellhop@{name}.service" for name in customers])
