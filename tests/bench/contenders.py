# SPDX-License-Identifier: MIT
"""The contenders that ./bench compares: bellhop under its real units, and its alternatives, in one container.

All contenders serve the same files of customers alice and bob, with the same certificate and TLS settings, and with the same
server behind them. Each listens on its own address in the container's network, on ports 80 and 443. All run at once, but only
the measured one has work.
"""

import os
import pathlib
import re
import shutil

import plain

HOSTS = {"alice": "alice.example", "bob": "bob.example"}
# These instances have the TLS settings that instances with Apache had earlier.
BEFORE = {"carol": "carol.example", "dave": "dave.example"}
DIRECT = {"alice": "127.0.0.12", "bob": "127.0.0.13"}
SMALL_BYTES, LARGE_BYTES = 1024, 64 * 1024 * 1024
PEERS = "/opt/peers"
CERTIFICATE = "/etc/bench/tls"
ROUTER = "bellhop-router.service"
LOG = "bellhop-log.service"
# The first log is for servers of one customer, and the second one for servers of all customers, which root starts.
ACCESS_LOG, SHARED_LOG = "/var/log/bench/{name}/access.log", "/var/log/bench/{name}.log"
TCP_PROXIES = ["nginx-stream", "haproxy", "sniproxy"]
PROXIES = [*TCP_PROXIES, "nginx-tls", "caddy"]
ADDRESSES = {"bellhop": "127.0.0.10", "apache": "127.0.0.11", "nginx-stream": "127.0.0.14", "haproxy": "127.0.0.15",
             "sniproxy": "127.0.0.16", "nginx-tls": "127.0.0.17", "itk": "127.0.0.18", "floor": "127.0.0.20",
             "caddy": "127.0.0.21"}


def units(kind, names=HOSTS):
    return [f"{kind}@{name}.service" for name in names]


class Contender:
    """fronts: units between the client and the servers. behind: units of the servers. targets: HOST@ADDRESS."""

    def __init__(self, name, fronts, behind, targets=None):
        self.name, self.fronts, self.behind = name, fronts, behind
        self.targets = targets or [f"{host}@{ADDRESSES[name]}" for host in HOSTS.values()]


def contenders(server):
    """{name: Contender}. server: apache or nginx, the server behind all contenders."""
    found = [
        Contender("direct", [], units("direct"), [f"{HOSTS[name]}@{DIRECT[name]}" for name in HOSTS]),
        Contender("bellhop", [ROUTER], [*units("bellhop"), LOG]),
        Contender("floor", ["floor.service"], [*units("bellhop"), LOG]),
        *[Contender(name, [f"bench-{name}.service"], units("direct")) for name in PROXIES],
    ]
    if server == "apache":
        found += [
            Contender("before", [ROUTER], [*units("bellhop", BEFORE), LOG],
                      [f"{host}@{ADDRESSES['bellhop']}" for host in BEFORE.values()]),
            Contender("apache", [], ["bench-apache.service"]),
            Contender("itk", [], ["bench-itk.service"]),
        ]
    return {contender.name: contender for contender in found}


BEFORE_SNIPPET = """
<IfModule !socache_shmcb_module>
    LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
</IfModule>
SSLSessionCache shmcb:${RUNTIME_DIRECTORY}/before(512000)
SSLOpenSSLConfCmd NumTickets 2
"""

SHARED_SITE = """
<VirtualHost *:443>
    ServerName {host}
    DocumentRoot /srv/www/{name}
    SSLEngine On
    SSLCertificateFile {certificate}/fullchain.pem
    SSLCertificateKeyFile {certificate}/privkey.pem
    Protocols {protocols}
    CustomLog {log} bellhop
    {extra}
</VirtualHost>
<VirtualHost *:80>
    ServerName {host}
    DocumentRoot /srv/www/{name}
    CustomLog {log} bellhop
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


CADDY = """
{{
    admin off
    auto_https off
    log {{
        output discard
    }}
}}
{sites}
"""

CADDY_SITE = """
{scheme}://{host} {{
    bind 127.0.0.21
    {tls}
    reverse_proxy {address}:80 {{
        transport http {{
            compression off
            keepalive_idle_conns_per_host 64
        }}
    }}
}}
"""


def shared_apache(text, mpm, address, assign_users):
    """instance.conf, changed for one server that serves all customers and listens itself."""
    lines = [line for line in plain.without_hand_off(text, "/dev/null") if "IncludeOptional" not in line]
    sites = "".join(SHARED_SITE.format(
        host=host, name=name, log=SHARED_LOG.format(name=name), certificate=CERTIFICATE,
        protocols="http/1.1" if assign_users else "h2 http/1.1",
        extra=f"AssignUserId {name} {name}" if assign_users else "") for name, host in HOSTS.items())
    files = "".join(f"<Directory /srv/www/{name}>\nOptions SymLinksIfOwnerMatch ExecCGI\nAllowOverride All\n"
                    "Require all granted\n</Directory>\n" for name in HOSTS)
    head = "\n".join(lines).replace("${BELLHOP_MPM}", mpm).replace("${RUNTIME_DIRECTORY}", "/run/bench/" + address)
    head = head.replace("${BELLHOP_CONFIG_DIR}/tls/${BELLHOP_INSTANCE}", CERTIFICATE).replace("${BELLHOP_INSTANCE}", "x")
    itk = f"LoadModule mpm_itk_module {PEERS}/usr/lib/apache2/modules/mpm_itk.so\n" if assign_users else ""
    users = "User root\nGroup root\n" if assign_users else "User www-data\nGroup www-data\n"
    return (f"Define BELLHOP_INSTANCE x\nDefine BELLHOP_WWW /srv/www/alice\n{head}\n{itk}"
            f"{'' if assign_users else users}{files}Listen {address}:80 http\nListen {address}:443 https\n{sites}")


def direct_unit(text, server):
    """bellhop@.service, changed for a server that listens itself: only the network is different."""
    command = {"apache": "/usr/sbin/apache2 -DFOREGROUND", "nginx": "/usr/sbin/nginx"}[server]
    flag = {"apache": "-f", "nginx": "-c"}[server]
    text = text.replace("/usr/lib/bellhop/bellhop-instance %i", f"/usr/local/sbin/bellhop-fenced {command} {flag} /etc/bench/%i.conf")
    text = text.replace("Environment=BELLHOP_MPM=", "Environment=BELLHOP_INSTANCE=%i BELLHOP_MPM=")
    skip = ("Requires=", "After=", "Wants=", "PartOf=", "OnFailure", "Type=", "NotifyAccess=", "ExecReload=",
            "RuntimeDirectory")
    text = "\n".join(line for line in text.splitlines() if not line.startswith(skip))
    text = text.replace("[Service]\n", "[Service]\nLogsDirectory=bench/%i\n", 1)
    text = text.replace("PrivateNetwork=yes", "PrivateNetwork=no").replace("IPAddressDeny=any", "")
    return text.replace("AF_UNIX AF_INET", "AF_UNIX AF_INET AF_INET6")


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


def nginx_tls(workers, instance_http):
    """The configuration of a proxy that has the TLS settings of an instance with nginx."""
    settings = "\n".join(re.findall(r"^ssl_.*;", instance_http, re.M))
    return nginx("bench-nginx-tls", workers, f"""
        listen 127.0.0.17:80 deferred;
        listen 127.0.0.17:443 ssl http2 deferred;
        ssl_certificate {CERTIFICATE}/fullchain.pem;
        ssl_certificate_key {CERTIFICATE}/privkey.pem;
        {settings}""", "")


def caddy():
    tls = f"tls {CERTIFICATE}/fullchain.pem {CERTIFICATE}/privkey.pem {{\n        curves x25519 secp256r1 secp384r1\n    }}"
    return CADDY.format(sites="".join(
        CADDY_SITE.format(scheme=scheme, host=host, address=DIRECT[name], tls=tls if scheme == "https" else "")
        for name, host in HOSTS.items() for scheme in ("http", "https")))


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
    """The container that all contenders run in."""

    def __init__(self, box, build, server):
        self.box, self.build, self.server = box, pathlib.Path(build), server
        self.customers = HOSTS | (BEFORE if server == "apache" else {})

    def set_up(self):
        box = self.box
        # This allows services to listen on ports 80 and 443 without root's power.
        box.client("sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0")
        listen = "\n".join(f"ListenStream={ADDRESSES['bellhop']}:{port}" for port in (80, 443))
        self._drop_in("bellhop-router.socket", f"[Socket]\nListenStream=\n{listen}\n")
        shutil.copytree(self.build / "peers/root", box.path(PEERS), symlinks=True)
        box.install()
        for name, host in self.customers.items():
            self._add_customer(name, host)
        box.run("systemctl", "daemon-reload")
        box.run("systemctl", "start", *[f"bellhop@{customer}.socket" for customer in self.customers])
        box.reload_router()
        for host in self.customers.values():
            box.curl(f"https://{host}/small.txt", address=ADDRESSES["bellhop"])
        self._write_direct()
        self._write_peers()
        self._write_floor()
        box.run("systemctl", "daemon-reload")
        box.run("systemctl", "start", *units("direct"), "bench-sniproxy", "floor.socket", "floor.service",
                *(["bench-apache", "bench-itk"] if self.server == "apache" else []))

    def start_proxies(self, workers):
        """Starts the proxies with one worker or thread for each processor of the servers."""
        box = self.box
        box.write("/etc/bench/nginx-stream.conf", nginx_stream(workers))
        box.write("/etc/bench/nginx-tls.conf", nginx_tls(workers, box.path("/etc/bellhop/nginx/http.conf").read_text()))
        box.write("/etc/bench/haproxy.cfg", haproxy(workers))
        self._drop_in("bench-caddy.service", f"[Service]\nEnvironment=GOMAXPROCS={workers} HOME=/run/bench\n")
        box.run("systemctl", "daemon-reload")
        box.run("systemctl", "restart", *[f"bench-{name}" for name in PROXIES])

    def _drop_in(self, unit, text):
        self.box.write(f"/etc/systemd/system/{unit}.d/bench.conf", text)

    def _add_customer(self, name, host):
        box = self.box
        box.create_customer(name, [host], instance=f"Server={self.server}\n")
        box.write(f"/srv/www/{name}/small.txt", (host + "\n").ljust(SMALL_BYTES, "."))
        box.path(f"/srv/www/{name}/large.bin").write_bytes((host + "\n").encode().ljust(LARGE_BYTES, b"."))
        if name in BEFORE:
            box.write(f"/etc/bellhop/sites/{name}/before.conf", BEFORE_SNIPPET)
        box.shell(f"""
            chown -R {name}: /srv/www/{name}
            chown -R root:{name} /etc/bellhop/sites/{name}
            usermod -aG {name} www-data
            mkdir -p {CERTIFICATE}
            install -d -o {name} -g {name} /var/log/bench/{name}
            [ -e {CERTIFICATE}/privkey.pem ] || cp /etc/bellhop/tls/{name}/*.pem {CERTIFICATE}
            install -o {name} -g {name} -m 0400 {CERTIFICATE}/*.pem /etc/bellhop/tls/{name}/
        """)

    def _service(self, name, command, more=""):
        self.box.write(f"/etc/systemd/system/bench-{name}.service", SERVICE.format(command=command) + more)

    def _instance_conf(self):
        return self.box.path("/etc/bellhop/apache2/instance.conf").read_text()

    def _write_direct(self):
        box = self.box
        unit = box.path("/usr/lib/systemd/system/bellhop@.service").read_text()
        box.write("/etc/systemd/system/direct@.service", direct_unit(unit, self.server))
        shutil.copy(self.build / "tests/bench-fenced", box.path("/usr/local/sbin/bellhop-fenced"))
        shutil.copytree(box.path("/usr/lib/systemd/system/bellhop@.service.d"),
                        box.path("/etc/systemd/system/direct@.service.d"))
        for name, address in DIRECT.items():
            log = ACCESS_LOG.format(name=name)
            text = (plain.apache(self._instance_conf(), address, log=log) if self.server == "apache"
                    else plain.nginx(box, name, address, log=log))
            box.write(f"/etc/bench/{name}.conf", text)

    def _write_peers(self):
        box = self.box
        if self.server == "apache":
            for name, mpm in (("apache", "event"), ("itk", "prefork")):
                address = ADDRESSES[name]
                box.write(f"/etc/bench/{name}.conf", shared_apache(self._instance_conf(), mpm, address, name == "itk"))
                self._service(name, f"/usr/sbin/apache2 -DFOREGROUND -f /etc/bench/{name}.conf",
                              f"RuntimeDirectory=bench/{address}\n")
        for name in ("nginx-stream", "nginx-tls"):
            self._service(name, f"/usr/sbin/nginx -c /etc/bench/{name}.conf")
        self._service("haproxy", f"{PEERS}/usr/sbin/haproxy -db -f /etc/bench/haproxy.cfg")
        box.write("/etc/bench/sniproxy.conf", sniproxy())
        self._service("sniproxy", f"{PEERS}/usr/sbin/sniproxy -f -c /etc/bench/sniproxy.conf")
        box.write("/etc/bench/Caddyfile", caddy())
        self._service("caddy", f"{PEERS}/usr/bin/caddy run --adapter caddyfile --config /etc/bench/Caddyfile")

    def _write_floor(self):
        """Writes copies of the router's units that run the floor instead of the router."""
        box = self.box
        shutil.copy(self.build / "tests/bench-floor", box.path("/usr/local/sbin/bellhop-floor"))
        targets = " ".join(f"/run/bellhop/{name}.handoff {host}" for name, host in HOSTS.items())
        unit = box.path("/usr/lib/systemd/system/bellhop-router.service").read_text()
        unit = unit.replace("/usr/sbin/bellhop-router", f"/usr/local/sbin/bellhop-floor {targets}", 1)
        skip = ("ExecReload=", "WatchdogSec=", "Sockets=", "Requires=", "After=", "PartOf=", "RuntimeDirectory")
        box.write("/etc/systemd/system/floor.service",
                  "\n".join(line for line in unit.splitlines() if not line.startswith(skip)))
        socket = box.path("/usr/lib/systemd/system/bellhop-router.socket").read_text()
        socket = re.sub(r"^(ListenStream|PartOf)=.*\n", "", socket, flags=re.M)
        listen = "".join(f"ListenStream={ADDRESSES['floor']}:{port}\n" for port in (80, 443))
        box.write("/etc/systemd/system/floor.socket", socket.replace("[Socket]\n", f"[Socket]\n{listen}", 1))

    def empty_logs(self):
        """Empties the access logs, because they are in memory."""
        for folder in ("/var/log/bellhop", "/var/log/bench"):
            for path in self.box.path(folder).rglob("*.log"):
                os.truncate(path, 0)

    def versions(self):
        lines = (self.build / "peers/versions").read_text().splitlines()
        own = self.box.run("dpkg-query", "-W", "apache2-bin", "nginx", "openssl", "systemd").splitlines()
        return sorted([" ".join(line.split()) for line in own] + lines)


def processors():
    return sorted(os.sched_getaffinity(0))
