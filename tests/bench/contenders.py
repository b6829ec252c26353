# SPDX-License-Identifier: MIT
"""What ./bench compares: bellhop under its real units, and what people would use instead, in one container.

All serve the same files of customers alice and bob with the same certificate and the same Apache; each listens on an
address of its own in the container's network, on ports 80 and 443. All are there at once and idle but the one that is
measured.
"""

import os
import pathlib
import shutil

from plain import without_hand_off

HOSTS = {"alice": "alice.example", "bob": "bob.example"}
DIRECT = {"alice": "127.0.0.12", "bob": "127.0.0.13"}
MPMS = ("worker", "prefork")  # event is alice's and bob's
SMALL_BYTES, LARGE_BYTES = 1024, 64 * 1024 * 1024
PEERS = "/opt/peers"
CERTIFICATE = "/etc/bench/tls"


class Contender:
    """fronts: units that stand in the client's way. behind: units of the servers. targets: HOST@ADDRESS."""

    def __init__(self, name, title, address, fronts=(), behind=(), hosts=tuple(HOSTS.values())):
        addresses = address if isinstance(address, dict) else dict.fromkeys(hosts, address)
        self.name, self.title, self.fronts, self.behind = name, title, list(fronts), list(behind)
        self.targets = [f"{host}@{addresses[host]}" for host in hosts]


DIRECT_UNITS = ["direct@alice.service", "direct@bob.service"]
BELLHOP_UNITS = ["bellhop@alice.service", "bellhop@bob.service"]
ROUTER = "bellhop-router.service"
DIRECT_BY_HOST = {host: DIRECT[name] for name, host in HOSTS.items()}

ALL = [
    Contender("direct", "per-uid Apaches, no front", DIRECT_BY_HOST, behind=DIRECT_UNITS),
    Contender("bellhop", "bellhop", "127.0.0.10", [ROUTER], BELLHOP_UNITS),
    Contender("apache", "one Apache for all", "127.0.0.11", behind=["bench-apache.service"]),
    Contender("nginx-stream", "nginx, ssl_preread", "127.0.0.14", ["bench-nginx-stream.service"], DIRECT_UNITS),
    Contender("haproxy", "HAProxy, TCP by SNI", "127.0.0.15", ["bench-haproxy.service"], DIRECT_UNITS),
    Contender("sniproxy", "sniproxy", "127.0.0.16", ["bench-sniproxy.service"], DIRECT_UNITS),
    Contender("nginx-tls", "nginx ending TLS for all", "127.0.0.17", ["bench-nginx-tls.service"], DIRECT_UNITS),
    Contender("itk", "Apache mpm-itk", "127.0.0.18", behind=["bench-itk.service"]),
    Contender("direct-bare", "per-uid Apaches, no front, no sandbox", {HOSTS["alice"]: "127.0.0.19"},
              behind=["bare@alice.service"], hosts=(HOSTS["alice"],)),
    # One customer each, to tell MPMs apart, and to hold the router against the floor, and the floor against no front.
    Contender("direct-one", "one per-uid Apache, no front", {HOSTS["alice"]: DIRECT["alice"]},
              behind=["direct@alice.service"], hosts=(HOSTS["alice"],)),
    Contender("bellhop-event", "bellhop, event MPM", "127.0.0.10", [ROUTER], ["bellhop@alice.service"],
              (HOSTS["alice"],)),
    *[Contender(f"bellhop-{mpm}", f"bellhop, {mpm} MPM", "127.0.0.10", [ROUTER], [f"bellhop@{mpm}.service"],
                (f"{mpm}.example",)) for mpm in MPMS],
    Contender("floor", "bare system calls in the router's place", "127.0.0.20", ["floor.service"],
              ["bellhop@alice.service"], (HOSTS["alice"],)),
]
BY_NAME = {contender.name: contender for contender in ALL}
TCP_PROXIES = ["nginx-stream", "haproxy", "sniproxy"]
PROXIES = [*TCP_PROXIES, "nginx-tls"]

# Logs of requests are made, and go nowhere: the journal would be a measure of the journal.
SITE = """
<IfModule ssl_module>
    <VirtualHost *:443>
        SSLEngine On
        LogLevel ssl:error
        SSLCertificateFile /etc/bellhop/tls/{name}/fullchain.pem
        SSLCertificateKeyFile /etc/bellhop/tls/{name}/privkey.pem
        Protocols h2 http/1.1
        CustomLog /dev/null bellhop
    </VirtualHost>
</IfModule>
<VirtualHost *:*>
    CustomLog /dev/null bellhop
</VirtualHost>
"""

SHARED_SITE = """
<VirtualHost *:443>
    ServerName {host}
    DocumentRoot /srv/www/{name}
    SSLEngine On
    SSLCertificateFile {certificate}/fullchain.pem
    SSLCertificateKeyFile {certificate}/privkey.pem
    Protocols {protocols}
    CustomLog /dev/null bellhop
    {extra}
</VirtualHost>
<VirtualHost *:80>
    ServerName {host}
    DocumentRoot /srv/www/{name}
    CustomLog /dev/null bellhop
    {extra}
</VirtualHost>
"""

SERVICE = """
[Service]
ExecStart={command}
RuntimeDirectory=bench/%N
LimitNOFILE=65536
TimeoutStopSec=3s
"""

NGINX = """
load_module {peers}/usr/lib/nginx/modules/ngx_stream_module.so;
user www-data;
daemon off;
worker_processes {workers};
pid /run/bench/{unit}/pid;
error_log stderr warn;
events {{ worker_connections 8192; }}
{stream}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000;
    client_body_temp_path /run/bench/{unit}/body;
    proxy_temp_path /run/bench/{unit}/proxy;
    fastcgi_temp_path /run/bench/{unit}/fastcgi;
    uwsgi_temp_path /run/bench/{unit}/uwsgi;
    scgi_temp_path /run/bench/{unit}/scgi;
    proxy_max_temp_file_size 0;
    proxy_buffers 8 32k;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $remote_addr;
    map $host $site {{ {http_map} }}
    {upstreams}
    server {{
        {listen}
        location / {{ proxy_pass http://$site; }}
    }}
}}
"""

HAPROXY = """
global
    nbthread {workers}
    maxconn 4096
defaults
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend tls
    mode tcp
    bind 127.0.0.15:443 defer-accept
    tcp-request inspect-delay 5s
    tcp-request content accept if {{ req.ssl_hello_type 1 }}
    {tls_rules}
frontend http
    mode http
    bind 127.0.0.15:80 defer-accept
    option forwardfor
    {http_rules}
"""

HAPROXY_BACKENDS = """
backend {name}-tls
    mode tcp
    option splice-auto
    server one {address}:443
backend {name}-http
    mode http
    http-reuse always
    server one {address}:80
"""


def shared_apache(text, mpm, address, assign_users):
    """instance.conf for one server that has all customers, without hand-off."""
    lines = [line for line in without_hand_off(text) if "IncludeOptional" not in line]
    head, _, _ = "\n".join(lines).partition("# --- What is left")
    sites = "".join(SHARED_SITE.format(
        host=host, name=name, certificate=CERTIFICATE, protocols="http/1.1" if assign_users else "h2 http/1.1",
        extra=f"AssignUserId {name} {name}" if assign_users else "") for name, host in HOSTS.items())
    files = "".join(f"<Directory /srv/www/{name}>\nOptions SymLinksIfOwnerMatch ExecCGI\nAllowOverride All\n"
                    "Require all granted\n</Directory>\n" for name in HOSTS)
    head = head.replace("${BELLHOP_MPM}", mpm).replace("${BELLHOP_SERVER}", "1").replace("${RUNTIME_DIRECTORY}", "/run/bench/" + address)
    head = head.replace("${BELLHOP_CONFIG_DIR}/tls/${BELLHOP_INSTANCE}", CERTIFICATE).replace("${BELLHOP_INSTANCE}", "x")
    itk = f"LoadModule mpm_itk_module {PEERS}/usr/lib/apache2/modules/mpm_itk.so\n" if assign_users else ""
    users = "User root\nGroup root\n" if assign_users else "User www-data\nGroup www-data\n"
    return (f"Define BELLHOP_INSTANCE x\nDefine BELLHOP_WWW /srv/www/alice\n{head}\n{itk}{'' if assign_users else users}{files}"
            f"Listen {address}:80 http\nListen {address}:443 https\n{sites}")


def direct_apache(text):
    """instance.conf for one customer's server that listens by itself; ${BENCH_ADDRESS} is in its environment."""
    return "\n".join([*without_hand_off(text), "Listen ${BENCH_ADDRESS}:80 http", "Listen ${BENCH_ADDRESS}:443 https", ""])


def direct_unit(text, sandboxed):
    """bellhop@.service for a server that listens by itself: the same, but for the network that it needs."""
    text = text.replace("/usr/lib/bellhop/bellhop-instance %i", "/usr/sbin/apache2 -DFOREGROUND -f /etc/bench/direct.conf")
    text = text.replace("bellhop-instance", "direct-instance" if sandboxed else "bare-instance")
    text = text.replace("Environment=BELLHOP_MPM=", "Environment=BELLHOP_INSTANCE=%i BELLHOP_SERVER=1 BELLHOP_MPM=")
    head, marker, sandbox = text.partition("## Privileges")
    skip = ("Requires=", "After=", "PartOf=", "OnFailure", "Type=", "NotifyAccess=", "ExecReload=")
    head = "\n".join(line for line in head.splitlines() if not line.startswith(skip))
    sandbox = sandbox.replace("PrivateNetwork=yes", "PrivateNetwork=no").replace("IPAddressDeny=any", "")
    sandbox = sandbox.replace("AF_UNIX AF_INET", "AF_UNIX AF_INET AF_INET6")
    return head + "\n" + (marker + sandbox if sandboxed else "")


def nginx(unit, workers, listen, stream):
    return NGINX.format(
        peers=PEERS, unit=unit, workers=workers, stream=stream, listen=listen,
        http_map=" ".join(f"{host} {name};" for name, host in HOSTS.items()),
        upstreams=" ".join(f"upstream {name} {{ server {DIRECT[name]}:80; keepalive 64; }}" for name in HOSTS))


def nginx_stream(workers):
    sites = " ".join(f"{host} {DIRECT[name]}:443;" for name, host in HOSTS.items())
    return nginx("bench-nginx-stream", workers, "listen 127.0.0.14:80 deferred;",
                 f"stream {{ map $ssl_preread_server_name $site {{ {sites} }}\n"
                 "server { listen 127.0.0.14:443; ssl_preread on; proxy_pass $site; } }")


def nginx_tls(workers):
    return nginx("bench-nginx-tls", workers, f"""
        listen 127.0.0.17:80 deferred;
        listen 127.0.0.17:443 ssl http2 deferred;
        ssl_certificate {CERTIFICATE}/fullchain.pem;
        ssl_certificate_key {CERTIFICATE}/privkey.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_tickets off;
        ssl_session_cache shared:all:10m;
        ssl_buffer_size 16k;""", "")


def haproxy(workers):
    def rules(fetch, kind):
        return "\n    ".join(f"use_backend {name}-{kind} if {{ {fetch} -i {host} }}" for name, host in HOSTS.items())

    return HAPROXY.format(workers=workers, tls_rules=rules("req.ssl_sni", "tls"),
                          http_rules=rules("req.hdr(host)", "http")) + "".join(
        HAPROXY_BACKENDS.format(name=name, address=DIRECT[name]) for name in HOSTS)


def sniproxy():
    tables = "".join(f"table {kind} {{\n" + "".join(f"    {host} {DIRECT[name]}:{port}\n" for name, host in HOSTS.items())
                     + "}\n" for kind, port in (("tls", 443), ("http", 80)))
    listeners = "".join(f"listener 127.0.0.16:{port} {{\n    proto {kind}\n    table {kind}\n}}\n"
                        for kind, port in (("tls", 443), ("http", 80)))
    return "user daemon\npidfile /run/bench/bench-sniproxy/pid\nerror_log {\n    syslog daemon\n    priority error\n}\n" \
           + listeners + tables


class Field:
    """The container with all contenders in it."""

    def __init__(self, box, build):
        self.box, self.build = box, pathlib.Path(build)

    def set_up(self):
        box = self.box
        # Else a service could not listen on ports 80 and 443 as its user.
        box.client("sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0")
        self._drop_in("bellhop-router.socket", "[Socket]\nListenStream=\nListenStream=127.0.0.10:80\n"
                                               "ListenStream=127.0.0.10:443\n")
        shutil.copytree(self.build / "peers/root", box.path(PEERS), symlinks=True)
        box.install()
        for name, host in HOSTS.items():
            self._add_customer(name, host)
        for mpm in MPMS:
            self._drop_in(f"bellhop@{mpm}.service", f"[Service]\nEnvironment=BELLHOP_MPM={mpm}\n")
            self._add_customer(mpm, f"{mpm}.example")
        self._share_certificate()
        self._write_peers()
        box.run("systemctl", "daemon-reload")
        for customer in [*HOSTS, *MPMS]:
            box.run("systemctl", "start", f"bellhop@{customer}.socket")
        box.reload_router()
        box.run("systemctl", "start", "bench-apache", "bench-itk", *DIRECT_UNITS, "bare@alice", "bench-sniproxy", "floor.socket",
                "floor.service")
        self.start_proxies(1)

    def start_proxies(self, workers):
        """With as many workers or threads as the servers have processors."""
        self.box.write("/etc/bench/nginx-stream.conf", nginx_stream(workers))
        self.box.write("/etc/bench/nginx-tls.conf", nginx_tls(workers))
        self.box.write("/etc/bench/haproxy.cfg", haproxy(workers))
        self.box.run("systemctl", "restart", "bench-nginx-stream", "bench-nginx-tls", "bench-haproxy")

    def _drop_in(self, unit, text):
        self.box.write(f"/etc/systemd/system/{unit}.d/bench.conf", text)

    def _add_customer(self, name, host):
        box = self.box
        box.create_customer(name, [host], key="ec")
        box.write(f"/srv/www/{name}/small.txt", (host + "\n").ljust(SMALL_BYTES, "."))
        large = box.path(f"/srv/www/{name}/large.bin")
        large.write_bytes((host + "\n").encode().ljust(LARGE_BYTES, b"."))
        box.run("chown", "-R", f"{name}:", f"/srv/www/{name}")
        box.write(f"/etc/bellhop/sites/{name}/bench.conf", SITE.format(name=name))
        box.run("chown", "-R", f"root:{name}", f"/etc/bellhop/sites/{name}")
        box.run("usermod", "-aG", name, "www-data")

    def _share_certificate(self):
        self.box.shell(f"""
            mkdir -p {CERTIFICATE}
            cp /etc/bellhop/tls/alice/*.pem {CERTIFICATE}
            for name in bob {' '.join(MPMS)}; do
                install -o $name -g $name -m 0400 {CERTIFICATE}/*.pem /etc/bellhop/tls/$name/
            done
        """)

    def _service(self, name, command, more=""):
        self.box.write(f"/etc/systemd/system/{name}.service", SERVICE.format(command=command) + more)

    def _write_peers(self):
        box = self.box
        instance = box.path("/etc/bellhop/apache2/instance.conf").read_text()
        unit = box.path("/usr/lib/systemd/system/bellhop@.service").read_text()
        box.write("/etc/bench/direct.conf", direct_apache(instance))
        for kind, sandboxed in (("direct", True), ("bare", False)):
            box.write(f"/etc/systemd/system/{kind}@.service", direct_unit(unit, sandboxed))
        for name, address in DIRECT.items():
            self._drop_in(f"direct@{name}.service", f"[Service]\nEnvironment=BENCH_ADDRESS={address}\n")
        self._drop_in("bare@alice.service", "[Service]\nEnvironment=BENCH_ADDRESS=127.0.0.19\n")

        box.write("/etc/bench/apache.conf", shared_apache(instance, "event", "127.0.0.11", False))
        box.write("/etc/bench/itk.conf", shared_apache(instance, "prefork", "127.0.0.18", True))
        for name, address in (("apache", "127.0.0.11"), ("itk", "127.0.0.18")):
            self._service(f"bench-{name}", f"/usr/sbin/apache2 -DFOREGROUND -f /etc/bench/{name}.conf",
                          f"RuntimeDirectory=bench/{address}\n")
        self._service("bench-nginx-stream", f"{PEERS}/usr/sbin/nginx -c /etc/bench/nginx-stream.conf")
        self._service("bench-nginx-tls", f"{PEERS}/usr/sbin/nginx -c /etc/bench/nginx-tls.conf")
        self._service("bench-haproxy", f"{PEERS}/usr/sbin/haproxy -db -f /etc/bench/haproxy.cfg")
        box.write("/etc/bench/sniproxy.conf", sniproxy())
        self._service("bench-sniproxy", f"{PEERS}/usr/sbin/sniproxy -f -c /etc/bench/sniproxy.conf")
        self._write_floor()

    def _write_floor(self):
        """The router's own units, with another program in them."""
        box = self.box
        shutil.copy(self.build / "tests/bench-floor", box.path("/usr/local/sbin/bellhop-floor"))
        unit = box.path("/usr/lib/systemd/system/bellhop-router.service").read_text()
        unit = unit.replace("ExecStart=/usr/sbin/bellhop-router",
                            f"ExecStart=/usr/local/sbin/bellhop-floor /run/bellhop/alice.handoff {HOSTS['alice']}")
        skip = ("ExecReload=", "WatchdogSec=", "Sockets=", "Requires=", "After=", "PartOf=")
        unit = "\n".join(line for line in unit.splitlines() if not line.startswith(skip))
        box.write("/etc/systemd/system/floor.service", unit.replace("RuntimeDirectory=bellhop-router", ""))
        socket = box.path("/usr/lib/systemd/system/bellhop-router.socket").read_text()
        lines = [line for line in socket.splitlines() if not line.startswith(("ListenStream=", "PartOf="))]
        at = lines.index("[Socket]")
        box.write("/etc/systemd/system/floor.socket", "\n".join(
            [*lines[:at + 1], "ListenStream=127.0.0.20:80", "ListenStream=127.0.0.20:443", *lines[at + 1:]]))

    def versions(self):
        lines = (self.build / "peers/versions").read_text().splitlines()
        own = self.box.run("dpkg-query", "-W", "apache2-bin", "openssl", "systemd").splitlines()
        return sorted([" ".join(line.split()) for line in own] + lines)


def processors():
    return sorted(os.sched_getaffinity(0))
