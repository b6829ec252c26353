# SPDX-License-Identifier: MIT
"""panels.py PANEL COUNT: makes a machine as a panel for hosting lays it out, for so many customers: users, pools of
PHP-FPM, certificates, pages, and Apache's configuration in /etc/apache2. Prints, as JSON, whose each host is.

Only the structure is that of the panels: which files there are, how virtual hosts are written, what names the user."""

import json
import os
import pathlib
import subprocess
import sys

IP = "192.0.2.80"
UID = 20000
MODULES = """mpm_event authz_core authz_host authn_core authn_file authz_user auth_basic alias dir mime rewrite headers
    expires env setenvif ssl socache_shmcb proxy proxy_fcgi proxy_http suexec cgid deflate filter autoindex negotiation
    reqtimeout actions include""".split()
MAIN = """
DefaultRuntimeDir /run
PidFile /run/old-apache.pid
Timeout 300
KeepAlive On
User www-data
Group www-data
ErrorLog /var/log/old/error.log
LogLevel warn
{modules}
{listen}
<Directory />
    Options FollowSymLinks
    AllowOverride None
    Require all denied
</Directory>
<Directory /usr/share>
    AllowOverride None
    Require all granted
</Directory>
<Directory /var/www/>
    Options Indexes FollowSymLinks
    AllowOverride None
    Require all granted
</Directory>
AccessFileName .htaccess
<FilesMatch "^\\.ht">
    Require all denied
</FilesMatch>
LogFormat "%h %l %u %t \\"%r\\" %>s %O" common
SSLSessionCache shmcb:/run/old_scache(512000)
TypesConfig /etc/mime.types
DirectoryIndex index.html index.php
{include}
"""


class Machine:
    def __init__(self, count):
        self.names = [f"c{number:03}" for number in range(count)]
        self.passwd, self.group, self.owners = [], [], {}
        self.unknown = self.unknown_tls = None
        self.plain = []  # hosts without TLS
        pathlib.Path("/var/log/old").mkdir(parents=True, exist_ok=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days",
                        "90", "-subj", "/CN=old", "-keyout", "/root/old.key", "-out", "/root/old.pem"], check=True,
                       capture_output=True)
        self.certificate, self.key = (pathlib.Path(f"/root/old.{end}").read_text(encoding="ascii") for end in ("pem", "key"))

    @staticmethod
    def certificate_for(hosts):
        """With the key of all."""
        return subprocess.run(["openssl", "req", "-x509", "-key", "/root/old.key", "-days", "90", "-subj", "/CN=old", "-addext",
                               f"subjectAltName={','.join(f'DNS:{host}' for host in hosts)}"], check=True,
                              capture_output=True, text=True).stdout

    def write(self, path, text, name=None, mode=0o644):
        """Root's, or for the group of the customer to read."""
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
        path.chmod(mode)
        if name:
            os.chown(path, 0, self.uid(name))

    def uid(self, name):
        return UID + self.names.index(name)

    def user(self, name, home):
        self.passwd.append(f"{name}:x:{self.uid(name)}:{self.uid(name)}::{home}:/bin/sh\n")
        self.group.append(f"{name}:x:{self.uid(name)}:\n")

    def page(self, folder, name):
        self.write(f"{folder}/index.html", f"{folder} of {name}\n", name)
        os.chown(folder, self.uid(name), self.uid(name))

    def pool(self, version, name, socket, user, extra=""):
        self.write(f"/etc/php/{version}/fpm/pool.d/{name}.conf", f"""[{name}]
listen = {socket}
listen.owner = www-data
listen.mode = 0660
user = {user}
group = {user}
pm = ondemand
pm.max_children = 8
pm.max_requests = 4000
{extra}""")

    @staticmethod
    def suexec():
        """mod_suexec asks for the program when it reads the configuration; nothing runs it."""
        path = pathlib.Path("/usr/lib/apache2/suexec")
        path.write_bytes(b"")
        path.chmod(0o4755)

    def main(self, listen, include):
        self.suexec()
        modules = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in MODULES)
        self.write("/etc/apache2/apache2.conf", MAIN.format(
            modules=modules, listen="\n".join(f"Listen {at}" for at in listen), include=include))

    def done(self):
        for path, lines in (("/etc/passwd", self.passwd), ("/etc/group", self.group)):
            with open(path, "a", encoding="ascii") as file:
                file.writelines(lines)
        print(json.dumps({"owners": self.owners, "unknown": self.unknown, "unknown_tls": self.unknown_tls,
                          "plain": self.plain}))


def hestia(machine):
    """nginx has the ports of visitors; Apache is at 8080 and 8443 of the address, and has first a virtual host that is
    nobody's. Each domain has a pool of its own, and certificates in the home that the customer can't change."""
    machine.main([f"{IP}:8080", f"{IP}:8443"], "IncludeOptional conf.d/*.conf\nIncludeOptional conf.d/domains/*.conf")
    machine.write("/etc/ssl/panel.pem", machine.certificate + machine.key)
    first = "ServerName panel.invalid\n    DocumentRoot /var/www/html\n    Alias /error/ /var/www/document_errors/\n"
    machine.write(f"/etc/apache2/conf.d/{IP}.conf", f"""<VirtualHost {IP}:8080>
    {first}</VirtualHost>
<VirtualHost {IP}:8443>
    {first}    SSLEngine on
    SSLCertificateFile /etc/ssl/panel.pem
</VirtualHost>
""")
    pathlib.Path("/var/www/html").mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(machine.names):
        machine.user(name, f"/home/{name}")
        for domain in [f"{name}.example"] + ([f"shop.{name}.test"] if number % 5 == 0 else []):
            web = f"/home/{name}/web/{domain}"
            conf = f"/home/{name}/conf/web/{domain}"
            aliases = [f"www.{domain}"] + ([f"*.{domain}"] if number % 10 == 0 else [])
            machine.owners.update(dict.fromkeys([domain, *aliases], name))
            machine.page(f"{web}/public_html", name)
            machine.page(f"{web}/cgi-bin", name)
            machine.pool("8.2", domain, f"/run/php/php8.2-fpm-{domain}.sock", name, f"""
php_admin_value[upload_tmp_dir] = /home/{name}/tmp
php_admin_value[open_basedir] = {web}/public_html:/home/{name}/tmp:/tmp:/usr/share/php
php_admin_value[sendmail_path] = /usr/sbin/sendmail -t -i -f info@{domain}
env[TMP] = /home/{name}/tmp
""")
            body = f"""
    ServerName {domain}
    ServerAlias {' '.join(aliases)}
    ServerAdmin info@{domain}
    DocumentRoot {web}/public_html
    ScriptAlias /cgi-bin/ {web}/cgi-bin/
    Alias /vstats/ {web}/stats/
    Alias /error/ {web}/document_errors/
    CustomLog /var/log/old/{domain}.log common
    ErrorLog /var/log/old/{domain}.error.log
    <Directory {web}/stats>
        AllowOverride All
    </Directory>
    <Directory {web}/public_html>
        AllowOverride All
        Options +Includes -Indexes +ExecCGI
        Require all granted
    </Directory>
    <FilesMatch \\.php$>
        SetHandler "proxy:unix:/run/php/php8.2-fpm-{domain}.sock|fcgi://localhost"
    </FilesMatch>
    SetEnvIf Authorization .+ HTTP_AUTHORIZATION=$0
"""
            machine.write(f"{conf}/apache2.conf", f"<VirtualHost {IP}:8080>{body}</VirtualHost>\n", name, 0o640)
            machine.write(f"{conf}/apache2.ssl.conf", f"""<VirtualHost {IP}:8443>{body}    SSLEngine on
    SSLVerifyClient none
    SSLCertificateFile {conf}/ssl/{domain}.pem
    SSLCertificateKeyFile {conf}/ssl/{domain}.key
</VirtualHost>
""", name, 0o640)
            machine.write(f"{conf}/ssl/{domain}.pem", machine.certificate_for([domain, *aliases]), name, 0o640)
            machine.write(f"{conf}/ssl/{domain}.key", machine.key, name, 0o640)
            links = pathlib.Path("/etc/apache2/conf.d/domains")
            links.mkdir(exist_ok=True)
            (links / f"{domain}.conf").symlink_to(f"{conf}/apache2.conf")
            (links / f"{domain}.ssl.conf").symlink_to(f"{conf}/apache2.ssl.conf")


def ispconfig(machine):
    """Users webN below /var/www/clients, where they are at home; a link by the domain; the same virtual host twice, and
    www led to the domain by rewriting. PHP's settings are in the pool."""
    machine.main(["80", "443"], "IncludeOptional sites-enabled/*")
    machine.write("/etc/apache2/sites-enabled/000-default.conf", """<VirtualHost *:80>
    ServerName default.invalid
    DocumentRoot /var/www/html
</VirtualHost>
""")
    pathlib.Path("/var/www/html").mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(machine.names):
        home = f"/var/www/clients/client{number // 3}/web{number}"
        domain = f"{name}.example"
        machine.user(name, home)
        aliases = [f"www.{domain}"] if number % 7 else [f"*.{domain}"]
        machine.owners.update(dict.fromkeys([domain, *aliases], name))
        machine.page(f"{home}/web", name)
        machine.page(f"{home}/cgi-bin", name)
        pathlib.Path(f"/var/www/{domain}").symlink_to(home)
        machine.pool("8.2", f"web{number}", f"/var/lib/php8.2-fpm/web{number}.sock", name, f"""
chdir = /
env[HOSTNAME] = $HOSTNAME
php_admin_value[open_basedir] = {home}/web:{home}/private:{home}/tmp:/var/www/{domain}/web:/srv/www/{domain}/web
php_admin_value[session.save_path] = {home}/tmp
php_admin_value[upload_tmp_dir] = {home}/tmp
php_admin_flag[log_errors] = on
""")
        for end in ("crt", "key"):
            machine.write(f"{home}/ssl/{domain}-le.{end}", machine.certificate if end == "crt" else machine.key, name, 0o640)
        body = f"""
    DocumentRoot /var/www/{domain}/web
    ServerName {domain}
    ServerAlias {' '.join(aliases)}
    ServerAdmin webmaster@{domain}
    ErrorLog /var/log/old/{domain}.log
    Alias /error/ "/var/www/{domain}/web/error/"
    ErrorDocument 404 /error/404.html
    <Directory /var/www/{domain}/web>
        Options +SymlinksIfOwnerMatch
        AllowOverride All
        Require all granted
    </Directory>
    <Directory {home}/web>
        Options +SymlinksIfOwnerMatch
        AllowOverride All
        Require all granted
    </Directory>
    ScriptAlias /cgi-bin/ {home}/cgi-bin/
    <Directory {home}/cgi-bin>
        Require all granted
    </Directory>
    SuexecUserGroup {name} {name}
    <FilesMatch "\\.php[345]?$">
        SetHandler "proxy:unix:/var/lib/php8.2-fpm/web{number}.sock|fcgi://localhost"
    </FilesMatch>
    RewriteEngine on
    RewriteCond %{{HTTP_HOST}} ^www\\.{name}\\.example$ [NC]
    RewriteCond %{{REQUEST_URI}} !^/\\.well-known/acme-challenge/
    RewriteRule ^(.*)$ %{{REQUEST_SCHEME}}://{domain}$1 [R=301,NE,L]
    Alias /.well-known/acme-challenge /usr/share/acme
    <Directory /usr/share/acme>
        Require all granted
    </Directory>
"""
        # Every sixth has no certificate: over TLS, Apache gives these hosts, and unknown ones, to the first that has one.
        machine.plain += [domain, *aliases] if number % 6 == 0 else []
        machine.unknown_tls = machine.names[1]
        tls = f"""<VirtualHost *:443>{body}
    SSLEngine on
    SSLProtocol All -SSLv3
    SSLHonorCipherOrder on
    SSLCertificateFile {home}/ssl/{domain}-le.crt
    SSLCertificateKeyFile {home}/ssl/{domain}-le.key
    SSLUseStapling off
    Header always add Strict-Transport-Security "max-age=15768000"
</VirtualHost>
""" if number % 6 else ""
        machine.write(f"/etc/apache2/sites-enabled/100-{domain}.vhost", f"<VirtualHost *:80>{body}</VirtualHost>\n{tls}")


def froxlor(machine):
    """A file for each address and port, whose virtual host comes first and is nobody's; numbered files for domains; plain
    HTTP leads to HTTPS by rewriting; pages below /var/customers/webs."""
    machine.main(["80", "443"], "IncludeOptional sites-enabled/*.conf")
    machine.write("/etc/ssl/froxlor/panel.pem", machine.certificate)
    machine.write("/etc/ssl/froxlor/panel.key", machine.key, mode=0o600)
    pathlib.Path("/var/www/html/froxlor").mkdir(parents=True, exist_ok=True)
    machine.write("/etc/apache2/sites-enabled/05_froxlor_dirfix_nofcgid.conf", """<Directory "/var/customers/webs/">
    Require all granted
    AllowOverride All
</Directory>
""")
    for port in (80, 443):
        tls = "" if port == 80 else """    SSLEngine On
    SSLCertificateFile /etc/ssl/froxlor/panel.pem
    SSLCertificateKeyFile /etc/ssl/froxlor/panel.key
"""
        machine.write(f"/etc/apache2/sites-enabled/10_froxlor_ipandport_{IP}.{port}.conf", f"""<VirtualHost {IP}:{port}>
    DocumentRoot "/var/www/html/froxlor"
    ServerName panel.invalid
{tls}</VirtualHost>
""")
    for number, name in enumerate(machine.names):
        home, domain = f"/var/customers/webs/{name}", f"{name}.example"
        machine.user(name, home)
        machine.page(f"{home}/{domain}", name)
        aliases = [f"www.{domain}"] + ([f"*.{domain}"] if number % 4 == 0 else [])
        machine.owners.update(dict.fromkeys([domain, *aliases], name))
        socket = f"/var/lib/apache2/fastcgi/1-{name}-{domain}-php-fpm.socket"
        machine.pool("8.2", domain, socket, name, f"""
php_admin_value[open_basedir] = "{home}:/var/customers/tmp/{name}:/usr/share/php:/tmp"
php_value[memory_limit] = 128M
php_admin_flag[file_uploads] = 1
""")
        machine.write(f"/etc/ssl/froxlor/{domain}.crt", machine.certificate)
        machine.write(f"/etc/ssl/froxlor/{domain}.key", machine.key, mode=0o600)
        machine.write(f"/etc/ssl/froxlor/{domain}_CA.pem", machine.certificate)
        names = f"    ServerName {domain}\n    ServerAlias {' '.join(aliases)}\n    ServerAdmin root@{domain}\n"
        body = f"""    DocumentRoot "{home}/{domain}"
    <Directory "{home}/{domain}/">
        <FilesMatch \\.(php)$>
            <If "-f %{{SCRIPT_FILENAME}}">
                SetHandler proxy:unix:{socket}|fcgi://localhost
            </If>
        </FilesMatch>
        CGIPassAuth On
        Require all granted
        AllowOverride All
    </Directory>
    LogLevel warn
    ErrorLog "/var/log/old/{name}-error.log"
    CustomLog "/var/log/old/{name}-access.log" common
"""
        redirect = """    <IfModule mod_rewrite.c>
        RewriteEngine On
        RewriteCond %{HTTPS} off
        RewriteRule (.*) https://%{HTTP_HOST}%{REQUEST_URI} [R=301,L,NE]
    </IfModule>
"""
        machine.write(f"/etc/apache2/sites-enabled/35_froxlor_normal_vhost_{domain}.conf",
                      f"<VirtualHost {IP}:80>\n{names}{redirect if number % 2 else body}</VirtualHost>\n")
        machine.write(f"/etc/apache2/sites-enabled/35_froxlor_ssl_vhost_{domain}.conf", f"""<VirtualHost {IP}:443>
{names}    SSLEngine On
    SSLCertificateFile /etc/ssl/froxlor/{domain}.crt
    SSLCertificateKeyFile /etc/ssl/froxlor/{domain}.key
    SSLCACertificateFile /etc/ssl/froxlor/{domain}_CA.pem
{body}</VirtualHost>
""")


def virtualmin(machine):
    """Users by number, everything in the home, certificates too, which are the customer's own; a default site that is a
    customer's, as it comes first; names of mail and administration beside those of the site."""
    machine.main(["80", "443"], "IncludeOptional sites-enabled/*.conf")
    machine.unknown = machine.unknown_tls = machine.names[0]
    for number, name in enumerate(machine.names):
        home, domain = f"/home/{name}", f"{name}.example"
        machine.user(name, home)
        machine.page(f"{home}/public_html", name)
        machine.page(f"{home}/cgi-bin", name)
        aliases = [f"{part}.{domain}" for part in ("www", "mail", "webmail", "admin")]
        machine.owners.update(dict.fromkeys([domain, *aliases], name))
        machine.pool("8.2", f"{number}16", f"/run/php/{number}16.sock", name, f"""
php_value[upload_tmp_dir] = {home}/tmp
php_value[session.save_path] = {home}/tmp
php_value[error_log] = {home}/logs/php_log
""")
        for end, text in (("cert", machine.certificate), ("key", machine.key), ("combined", machine.certificate)):
            machine.write(f"{home}/ssl.{end}", text, mode=0o600)
            os.chown(f"{home}/ssl.{end}", machine.uid(name), machine.uid(name))
        os.chown(home, machine.uid(name), machine.uid(name))
        body = f"""
    SuexecUserGroup "#{machine.uid(name)}" "#{machine.uid(name)}"
    ServerName {domain}
    ServerAlias {aliases[0]}
    ServerAlias {' '.join(aliases[1:])}
    DocumentRoot {home}/public_html
    ErrorLog /var/log/old/{domain}_error_log
    CustomLog /var/log/old/{domain}_access_log common
    ScriptAlias /cgi-bin/ {home}/cgi-bin/
    DirectoryIndex index.php index.htm index.html
    <Directory {home}/public_html>
        Options -Indexes +IncludesNOEXEC +SymLinksIfOwnerMatch +ExecCGI
        Require all granted
        AllowOverride All Options=ExecCGI,Includes,IncludesNOEXEC,Indexes,MultiViews,SymLinksIfOwnerMatch
    </Directory>
    <Directory {home}/cgi-bin>
        Require all granted
        AllowOverride All Options=ExecCGI,Includes,IncludesNOEXEC,Indexes,MultiViews,SymLinksIfOwnerMatch
    </Directory>
    ProxyPass /.well-known !
    RewriteEngine on
    RewriteCond %{{HTTP_HOST}} =webmail.{domain}
    RewriteRule ^(?!/.well-known)(.*) https://{domain}:20000/ [R]
    RewriteCond %{{HTTP_HOST}} =admin.{domain}
    RewriteRule ^(?!/.well-known)(.*) https://{domain}:10000/ [R]
    <FilesMatch \\.php$>
        SetHandler proxy:unix:/run/php/{number}16.sock|fcgi://127.0.0.1
    </FilesMatch>
"""
        machine.write(f"/etc/apache2/sites-enabled/{domain}.conf", f"""<VirtualHost {IP}:80>{body}</VirtualHost>
<VirtualHost {IP}:443>{body}
    SSLEngine on
    SSLCertificateFile {home}/ssl.cert
    SSLCertificateKeyFile {home}/ssl.key
    SSLProtocol all -SSLv2 -SSLv3 -TLSv1 -TLSv1.1
    SSLCACertificateFile {home}/ssl.combined
</VirtualHost>
""")


PANELS = {panel.__name__: panel for panel in (hestia, ispconfig, froxlor, virtualmin)}


def main():
    machine = Machine(int(sys.argv[2]))
    PANELS[sys.argv[1]](machine)
    machine.done()


if __name__ == "__main__":
    main()
