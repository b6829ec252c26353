# SPDX-License-Identifier: MIT
import json
import pathlib
import subprocess
import sys

import nginx_sites
import pytest
import sites

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "system")]

from box import BUILD, Box  # noqa: E402

HOST = "site.example"
ROOT = "/srv/www/site"
# Debian's own server with its default modules, those that the customers of hosters rely on (rewrite, headers, expires,
# include, cgid), and PHP-FPM as README.Debian of php-fpm says.
STOCK = f"""
    dpkg --install --no-triggers /root/*.deb >/dev/null
    a2enmod -q rewrite headers expires include cgid proxy_fcgi setenvif actions >/dev/null
    php=$(basename /etc/php/*/fpm/pool.d/.. | head -n 1)
    php=$(cd /etc/php && ls -d */fpm | cut -d/ -f1)
    a2enconf -q "php$php-fpm" >/dev/null
    sed -i 's/^Listen .*/Listen 8080/' /etc/apache2/ports.conf
    cat >/etc/apache2/sites-available/000-default.conf <<'END'
<VirtualHost *:8080>
    ServerName {HOST}
    DocumentRoot {ROOT}
    <Directory {ROOT}>
        Options Indexes FollowSymLinks
        AllowOverride All
        Require all granted
    </Directory>
    CustomLog /var/log/apache2/access.log combined
</VirtualHost>
END
    systemctl restart "php$php-fpm" apache2.service
"""
# Debian's own nginx and its default site, with the lines for PHP, .htaccess files and compression that it has as comments, and
# with the snippet of the instance.
SNIPPET = "/etc/bellhop/sites/site/rules.conf"
STOCK_NGINX = f"""
    systemctl stop apache2.service
    sed -Ei 's/# (gzip_vary|gzip_types)/\\1/' /etc/nginx/nginx.conf
    cat >/etc/nginx/sites-available/default <<END
server {{
    listen 8080 default_server;
    root {ROOT};
    index index.html index.htm index.nginx-debian.html index.php;
    server_name _;
    location / {{
        try_files \\$uri \\$uri/ =404;
    }}
    include {SNIPPET};
    location ~ \\.php\\$ {{
        include snippets/fastcgi-php.conf;
        fastcgi_pass php;
    }}
    location ~ /\\.ht {{
        deny all;
    }}
}}
upstream php {{
    server unix:$(ls /run/php/php*-fpm.sock | tail -n 1);
}}
END
    systemctl restart nginx.service
"""


def put(box, site, files):
    for path, (text, mode) in files.items():
        target = box.path(f"{ROOT}/{site}/{path}")
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, sites.Link):
            target.symlink_to(text.to)
        else:
            target.write_bytes(text if isinstance(text, bytes) else text.encode())
            target.chmod(mode)


def ask(box, server, all_sites):
    requests = [(site.name, request) for site in all_sites for request in site.requests]
    job = {"ports": [80, 8080], "host": HOST, "requests": [request.words(site) for site, request in requests]}
    said = box.client("/usr/bin/python3", str(pathlib.Path(__file__).with_name("ask.py")), input=json.dumps(job), stdin=None)
    (BUILD / f"conform-{server}.json").write_text(said)
    return {(server, site, request.name): pair for (site, request), pair in zip(requests, json.loads(said))}


@pytest.fixture(name="answers", scope="session")
def answers_fixture():
    """The answers to all requests: {(server, site, name of the request): (the instance's, those of Debian's own)}."""
    folder = BUILD / "box-packages"
    subprocess.run([TESTS / "download-packages", "box", folder], check=True)
    box = Box("bellhop-conform")
    box.up()
    try:
        box.install()
        for deb in folder.glob("apache2*.deb"):
            box.path(f"/root/{deb.name}").write_bytes(deb.read_bytes())
        box.create_customer("site", [HOST])
        for site in [*sites.SITES, *nginx_sites.SITES]:
            put(box, site.name, site.files)
        box.shell(f"chown -R -h site: {ROOT}; chmod 0755 {ROOT}")
        box.start_customer("site")
        box.shell(STOCK)
        answers = ask(box, "apache", sites.SITES)
        print(box.run("cat", "/var/log/apache2/error.log"))
        box.write(SNIPPET, nginx_sites.SNIPPET)
        box.run("bellhopctl", "set", "site", "--server=nginx")
        box.shell(STOCK_NGINX)
        answers.update(ask(box, "nginx", [*sites.SITES, *nginx_sites.SITES]))
        print(box.run("cat", "/var/log/nginx/error.log"))
        print(box.journal("-u", "bellhop@site"))
        yield answers
    finally:
        box.down()
