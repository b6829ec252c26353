# SPDX-License-Identifier: MIT
"""Starts load.py in the box's network and judges what it reports."""

import contextlib
import json
import pathlib
import subprocess
import time

from load import ENDED_WHILE_IDLE

HERE = pathlib.Path(__file__).resolve().parent
ALL_KINDS = {"new": 2, "slow": 2, "keep": 2}
PROMPT_KINDS = {"new": 2, "keep": 2}


class Report:
    """Filled in when the load has ended."""

    counts = failures = longest_sec = None

    def fill(self, text):
        for name, value in json.loads(text).items():
            setattr(self, name, value)
        print(self.counts, f"longest {self.longest_sec:.3f} s", *self.failures, sep="\n")

    def assert_nothing_failed(self, *kinds, idle_ends=0):
        """idle_ends: how many kept connections may have ended between two requests."""
        assert self.failures == []
        assert all(self.counts[kind] > 4 for kind in kinds), self.counts
        assert self.counts.get(ENDED_WHILE_IDLE, 0) <= idle_ends, self.counts


@contextlib.contextmanager
def load(box, *hosts, kinds=None):
    client = box.popen_client("/usr/bin/python3", HERE / "load.py", json.dumps(kinds or ALL_KINDS), *hosts,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    report = Report()
    try:
        line = client.stdout.readline()
        assert line == "running\n", line
        yield report
    except BaseException:
        client.kill()
        raise
    finally:
        output = client.communicate("", timeout=60)[0]
    report.fill(output)


def still_serving(box, host):
    """A new request succeeds at once; returns when it was made."""
    assert box.curl(f"http://{host}/load.txt").strip() == host
    return time.monotonic()
