# SPDX-License-Identifier: MIT
"""Puts a short slice of load on one contender, and measures the cost for its units.

CPU time is the time that the kernel has counted for a unit's control group, in µs. It includes processes that have ended.
"""

import os
import pathlib
import subprocess
import sys
import time


def group(box, unit):
    path = box.show(unit, "ControlGroup")
    assert path, f"{unit} does not run"
    return box.path("/sys/fs/cgroup" + path)


def processes(box, unit):
    """The process numbers of a unit, as the host sees them."""
    return [pid for file in group(box, unit).rglob("cgroup.procs") for pid in file.read_text().split()]


def pss_mib(box, unit):
    """The memory of a unit's processes, with their part of shared pages."""
    texts = [pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in processes(box, unit)]
    return sum(int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("Pss:")) / 1024


def settle():
    """Waits until the rest of the last slice is over: connections that linger, and processes that exit."""
    time.sleep(0.05)


class Meter:
    def __init__(self, box, build):
        self.box = box
        self.program = pathlib.Path(build, "tests/bench-load").resolve()
        self.pid = box.root.parts[2]
        self.servers = self.client = None
        self.groups = {}

    def use_processors(self, servers, client):
        """Sets the processors that servers and client use from now on."""
        self.servers, self.client = servers, client

    def _group(self, unit):
        if unit not in self.groups:
            self.groups[unit] = group(self.box, unit)
        return self.groups[unit]

    def _place(self, units):
        """Moves all processes of these units to the servers' processors, where their later children also run."""
        for unit in units:
            for file in self._group(unit).rglob("cgroup.threads"):
                for task in file.read_text().split():
                    try:
                        os.sched_setaffinity(int(task), self.servers)
                    except ProcessLookupError:
                        pass  # this thread has ended meanwhile

    def _cpu_usec(self, units):
        return sum(int((self._group(unit) / "cpu.stat").read_text().split()[1]) for unit in units)

    def _load(self, contender, mode, protocol, seconds, connections, path, **environment):
        if self.client.isdisjoint(self.servers):
            environment["BELLHOP_LOAD_SPIN"] = "1"
        answer = subprocess.run(
            ["nsenter", "-t", self.pid, "-n", "--", "taskset", "-c", ",".join(map(str, sorted(self.client))),
             self.program, mode, protocol, str(seconds), str(connections), path, *contender.targets],
            env=dict(os.environ, **environment), text=True, stdout=subprocess.PIPE, timeout=seconds + 30, check=True).stdout
        return {name: float(value) for name, _, value in (word.partition("=") for word in answer.split())}

    def warm(self, contender):
        """Starts a contender, waits until it answers, and moves its processes to the servers' processors."""
        for host, _, address in (target.partition("@") for target in contender.targets):
            self.box.wait_for(f"{contender.name} answers", lambda url=f"https://{host}/small.txt", at=address: self.box.curl(
                url, "-f", address=at, check=False).returncode == 0)
        for protocol in ("tls", "plain"):
            self._load(contender, "new", protocol, 0.1, 8, "/small.txt")
        self._place([*contender.fronts, *contender.behind])

    def slice(self, contender, mode, protocol, seconds, connections, path="/small.txt", **environment):
        """{rate, mib_s, busy, failed, front_usec, behind_usec}

        busy is the part of a processor that the client used. front_usec and behind_usec are the processor time of fronts and
        servers for each connection or request.
        """
        settle()
        before = [self._cpu_usec(units) for units in (contender.fronts, contender.behind)]
        seen = self._load(contender, mode, protocol, seconds, connections, path, **environment)
        if seen["failed"]:
            print(f"{contender.name}, {mode} {protocol}: {seen['failed']:.0f} failed", file=sys.stderr)
        settle()
        front, behind = (self._cpu_usec(units) - usec
                         for units, usec in zip((contender.fronts, contender.behind), before))
        n = max(seen["total"], 1)
        return {"rate": seen["done"] / seen["seconds"], "mib_s": seen["bytes"] / 2**20 / seen["seconds"],
                "busy": seen["busy"], "failed": seen["failed"], "front_usec": front / n, "behind_usec": behind / n}

    def latency(self, contender, protocol, seconds, samples):
        """The latency of complete connections, one at a time, on an otherwise idle machine."""
        result = self.slice(contender, "new", protocol, seconds, 1, BELLHOP_LOAD_PAUSE_USEC="2000",
                            BELLHOP_LOAD_SAMPLES=str(samples))
        values = [int(line) / 1000 for line in pathlib.Path(samples).read_text().splitlines()]
        values = sorted(values[3:]) or [float("inf")]  # for the first connections, caches are cold
        return result | {"p50_usec": values[len(values) // 2]}
