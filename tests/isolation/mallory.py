# SPDX-License-Identifier: MIT
"""A hostile customer: all that attacks.py can do runs in the customer's own instance, by a program and a module of his."""

import json
import pathlib
import urllib.parse

from box import BUILD

HERE = pathlib.Path(__file__).resolve().parent
MODULE = "/usr/local/lib/hostile.so"


class Hostile:
    def __init__(self, box, name, network):
        self.box, self.name, self.host = box, name, f"{name}.example"
        self.unit = f"bellhop@{name}.service"
        self.folder = f"/srv/www/{name}"
        box.create_customer(name, [self.host], instance=f"Network={network}\n")
        if not box.path(MODULE).exists():  # else it is in use
            box.path(MODULE).write_bytes((BUILD / "tests/hostile.so").read_bytes())
        box.write(f"/etc/bellhop/sites/{name}/hostile.conf", f"LoadModule hostile_module {MODULE}\n")
        box.write(f"{self.folder}/attacks.cgi", (HERE / "attacks.py").read_text(), 0o755)
        box.run("chown", "-R", f"{name}:", self.folder)
        box.run("systemctl", "daemon-reload")
        box.start_customer(name)

    def url(self, attack, **arguments):
        pairs = "".join(f"&{key}={urllib.parse.quote(json.dumps(value))}" for key, value in arguments.items())
        return f"http://{self.host}/attacks.cgi?{attack}{pairs}"

    def left(self, name):
        """What the program has left in that file, once it is there."""
        path = self.box.path(f"{self.folder}/{name}")
        return json.loads(self.box.wait_for(f"{name} of {self.name}", lambda: path.exists() and path.read_text(), seconds=5))

    def forget(self):
        for name in ("result.json", "port.json"):
            self.box.path(f"{self.folder}/{name}").unlink(missing_ok=True)

    def do(self, attack, address="127.0.0.1", **arguments):
        """Runs it and returns its result; the request itself may fail by what it does."""
        self.forget()
        answer = self.box.curl(self.url(attack, **arguments), address=address, check=False)
        assert "Internal Server Error" not in answer.stdout, self.box.journal("-u", self.unit, "-n", "20")
        return self.left("result.json")

    def restart_socket(self):
        """A new hand-off socket; without waiting for what is in progress."""
        self.box.try_run("systemctl", "kill", "--signal=KILL", self.unit)
        self.box.run("systemctl", "stop", f"bellhop@{self.name}.socket", self.unit)
        self.box.run("systemctl", "start", f"bellhop@{self.name}.socket")

    def serves(self):
        answer = self.box.curl(f"http://{self.host}/", "-o", "/dev/null", "-w", "%{http_code}", check=False)
        return answer.stdout == "200"


def assert_neighbours_are_well(box):
    for name in ("alice", "bob"):
        assert box.curl(f"http://{name}.example/load.txt").strip() == f"{name}.example"
