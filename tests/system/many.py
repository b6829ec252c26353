# SPDX-License-Identifier: MIT
"""Many customers at once, made as a control panel would: lines in files instead of a command for each."""

import os

FIRST_UID = 20000


def names(n, first=0):
    return [f"c{number:04d}" for number in range(first, first + n)]


def host(name):
    return f"{name}.example"


def create(box, customers, first=0, instance=""):
    """User, home, a page that tells whose it is, and the instance file; no certificate. Their sockets are not started.

    first: the number of the first of them, from which uids are made.
    """
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


def sockets(customers):
    return [f"bellhop@{name}.socket" for name in customers]


def start(box, customers):
    """Their sockets, and then the router hears of them."""
    box.run("systemctl", "start", *sockets(customers))
    box.reload_router()
