# SPDX-License-Identifier: MIT
"""Starts load.py, or a program like it, in the box's network and judges what it reports."""

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

    def __init__(self, client):
        self.client = client

    def fewest_answers(self):
        """The number of answers that each worker of load.py has had by now, at least."""
        self.client.stdin.write("\n")
        self.client.stdin.flush()
        return int(self.client.stdout.readline())

    def fill(self, text):
        for name, value in json.loads(text).items():
            setattr(self, name, value)
        print(self.counts, f"longest {self.longest_sec:.3f} s", *self.failures, sep="\n")

    def assert_nothing_failed(self, *kinds, idle_ends=0):
        """idle_ends: how many kept connections may have ended between two requests."""
        assert self.failures == []
        assert all(self.counts[kind] > 4 for kind in kinds), self.counts
        assert self.counts.get(ENDED_WHILE_IDLE, 0) <= idle_ends, self.counts


def popen_script(box, script, *args):
    """A client written in Python, which may use load.py."""
    return box.popen_client("/usr/bin/env", f"PYTHONPATH={HERE}", "/usr/bin/python3", script, *args,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@contextlib.contextmanager
def reporting(box, script, *args):
    client = popen_script(box, script, *args)
    report = Report(client)
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


def load(box, *hosts, kinds=None):
    return reporting(box, HERE / "load.py", json.dumps(kinds or ALL_KINDS), *hosts)


def still_serving(box, host):
    """A new request succeeds at once; returns when it was made."""
    assert box.curl(f"http://{host}/load.txt").strip() == host
    return time.monotonic()
