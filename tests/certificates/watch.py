# SPDX-License-Identifier: MIT
"""Watches which processes open private keys, and which instances are started."""

import contextlib
import json
import subprocess
import tempfile

from box import BUILD

PROGRAM = "/root/openings"
STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"  # systemd.journal-fields(7)


def owner_of(path):
    """The customer whose key it is. The folder has another name while it is made."""
    return path.removeprefix("/etc/bellhop/tls/").partition("/")[0].removeprefix(".").removesuffix(".new")


class Openings:
    """Filled in at the end. found: uids, program and path of each opening of a key."""

    def __init__(self):
        self.found, self.n_of_all = [], 0

    def fill(self, lines):
        *found, last = lines
        for line in found:
            uids, program, path = line.split("\t")[:4], line.split("\t")[4], line.split("\t")[5]
            self.found.append((set(map(int, uids)), program, path))
        self.n_of_all = int(last.split()[0])

    def by_others(self, uid_of):
        """Openings by processes with any uid but the customer's. uid_of: the uid of the owner of that path."""
        return [(uids, program, path) for uids, program, path in self.found if uids != {uid_of(path)}]


@contextlib.contextmanager
def watched(box):
    """Yields Openings of all keys in the container."""
    box.path(PROGRAM).write_bytes((BUILD / "tests/openings").read_bytes())
    box.path(PROGRAM).chmod(0o755)
    openings = Openings()
    with tempfile.TemporaryFile("w+") as output:
        process = box.popen_run(PROGRAM, stdin=subprocess.PIPE, stdout=output)
        try:
            box.wait_for("the watch", lambda: output.seek(0) == 0 and output.read().startswith("watching\n"))
            yield openings
        finally:
            process.communicate("", timeout=60)
        assert process.returncode == 0
        output.seek(0)
        openings.fill(output.read().splitlines()[1:])


def started(box, cursor):
    """The names of the instances that were started after that place in the journal."""
    entries = box.journal("-o", "json", "--output-fields=UNIT", f"--after-cursor={cursor}", "_PID=1",
                          f"MESSAGE_ID={STARTING}")
    units = {json.loads(line)["UNIT"] for line in entries.splitlines()}
    return {unit.removeprefix("bellhop@").removesuffix(".service") for unit in units
            if unit.startswith("bellhop@") and unit.endswith(".service")}
