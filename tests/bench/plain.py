# SPDX-License-Identifier: MIT
"""Changes the configuration of instances for a server that listens itself, and keeps the rest the same."""

import os
import pathlib
import re

from slices import processes

OURS = ("LoadModule bellhop_module", "Bellhop", "ErrorLog ${BELLHOP_LOGS}", "CustomLog ${BELLHOP_LOGS}")
# The access log has the same lines as that of an instance.
NGINX_LOG = """log_format bellhop '$host:$server_port $remote_addr - $remote_user [$time_local] "$request" $status $bytes_sent '
    '"$http_referer" "$http_user_agent"';"""

APACHE_TLS = """
<IfModule ssl_module>
<VirtualHost *:{port}>
    SSLEngine On
    SSLCertificateFile ${{BELLHOP_TLS}}/fullchain.pem
    SSLCertificateKeyFile ${{BELLHOP_TLS}}/privkey.pem
</VirtualHost>
</IfModule>
"""


def without_hand_off(instance_conf, log):
    """The lines of Apache's instance.conf without those of mod_bellhop."""
    lines = [line for line in instance_conf.splitlines() if not line.lstrip().startswith(OURS)]
    return [*lines, "ErrorLog /dev/null", f"CustomLog {log} bellhop"]


def apache(instance_conf, address, http=80, https=443, log="/dev/null"):
    return "\n".join([f"Listen {address}:{http} http", f"Listen {address}:{https} https",
                      *without_hand_off(instance_conf, log), APACHE_TLS.format(port=https)])


def nginx(box, name, address, http=80, https=443, log="/dev/null"):  # pylint: disable=too-many-arguments
    """Reads the configuration of this customer's instance, which has it in memory. So the instance must run."""
    text = next(text for text in (path.read_text() for path in nginx_files(box, name)) if "bellhop_instance" in text)
    common = box.path("/etc/bellhop/nginx/instance.conf").read_text()
    common = re.sub(r"^load_module .*", "", common, flags=re.M)
    text = re.sub(r"^include .*/nginx/instance.conf;", lambda _: common, text, flags=re.M)
    text = re.sub(r"^(bellhop_| *listen \[).*\n", "", text, flags=re.M)
    for port, new in ((80, http), (443, https)):
        text = re.sub(rf"listen {port}\b(.*);", rf"listen {address}:{new}\1 deferred;", text)
    text = text.replace("http {\n", f"http {{\n{NGINX_LOG}\n", 1)
    return re.sub(r"^( *server) {", rf"\1 {{ access_log {log} bellhop;", text, flags=re.M)


def nginx_files(box, name):
    """The configuration files in memory that processes of the instance have open."""
    for pid in processes(box, f"bellhop@{name}.service"):
        yield from (path for path in pathlib.Path("/proc", pid, "fd").iterdir() if "memfd:nginx.conf" in os.readlink(path))
