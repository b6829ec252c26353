# SPDX-License-Identifier: MIT
"""Authorities in the container: Debian's pebble, and pebble-challtestsrv as the DNS of the machine."""

import collections
import contextlib
import json
import re
import ssl
import subprocess
import tempfile

HOST = "acme.example"
# A test starts a name server for this zone.
DYNAMIC_ZONE, DYNAMIC_SERVER = "dynamic.example", "127.0.0.53"
DNS_PORT, DNS_MANAGEMENT = 8053, "127.0.0.1:8055"
CAA = "pebble.example"
HERE = "/root/authority"
END = "-----END CERTIFICATE-----"
SUBJECT_ALT_NAME = b"\x06\x03\x55\x1d\x11"  # its identifier, in DER
STATES = "/var/lib/bellhop-acme"
# Wide limits; a test that needs others sets them.
SETTINGS = {"OrdersPerHour": 10000, "OrdersPerWeekPerInstance": 100, "OrdersMax": 20, "RetrySec": "1h"}


class Dns:
    """A name has no address until a test adds one. dnsmasq is the resolver, because libc takes an empty answer of
    challtestsrv's for a failure."""

    def __init__(self, box):
        self.box = box
        start(box, "challtestsrv", "", f"pebble-challtestsrv -dns01 127.0.0.1:{DNS_PORT} -management {DNS_MANAGEMENT} "
              "-http01 '' -https01 '' -tlsalpn01 '' -defaultIPv4 '' -defaultIPv6 ''")
        start(box, "resolver", "", "dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --cache-size=0 "
              f"--user=root --listen-address=127.0.0.1 --bind-interfaces --server=127.0.0.1#{DNS_PORT} "
              f"--server=/{DYNAMIC_ZONE}/{DYNAMIC_SERVER}")
        box.write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:2\n")
        box.wait_for("DNS", lambda: box.try_client(
            "curl", "-sf", f"http://{DNS_MANAGEMENT}/clear-a", "-d", '{"host": "nobody.example"}').returncode == 0)
        self.has(HOST)
        box.wait_for("the resolver", lambda: HOST in box.try_run("getent", "ahosts", HOST).stdout)

    def ask(self, *requests):
        """Sends requests, pairs of a verb of pebble-challtestsrv's and its arguments, by one process."""
        with tempfile.TemporaryFile("w+") as config:
            config.write("next\n".join(f'url = "http://{DNS_MANAGEMENT}/{verb}"\ndata = {json.dumps(json.dumps(arguments))}\n'
                                       for verb, arguments in requests))
            config.seek(0)
            self.box.client("curl", "-sSf", "--config", "-", stdin=config)

    def has(self, *hosts, address="127.0.0.1"):
        kind = "aaaa" if ":" in address else "a"
        self.ask(*(request for host in hosts for request in
                   ((f"clear-{kind}", {"host": host}), (f"add-{kind}", {"host": host, "addresses": [address]}))))

    def has_not(self, *hosts):
        self.ask(*(("clear-a", {"host": host}) for host in hosts), *(("clear-aaaa", {"host": host}) for host in hosts))


def start(box, unit, environment, command):
    """Its output goes to a file with the name of the unit."""
    box.run("systemd-run", "--quiet", "--collect", f"--unit={unit}", f"--property=StandardOutput=append:{HERE}/{unit}.log",
            "--property=StandardError=inherit", f"--property=Environment={environment}", "sh", "-c", f"exec {command}")


def make_trust(box):
    """Makes a certificate for the authorities' own HTTPS, the only one that this machine trusts: uacme reads all trusted ones
    for each request, which would take most of the time."""
    box.shell(f"""
        install -d {HERE} && cd {HERE}
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 -subj '/CN=ACME tests' \\
            -keyout https.key -out https.pem -addext subjectAltName=DNS:{HOST} 2>/dev/null
        cp https.pem /usr/local/share/ca-certificates/acme-tests.crt
        : >/etc/ca-certificates.conf
        update-ca-certificates --fresh >/dev/null 2>&1
    """)


class Authority:
    """Pebble, and the file of the authority for Acme=NAME. prompt: validates without pebble's random delays."""

    def __init__(self, box, name, port, prompt=False, validity_sec=None, reuse_percent=50, refused_percent=5,
                 external_accounts=None, dns_server=f"127.0.0.1:{DNS_PORT}"):
        self.box, self.name, self.port, self.dns_server = box, name, port, dns_server
        self.unit = f"pebble-{name}"
        self.environment = (f"PEBBLE_AUTHZREUSE={reuse_percent} PEBBLE_WFE_NONCEREJECT={refused_percent}"
                            f"{' PEBBLE_VA_NOSLEEP=1' if prompt else ''}")
        self.root = f"{HERE}/{name}.root.pem"
        config = {"listenAddress": f"127.0.0.1:{port}", "managementListenAddress": f"127.0.0.1:{port + 1}",
                  "certificate": f"{HERE}/https.pem", "privateKey": f"{HERE}/https.key", "httpPort": 80, "tlsPort": 443,
                  "ocspResponderURL": "", "externalAccountBindingRequired": external_accounts is not None,
                  "externalAccountMACKeys": external_accounts or {}}
        if validity_sec:
            config["certificateValidityPeriod"] = validity_sec
        box.write(f"{HERE}/{name}.json", json.dumps({"pebble": config}))
        self.configure()
        self.start()

    @property
    def url(self):
        return f"https://{HOST}:{self.port}/dir"

    def configure(self, name=None, **settings):
        """Writes SETTINGS and these; the next reload of bellhop-acme reads them. name: another name for Acme=."""
        lines = {"Directory": self.url, "CaaDomain": CAA, **SETTINGS, **settings}
        self.box.write(f"/etc/bellhop/acme/{name or self.name}.conf",
                       "[Acme]\n" + "".join(f"{key}={value}\n" for key, value in lines.items()))

    def start(self):
        """Starts it without accounts and orders: pebble keeps both in memory."""
        start(self.box, self.unit, self.environment, f"pebble -config {HERE}/{self.name}.json "
              f"-dnsserver {self.dns_server}")
        self.box.wait_for(f"pebble {self.name}", lambda: self.box.try_run("curl", "-sf", self.url).returncode == 0)
        self.box.write(self.root, self._manage("roots/0"))

    def stop(self):
        self.box.run("systemctl", "stop", self.unit)

    @contextlib.contextmanager
    def out_of_reach(self):
        """Meanwhile, its port refuses connections, and resets open ones; it keeps its accounts and orders."""
        table = f"inet {self.unit}"
        self.box.client("nft", f"add table {table}; add chain {table} in {{ type filter hook input priority 0; }};"
                        f"add rule {table} in tcp dport {self.port} reject with tcp reset")
        try:
            yield
        finally:
            self.box.client("nft", f"delete table {table}")

    @contextlib.contextmanager
    def held(self):
        """Stops the authority, so that requests wait."""
        self.box.run("systemctl", "kill", "--signal=STOP", self.unit)
        try:
            yield
        finally:
            self.box.run("systemctl", "kill", "--signal=CONT", self.unit)

    def _manage(self, path):
        return self.box.client("curl", "-sSfk", f"https://127.0.0.1:{self.port + 1}/{path}")

    def log(self):
        return self.box.path(f"{HERE}/{self.unit}.log").read_text()

    def orders(self):
        """The ids of all orders."""
        return re.findall(r'Added order "(\S+)" to the db', self.log())

    def finalized(self):
        return re.findall(r"POST /finalize-order/", self.log())

    def issued(self):
        """The names of each certificate, in the order of their issue, as sorted tuples."""
        serials = re.findall(r"Issued certificate serial (\w+) for order", self.log())
        if not serials:
            return []
        answers = self._manage(f"cert-status-by-serial/{{{','.join(serials)}}}")
        certificates = re.findall(r'"Certificate": *("[^"]*")', answers)
        assert len(certificates) == len(serials)
        return [names_of(json.loads(text)) for text in certificates]

    def has_signed(self, host):
        """Whether the host answers HTTPS with a valid certificate of this authority's."""
        return self.box.try_client("curl", "-sS", "--max-time", "20", "--cacert", self.box.path(self.root), "--resolve",
                                   f"{host}:443:127.0.0.1", "-o", "/dev/null", f"https://{host}/").returncode == 0


def ordered_again(box):
    """How many orders of each instance bellhop-acme has made again, because the authority had refused nonces."""
    lines = box.journal("-u", "bellhop-acme")
    return collections.Counter(re.findall(r"has refused three nonces of the order for (\S+); bellhop-acme orders again", lines))


def issued_too_often(box, authority, names):
    """The number of certificates of each name that has more than one, or more than the orders that were made again explain."""
    counts, again = collections.Counter(authority.issued()), ordered_again(box)
    counts = {name: counts[(f"{name}.example",)] for name in names}
    return {name: count for name, count in counts.items() if not 1 <= count <= 1 + again[name]}


def openssl(pem, *options):
    return subprocess.run(["openssl", "x509", "-noout", *options], input=pem, check=True, capture_output=True,
                          text=True).stdout


def names_of(pem):
    """The DNS names of the first certificate, sorted. openssl would need a process for each certificate."""
    der = ssl.PEM_cert_to_DER_cert(pem[:pem.index(END) + len(END)])
    at = der.index(SUBJECT_ALT_NAME) + len(SUBJECT_ALT_NAME)
    names = der[at:].removeprefix(b"\x01\x01\xff")
    assert names[0] == 0x04 and names[2] == 0x30 and names[3] < 0x80, "longer than the tests' names are"
    names, found = names[4:4 + names[3]], []
    while names:
        assert names[0] == 0x82
        found.append(names[2:2 + names[1]].decode())
        names = names[2 + names[1]:]
    return tuple(sorted(found))


def serial_of(pem):
    return openssl(pem, "-serial").strip()


def state(box, name):
    """The state of an instance as bellhop-acme stored it, or {} if there is none. Order is a list, and Failed a dict by host
    (also of refused ones)."""
    path = box.path(f"{STATES}/instances/{name}")
    found = {"Order": [], "Failed": {}}
    if not path.exists():
        return {}
    for line in path.read_text().splitlines():
        key, equals, value = line.partition("=")
        if key == "Order":
            found["Order"].append(int(value))
        elif key in ("Failed", "Refused"):
            host, _, reason = value.partition(" ")
            found["Failed"][host] = reason
        elif equals:
            found[key] = int(value) if value.isdecimal() else value
    return found


def certificate(box, name):
    """The file in the folder of the instance; "": it does not exist."""
    path = box.path(f"/etc/bellhop/tls/{name}/fullchain.pem")
    return path.read_text() if path.exists() else ""


def has_certificate(box, name):
    """The state, if it has a certificate and the last try did not fail as a whole."""
    seen = state(box, name)
    return seen if seen.get("Certificate") and "Error" not in seen else None


def wait_for_certificate(box, name, seconds=60):
    return box.wait_for(f"{name} has a certificate", lambda: has_certificate(box, name), seconds=seconds)


def wait_for_failure(box, name, seconds=60):
    """Returns the state after a try that has left out a host, or failed as a whole."""
    def look():
        seen = state(box, name)
        return seen if seen.get("Tried") and (seen["Failed"] or "Error" in seen) else None
    return box.wait_for(f"a try for {name} has failed", look, seconds=seconds)


def served(box, host):
    """The certificate that a visitor of the host gets, in PEM form."""
    return box.client("bash", "-c", f"openssl s_client -connect 127.0.0.1:443 -servername {host} </dev/null 2>/dev/null "
                      "| openssl x509")


def read_acme_files(box):
    """Returns after bellhop-acme has read the configuration."""
    box.run("systemctl", "reload-or-restart", "bellhop-acme.service")
