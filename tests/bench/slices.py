# SPDX-License-Identifier: MIT
"""One short slice of load on one contender, and what it cost whom.

CPU time is what the kernel has counted for a unit's control group, in µs, children that ended included.
"""

import os
import pathlib
import subprocess
import time

SERVER, CLIENT = "server", "client"


def settle():
    """What the last slice has left (lingering connections, exits) is over."""
    time.sleep(0.05)


class Meter:
    def __init__(self, box, build):
        self.box = box
        self.program = pathlib.Path(build, "tests/bench-load").resolve()
        self.pid = box.root.parts[2]
        self.cpus = {SERVER: None, CLIENT: None}
        self.groups = {}

    def use_processors(self, server, client):
        """Sets of processors, for the servers that are measured and for the client."""
        self.cpus = {SERVER: server, CLIENT: client}

    def _group(self, unit):
        if unit not in self.groups:
            path = self.box.show(unit, "ControlGroup")
            assert path, f"{unit} does not run"
            self.groups[unit] = self.box.path("/sys/fs/cgroup" + path)
        return self.groups[unit]

    def forget(self, *units):
        for unit in units:
            self.groups.pop(unit, None)

    def place(self, units):
        """Processes that they start later are where their parents are."""
        for unit in units:
            for group in (self._group(unit), *self._group(unit).glob("**/")):
                for task in (group / "cgroup.threads").read_text().split():
                    try:
                        os.sched_setaffinity(int(task), self.cpus[SERVER])
                    except ProcessLookupError:
                        pass  # it has ended meanwhile

    def cpu_usec(self, units):
        return sum(int((self._group(unit) / "cpu.stat").read_text().split()[1]) for unit in units)

    def load(self, mode, protocol, seconds, connections, path, contender, **environment):
        """Starts the client."""
        return subprocess.Popen(
            ["nsenter", "-t", self.pid, "-n", "--", "taskset", "-c", ",".join(map(str, sorted(self.cpus[CLIENT]))),
             self.program, mode, protocol, str(seconds), str(connections), path, *contender.targets],
            env=dict(os.environ, **environment), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def warm(self, contender):
        """It runs, and all of its processes are where they belong."""
        for protocol in ("tls", "plain"):
            self.slice(contender, "new", protocol, 0.1, 8)
        self.place([*contender.fronts, *contender.behind])

    def slice(self, contender, mode, protocol, seconds, connections, path="/small.txt", **environment):
        """{rate, mib_s, busy (part of a processor that the client used), failed, and of processor time for each connection
        or request: front_usec, behind_usec, both in cpu_usec; front_sec_gib}"""
        settle()
        before = self.cpu_usec(contender.fronts) if contender.fronts else 0
        behind = self._try_cpu(contender.behind)
        client = self.load(mode, protocol, seconds, connections, path, contender, **environment)
        answer = client.communicate(timeout=seconds + 30)[0]
        assert client.returncode == 0 and answer, f"the load client failed on {contender.name}"
        seen = {name: float(value) for name, _, value in (word.partition("=") for word in answer.split())}
        settle()
        front = (self.cpu_usec(contender.fronts) if contender.fronts else 0) - before
        behind = self._try_cpu(contender.behind) - behind
        n, gib = max(seen["total"], 1), max(seen["bytes"], 1) / 2**30
        return {"rate": seen["done"] / seen["seconds"], "mib_s": seen["bytes"] / 2**20 / seen["seconds"],
                "busy": seen["busy"], "failed": seen["failed"], "front_usec": front / n, "behind_usec": behind / n,
                "cpu_usec": (front + behind) / n, "front_sec_gib": front / 1e6 / gib}

    def _try_cpu(self, units):
        try:
            return self.cpu_usec(units)
        except AssertionError:
            return 0  # the first connection starts it

    def latency(self, contender, protocol, seconds, samples):
        """Of whole connections one after the other, on an otherwise idle machine; µs."""
        self.slice(contender, "new", protocol, seconds, 1, BELLHOP_LOAD_PAUSE_USEC="2000",
                   BELLHOP_LOAD_SAMPLES=str(samples))
        values = [int(line) / 1000 for line in pathlib.Path(samples).read_text().splitlines()]
        return values[3:]  # the first ones find cold caches

    def _tasks(self, units):
        groups = [group for unit in units for group in (self._group(unit), *self._group(unit).glob("**/"))]
        return sorted({int(pid) for group in groups for pid in (group / "cgroup.procs").read_text().split()})

    def _held(self, units):
        """(KiB of private memory, descriptors)"""
        kib = n_fds = 0
        for pid in self._tasks(units):
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            kib += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))
            n_fds += len(os.listdir(f"/proc/{pid}/fd"))
        return kib, n_fds

    def pss_mib(self, units):
        """What the processes of these units take, with their part of what is shared."""
        texts = [pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self._tasks(units)]
        return sum(int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("Pss:")) / 1024

    def hold(self, contender, connections):
        """What established, idle connections take of the front: {kib, descriptors} for 1000 of them."""
        before = self._held(contender.fronts)
        client = self.load("hold", "tls", 4, connections, "/small.txt", contender)
        line = client.stdout.readline()
        held = self._held(contender.fronts)
        client.communicate("\n", timeout=20)
        assert "failed=0 " in line, f"{contender.name}: {line}"
        return {"kib": (held[0] - before[0]) * 1000 / connections,
                "descriptors": (held[1] - before[1]) * 1000 / connections}
