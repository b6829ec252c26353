# SPDX-License-Identifier: MIT
"""uacme's script nsupdate.sh as DnsHook=, as bellhop.acme.conf(5) describes it, with BIND and a TSIG key."""

import pytest
from authority import DYNAMIC_SERVER, DYNAMIC_ZONE, Authority, certificate, names_of, start, state, wait_for_certificate

HOSTS = (f"*.{DYNAMIC_ZONE}", DYNAMIC_ZONE)
KEY, COPY, FOLDER = "/etc/bellhop/acme/nsupdate.key", "/usr/local/lib/nsupdate.sh", "/root/bind"
ZONE = f"""$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
@ A 127.0.0.1
* A 127.0.0.1
ns A {DYNAMIC_SERVER}
"""
CONFIG = f"""
options {{
    directory "{FOLDER}"; pid-file none; session-keyfile none; recursion no; dnssec-validation no;
    listen-on {{ {DYNAMIC_SERVER}; }}; listen-on-v6 {{ none; }};
}};
controls {{ }};
include "{KEY}";
zone "{DYNAMIC_ZONE}" {{
    type primary; file "zone";
    update-policy {{ grant acme zonesub TXT; }};
}};
"""


@pytest.fixture(name="zone")
def _zone(box):
    """A zone in which the key may change TXT records."""
    # BIND listens only on addresses that an interface has.
    box.client("ip", "address", "add", DYNAMIC_SERVER, "dev", "lo")
    box.shell(f"umask 0027; tsig-keygen acme >{KEY}; chgrp bellhop-acme {KEY}")
    box.write(f"{FOLDER}/zone", ZONE)
    box.write(f"{FOLDER}/named.conf", CONFIG)
    start(box, "bind", "", f"named -g -c {FOLDER}/named.conf")
    box.wait_for("BIND", lambda: box.try_run("dig", "+time=1", "+tries=1", DYNAMIC_ZONE, "SOA").returncode == 0)
    yield
    box.run("systemctl", "stop", "bind")
    box.client("ip", "address", "delete", f"{DYNAMIC_SERVER}/32", "dev", "lo")


def test_wildcard_and_its_base(box, dns, zone):  # pylint: disable=unused-argument
    # The variable has these names in Debian 12 and 13.
    box.shell(f"sed -E 's,^(RNDC_KEY_NSUPDATE|NSUPDATE_KEY)=$,&{KEY},' /usr/share/uacme/nsupdate.sh >{COPY};"
              f"chmod 0755 {COPY}; test $(grep -c {KEY} {COPY}) = 1")
    # The authority asks the resolver.
    authority = Authority(box, "dynamic", 14800, prompt=True, refused_percent=0, dns_server="127.0.0.1:53")
    authority.configure(Challenges="dns-01", DnsHook=COPY)
    box.run("bellhopctl", "add", "dora", "--create-user", *(f"--host={host}" for host in HOSTS), "--acme=dynamic")
    wait_for_certificate(box, "dora")
    assert state(box, "dora")["Failed"] == {} and names_of(certificate(box, "dora")) == HOSTS
    assert authority.has_signed(DYNAMIC_ZONE) and authority.has_signed(f"any.{DYNAMIC_ZONE}")
    log = box.path("/root/authority/bind.log").read_text()
    assert log.count("adding an RR at '_acme-challenge.") == len(HOSTS)
    # The hook has removed the records.
    assert box.run("dig", "+short", f"_acme-challenge.{DYNAMIC_ZONE}", "TXT") == ""
    box.run("bellhopctl", "remove", "dora", "--purge", "--yes")
    authority.stop()
