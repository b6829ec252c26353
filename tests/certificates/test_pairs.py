# SPDX-License-Identifier: MIT
"""Customers with a certificate for each host, as certbot makes them: bellhop-acme's certificate replaces them in time."""

import json

import pytest
from authority import STATES, Authority, certificate, names_of, read_acme_files, serial_of, served, state, wait_for_certificate
from clients import ALL_KINDS, load

VALIDITY_DAYS = 60
# The days for which the present certificate of each host is valid. The last one was bought.
DAYS = {"one": 30, "two": 30, "bought": 365}
MODULES = ("mpm_event", "authz_core", "mime", "dir", "alias", "ssl", "socache_shmcb", "env")
CA = "/root/pairs/ca"


@pytest.fixture(name="authority", scope="module")
def _authority(box, dns):  # pylint: disable=unused-argument
    pairs = Authority(box, "pairs", 14400, prompt=True, validity_sec=VALIDITY_DAYS * 86400, refused_percent=0)
    pairs.configure(RetrySec="1s")
    yield pairs
    pairs.stop()


def hosts_of(name):
    return [f"{word}.{name}.example" for word in DAYS]


def prepare(box, dns, name):
    """A user with pages and certificates for each host."""
    dns.has(*hosts_of(name))
    box.shell(f"""
        useradd --create-home {name}
        install -d -o {name} -g {name} -m 0750 /srv/www/{name}
        mkdir -p /root/pairs/logs
        [ -e {CA}.pem ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650 -subj /CN=old \\
            -keyout {CA}.key -out {CA}.pem 2>/dev/null
    """)
    for host, days in zip(hosts_of(name), DAYS.values()):
        at = f"/root/pairs/{host}"
        box.shell(f"""
            install -d -o {name} -g {name} /srv/www/{name}/{host}
            echo {host} >/srv/www/{name}/{host}/load.txt
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN={host} -addext subjectAltName=DNS:{host} \\
                -keyout {at}.key -out {at}.csr 2>/dev/null
            openssl x509 -req -in {at}.csr -CA {CA}.pem -CAkey {CA}.key -copy_extensions copy -days {days} -out {at}.pem 2>/dev/null
            cat {CA}.pem >>{at}.pem
        """)


def remove(box, name):
    box.try_run("bellhopctl", "remove", name, "--purge", "--yes")
    box.shell(f"userdel -rf {name} 2>/dev/null || true")


def from_apache(box, name):
    """The certificates are in virtual hosts, so the snippet names their copies."""
    modules = "".join(f"LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n" for module in MODULES)
    vhosts = "".join(f"""
        <VirtualHost *:80>
            ServerName {host}
            DocumentRoot /srv/www/{name}/{host}
        </VirtualHost>
        <VirtualHost *:443>
            ServerName {host}
            DocumentRoot /srv/www/{name}/{host}
            SSLEngine on
            SSLCertificateFile /root/pairs/{host}.pem
            SSLCertificateKeyFile /root/pairs/{host}.key
        </VirtualHost>
        """ for host in hosts_of(name))
    box.write("/root/pairs/apache2.conf", f"ServerRoot /root/pairs\n{modules}Listen 80\nServerName old\n{vhosts}")
    return ["--apache=/root/pairs/apache2.conf", *(f"--user={host}={name}" for host in hosts_of(name))]


def from_plan(box, name):
    """nginx finds the certificates by the names of their folders."""
    pairs = {host: {"certificate": f"/root/pairs/{host}.pem", "key": f"/root/pairs/{host}.key"} for host in hosts_of(name)}
    main = pairs.pop(hosts_of(name)[0])
    box.write("/root/pairs/plan.json", json.dumps({"instances": [
        {"instance": name, "server": "nginx", "hosts": hosts_of(name), "certificates": pairs, **main}]}))
    return ["/root/pairs/plan.json"]


@pytest.mark.parametrize("name, source", [("paula", from_apache), ("nell", from_plan)])
def test_one_for_each_host(box, dns, authority, name, source):
    prepare(box, dns, name)
    hosts = hosts_of(name)
    old = {host: serial_of(box.path(f"/root/pairs/{host}.pem").read_text()) for host in hosts}
    words = ["bellhopctl", "import", *source(box, name), "--acme=pairs"]
    try:
        with authority.out_of_reach():
            box.run(*words)
            assert {host: serial_of(served(box, host)) for host in hosts} == old
            began = box.show(f"bellhop@{name}.service", "InvocationID")
            # The certificate of the instance is for one host, so bellhop-acme orders another one at once.
            box.wait_for("a try", lambda: state(box, name).get("Error"), seconds=60)
        with load(box, *hosts) as report:
            box.run("bellhopctl", "cert", name, "--renew")
            wait_for_certificate(box, name)
            new = serial_of(certificate(box, name))
            assert names_of(certificate(box, name)) == tuple(sorted(hosts))
            expected = {hosts[0]: new, hosts[1]: new, hosts[2]: old[hosts[2]]}
            box.wait_for("it is in force", lambda: {host: serial_of(served(box, host)) for host in hosts} == expected)
        report.assert_nothing_failed(*ALL_KINDS, idle_ends=10**6)
        assert box.show(f"bellhop@{name}.service", "InvocationID") == began
        assert f"replaced those in the folders of these hosts: {hosts[1]}\n" in box.journal("-u", "bellhop-cert@*")
        # The customer's own files are still there, and another import changes nothing.
        folder = f"/etc/bellhop/tls/{name}/{hosts[1]}"
        assert serial_of(box.path(f"{folder}/fullchain.pem~1").read_text()) == old[hosts[1]]
        assert box.run("stat", "-c", "%U %a", f"{folder}/privkey.pem", f"{folder}/privkey.pem~1") == f"{name} 400\n" * 2
        if source == from_plan:
            assert "Everything already exists" in box.run(*words)
        else:
            box.run(*words)
        assert {host: serial_of(served(box, host)) for host in hosts} == expected
        found = json.loads(box.run("bellhopctl", "check", f"--instance={name}", "--json"))["findings"]
        assert [one for one in found if one["severity"] != "note" or one["kind"] == "acme-unused"] == []
        # A certificate that expires earlier is replaced without an order. If the reload fails, bellhop-acme reloads again.
        orders = len(authority.orders())
        box.run("bellhopctl", "cert", name, f"--host={hosts[1]}", "--install", f"/root/pairs/{hosts[1]}.pem", f"/root/pairs/{hosts[1]}.key")
        assert serial_of(served(box, hosts[1])) == old[hosts[1]]
        drop_in = f"/run/systemd/system/bellhop@{name}.service.d/test.conf"
        box.write(drop_in, "[Service]\nExecReload=\nExecReload=false\n")
        box.shell(f"""
            systemctl daemon-reload
            systemctl stop bellhop-acme.service
            sed -i 's/^Next=.*/Next=0/' {STATES}/instances/{name}
            systemctl start bellhop-acme.service
        """)
        box.wait_for("the reload fails", lambda: "reloaded" in state(box, name).get("Error", ""))
        assert serial_of(served(box, hosts[1])) == old[hosts[1]]
        box.shell(f"rm -r $(dirname {drop_in}); systemctl daemon-reload")
        box.wait_for("it is in force", lambda: serial_of(served(box, hosts[1])) == new)
        assert len(authority.orders()) == orders
    finally:
        remove(box, name)
        read_acme_files(box)
