# SPDX-License-Identifier: MIT
"""A hostile customer: everything in attacks.py runs in the customer's own instance, as a CGI program and with the
customer's module, or from PHP with nginx, which has neither."""

import json
import pathlib
import urllib.parse

from box import BUILD

HERE = pathlib.Path(__file__).resolve().parent
MODULE = "/usr/local/lib/hostile.so"
PHP = """<?php
putenv('SCRIPT_FILENAME=' . __FILE__);
putenv('QUERY_STRING=' . $_SERVER['QUERY_STRING']);
passthru(__DIR__ . '/attacks.py 2>&1', $status);
echo $status ? 'Internal Server Error' : '';
"""


class Hostile:
    def __init__(self, box, name, network, server="apache"):
        self.box, self.name, self.host = box, name, f"{name}.example"
        self.unit = f"bellhop@{name}.service"
        self.folder = f"/srv/www/{name}"
        self.page = {"apache": "attacks.cgi", "nginx": "attacks.php"}[server]
        box.create_customer(name, [self.host], instance=f"Network={network}\nServer={server}\n")
        if server == "apache":
            self.use_module()
            box.write(f"{self.folder}/attacks.cgi", (HERE / "attacks.py").read_text(), 0o755)
        else:
            box.write(f"{self.folder}/attacks.py", (HERE / "attacks.py").read_text(), 0o755)
            box.write(f"{self.folder}/attacks.php", PHP)
            box.write(f"{self.folder}/index.html", "start\n")
        box.run("chown", "-R", f"{name}:", self.folder)
        box.run("systemctl", "daemon-reload")
        box.start_customer(name)

    def use_module(self):
        if not self.box.path(MODULE).exists():  # else it is in use
            self.box.path(MODULE).write_bytes((BUILD / "tests/hostile.so").read_bytes())
        self.box.write(f"/etc/bellhop/sites/{self.name}/hostile.conf", f"LoadModule hostile_module {MODULE}\n")

    def processes(self):
        """Of the instance."""
        cgroup = self.box.show(self.unit, "ControlGroup")
        return self.box.run("cat", f"/sys/fs/cgroup{cgroup}/cgroup.procs").split()

    def url(self, attack, **arguments):
        pairs = "".join(f"&{key}={urllib.parse.quote(json.dumps(value))}" for key, value in arguments.items())
        return f"http://{self.host}/{self.page}?{attack}{pairs}"

    def left(self, name):
        """What the program has left in that file, once it is there."""
        path = self.box.path(f"{self.folder}/{name}")
        return json.loads(self.box.wait_for(f"{name} of {self.name}", lambda: path.exists() and path.read_text()))

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
