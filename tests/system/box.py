# SPDX-License-Identifier: MIT
"""A throw-away machine: real systemd as PID 1 over a copy-on-write view of a root, as a rule this host's, and bellhop in it.

Nothing in it reaches the host: files go to memory, the network is its own, and all of it ends with this process.
"""

import os
import pathlib
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("BELLHOP_BUILD", SOURCE / "build")).resolve()
# ./check package has the tests run on a pristine Debian, with bellhop from its packages.
ROOT = os.environ.get("BELLHOP_ROOT", "/")
REPOSITORY = os.environ.get("BELLHOP_REPOSITORY")

ROUTER_MAX_EXPOSURE = 1.2
INSTANCE_MAX_EXPOSURE = 1.9
# It is root, with two capabilities, as it changes the machine's rules and counts sockets.
FIREWALL_MAX_EXPOSURE = 1.8
# It connects to authorities, and to whatever address a host has.
ACME_MAX_EXPOSURE = 2.0
# It is root, and becomes customers.
CERT_MAX_EXPOSURE = 2.5


def listed(kind):
    """The packages of this kind in tests/packages."""
    lines = (line.split() for line in (SOURCE / "tests/packages").read_text().splitlines())
    return [line[1] for line in lines if line[0] == kind]


class Failed(Exception):
    """A command inside has failed; the text has all that it said."""


class Box:
    def __init__(self, name="bellhop", cgroup="v2", root=ROOT, network="private", repository=REPOSITORY):
        self.env = dict(os.environ, SDBOX_NAME=f"{name}-{os.getpid()}", SDBOX_ROOT=str(root), SDBOX_CGROUP=cgroup,
                        SDBOX_NET=network, SDBOX_OWNER=str(os.getpid()))
        if repository:
            self.env["SDBOX_BIND"] = f"{repository}:/repository"
        self.repository = repository
        self.root = None

    def _sdbox(self, *args, timeout=120, **kwargs):
        return subprocess.run([HERE / "sdbox", *map(str, args)], env=self.env, text=True, timeout=timeout,
                              stdin=kwargs.pop("stdin", subprocess.DEVNULL), **kwargs)

    def _checked(self, what, done):
        if done.returncode != 0:
            raise Failed(f"{what}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def up(self):
        # Not through a pipe: the box's supervisor inherits it and would keep it open.
        with tempfile.TemporaryFile("w+") as output:
            status = self._sdbox("up", stdout=output, stderr=output).returncode
            output.seek(0)
            if status != 0:
                raise Failed(f"the container did not boot:\n{output.read()}")
        self._find_root()

    def _find_root(self):
        pid = self._checked("pid", self._sdbox("pid", capture_output=True)).strip()
        self.root = pathlib.Path(f"/proc/{pid}/root")

    def down(self):
        self._sdbox("down", capture_output=True)
        # Other boxes keep their state, for repeated names; this one does not, and must leave no trace.
        state = pathlib.Path("/run/sdbox")
        (state / f"{self.env['SDBOX_NAME']}.lock").unlink(missing_ok=True)
        if state.is_dir() and not any(state.iterdir()):
            state.rmdir()

    def reboot(self, **kwargs):
        self._checked("reboot", self._sdbox("reboot", capture_output=True, **kwargs))
        self._find_root()

    def try_run(self, *args, **kwargs):
        """Runs a command inside as root; whether it succeeds is for the caller to judge."""
        return self._sdbox("run", *args, capture_output=True, **kwargs)

    def run(self, *args, **kwargs):
        """Runs a command inside as root and returns what it printed."""
        return self._checked(" ".join(map(str, args)), self.try_run(*args, **kwargs))

    def popen_run(self, *args, **kwargs):
        return subprocess.Popen([HERE / "sdbox", "run", *map(str, args)], env=self.env, text=True, **kwargs)

    def shell(self, script, **kwargs):
        return self.run("bash", "-euc", script, **kwargs)

    def try_client(self, *args, **kwargs):
        """Runs a command of the host in the box's network only, as a client elsewhere would be."""
        return self._sdbox("client", *args, capture_output=True, **kwargs)

    def client(self, *args, **kwargs):
        return self._checked(" ".join(map(str, args)), self.try_client(*args, **kwargs))

    def popen_client(self, *args, **kwargs):
        return subprocess.Popen([HERE / "sdbox", "client", *map(str, args)], env=self.env, text=True, **kwargs)

    def path(self, path):
        """The host's name of a file inside."""
        return self.root / str(path).lstrip("/")

    def write(self, path, text, mode=0o644):
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def show(self, unit, name):
        return self.run("systemctl", "show", "-P", name, unit).strip()

    def wait_for(self, what, condition, seconds=20):
        """For what systemd gives no event to wait for."""
        end = time.monotonic() + seconds
        while not (result := condition()):
            if time.monotonic() > end:
                raise Failed(f"waited {seconds} s in vain: {what}")
            time.sleep(0.02)
        return result

    # ---- bellhop -----------------------------------------------------------------------------

    def install(self):
        """As an administrator would."""
        if self.repository:
            self.use_repository()
            # Debian's nginx would want the ports; instances need none of its service.
            self.run("systemctl", "mask", "nginx.service")
            # Beside bellhop what the tests themselves call.
            self.apt_get("install", "bellhop", "libapache2-mod-bellhop", "libnginx-mod-bellhop", "curl", "openssl",
                         "procps", "python3", "php-fpm", "dnsmasq-base", "nftables")
        else:
            self.prepare()
            self.run("systemctl", "enable", "--now", "bellhop.target")

    def use_repository(self):
        """Of all places there are, apt knows this one only."""
        self.shell("rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*")
        self.write("/etc/apt/sources.list.d/bellhop.list", "deb [trusted=yes] file:/repository ./\n")
        self.apt_get("update")

    def apt_get(self, *args):
        """Returns what it said, the maintainer scripts' words to the administrator included."""
        done = self.try_run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", *args, timeout=300)
        return self._checked(f"apt-get {' '.join(args)}", done) + done.stderr

    def prepare(self):
        """Installs it without starting anything: meson install, system user, folders, units."""
        with tempfile.TemporaryDirectory() as stage:
            os.chmod(stage, 0o755)  # it becomes that of the box's root
            subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet"], check=True,
                           env=dict(os.environ, DESTDIR=stage), stdout=subprocess.DEVNULL)
            subprocess.run(["cp", "-a", "--no-preserve=ownership", f"{stage}/.", self.root], check=True)
        self.run("systemd-sysusers")
        self.run("systemd-tmpfiles", "--create", "bellhop.conf")
        self.run("journalctl", "--update-catalog")
        self.run("systemctl", "daemon-reload")

    def write_instance(self, name, text):
        self.write(f"/etc/bellhop/instances/{name}.conf", "[Instance]\n" + text)

    def create_customer(self, name, hosts, key="ec", instance=""):
        """User, certificate, a page that tells who serves it, and the instance file: all but starting it."""
        newkey = {"ec": "-newkey ec -pkeyopt ec_paramgen_curve:P-256", "rsa": "-newkey rsa:2048"}[key]
        names = ",".join(f"DNS:{host}" for host in hosts)
        self.shell(f"""
            useradd --create-home {name}
            chmod 0750 /home/{name}
            install -d -o {name} -g {name} -m 0750 /srv/www/{name} /etc/bellhop/tls/{name}
            install -d -g {name} -m 0750 /etc/bellhop/sites/{name}
            cd /etc/bellhop/tls/{name}
            openssl req -x509 {newkey} -noenc -days 30 -subj /CN={hosts[0]} -addext subjectAltName={names} \\
                    -keyout privkey.pem -out fullchain.pem 2>/dev/null
            chown {name}: privkey.pem fullchain.pem
            chmod 0400 privkey.pem
        """)
        self.write_page(name, "index.cgi", 'echo "$SERVER_NAME is served by uid $(id -u) ($(id -un))"')
        self.write_instance(name, f"Host={' '.join(hosts)}\n{instance}")
        self.run("/usr/lib/bellhop/bellhop-log-folders", name)

    def write_page(self, name, page, script):
        """A program of the customer, so its output comes from a process that runs as the customer."""
        path = f"/srv/www/{name}/{page}"
        self.write(path, f"#!/bin/sh\necho 'Content-Type: text/plain'\necho\n{script}\n", 0o755)
        self.run("chown", f"{name}:", path)

    def start_customer(self, name):
        self.run("systemctl", "start", f"bellhop@{name}.socket")
        self.reload_router()

    def reload_router(self):
        """Returns when the new configuration is in force."""
        self.run("systemctl", "reload", "bellhop-router.service")

    def runtime(self, name, file=""):
        """The path inside by which root reaches the runtime folder of a customer's instance; it need not run."""
        return f"/proc/{self.show(f'bellhop@{name}.service', 'MainPID')}/root/run/bellhop-instance/{file}"

    def uid(self, name):
        return int(self.run("id", "-u", name))

    def curl(self, url, *args, address="127.0.0.1", check=True):
        """One request by the host's curl; certificates are the customers' own, so they are not verified here."""
        host = url.split("/")[2]
        command = ["curl", "-sS", "-k", "--max-time", "20", "--resolve", f"{host}:80:{address}",
                   "--resolve", f"{host}:443:{address}", *args, url]
        return self.client(*command) if check else self.try_client(*command)

    def log(self, name, kind="access"):
        """A log file of a customer as it is now; "": there is none yet."""
        path = self.path(f"/var/log/bellhop/{name}/{kind}.log")
        return path.read_text() if path.exists() else ""

    def journal(self, *args):
        self.run("journalctl", "--sync")
        return self.run("journalctl", "-q", "--no-pager", "-o", "cat", *args)
