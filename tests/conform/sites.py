# SPDX-License-Identifier: MIT
"""Folders as applications, frameworks and hosters' panels lay them out, and what clients ask of them.

The .htaccess files follow the structure of those that the applications ship, in words of our own.
"""

import dataclasses
import gzip

PHP_SAYS = """<?php
header('Content-Type: text/plain');
foreach (['REQUEST_METHOD', 'REQUEST_URI', 'QUERY_STRING', 'SCRIPT_NAME', 'PATH_INFO', 'REDIRECT_STATUS', 'REDIRECT_URL',
          'PHP_SELF', 'CONTENT_TYPE', 'CONTENT_LENGTH', 'HTTP_X_CUSTOM', 'HTTPS', 'AUTH_TYPE', 'REMOTE_USER',
          'PHP_AUTH_USER'] as $key)
    echo $key, '=', $_SERVER[$key] ?? '-', "\\n";
echo json_encode($_GET), json_encode($_POST), strlen(file_get_contents('php://input')), "\\n";
"""
SECRET = "<?php $password = 'hunter2'; echo 'configured';\n"
CGI = "#!/bin/sh\necho 'Content-Type: text/plain'\necho\necho \"$REQUEST_METHOD $QUERY_STRING ${PATH_INFO:--}\"\n"


@dataclasses.dataclass(frozen=True)
class Link:
    to: str


@dataclasses.dataclass(frozen=True)
class Request:
    target: str
    method: str = "GET"
    headers: tuple = ()
    body: str = ""

    @property
    def name(self):
        extra = "".join(f" {name}: {value}" for name, value in self.headers)
        return f"{self.method} {self.target}{extra}{' +' + str(len(self.body)) if self.body else ''}"

    def words(self, site):
        return [self.method, f"/{site}{self.target}", dict(self.headers), self.body]


@dataclasses.dataclass(frozen=True)
class Site:
    name: str
    files: dict
    requests: list


SITES = []


def make_site(name, files, *targets):
    """files: path to text, or (text, mode). targets: texts for GET, or Requests."""
    return Site(name, {path: value if isinstance(value, tuple) else (value, 0o644) for path, value in files.items()},
                [Request(target) if isinstance(target, str) else target for target in targets])


def site(*words):
    SITES.append(make_site(*words))


def get(target, **headers):
    return Request(target, headers=tuple((name.replace("_", "-"), value) for name, value in headers.items()))


def head(target):
    return Request(target, "HEAD")


def post(target, body, kind="application/x-www-form-urlencoded"):
    return Request(target, "POST", (("Content-Type", kind),), body)


site("wordpress", {
    ".htaccess": """
# BEGIN WordPress
<IfModule mod_rewrite.c>
RewriteEngine On
RewriteRule .* - [E=HTTP_AUTHORIZATION:%{HTTP:Authorization}]
RewriteBase /wordpress/
RewriteRule ^index\\.php$ - [L]
RewriteCond %{REQUEST_FILENAME} !-f
RewriteCond %{REQUEST_FILENAME} !-d
RewriteRule . /wordpress/index.php [L]
</IfModule>
# END WordPress
""",
    "index.php": PHP_SAYS, "wp-login.php": PHP_SAYS, "wp-config.php": SECRET, "readme.html": "<p>readme</p>",
    "wp-content/index.php": "<?php // Silence is golden.\n", "wp-content/uploads/a.txt": "upload\n",
    "wp-content/uploads/photo.jpg": b"\xff\xd8\xff\xe0JFIF", "wp-includes/style.css": "p { color: red }\n",
    "wp-includes/app.js": "alert(1);\n", "wp-admin/index.php": PHP_SAYS, "wp-admin/.htaccess": "",
    "wp-content/plugins/plain/readme.txt": "plugin\n", "xmlrpc.php": PHP_SAYS,
}, "/", "/index.php", "/hello-world/", "/2024/05/post?x=1", "/wp-login.php", "/wp-config.php", "/readme.html",
     "/wp-content/", "/wp-content/uploads/", "/wp-content/uploads/a.txt", "/wp-content/uploads/photo.jpg",
     "/wp-includes/style.css", "/wp-includes/app.js", "/wp-admin", "/wp-admin/", "/feed/", "/wp-json/wp/v2/posts",
     "/index.php/2024/pathinfo", "/.htaccess", "/wp-content/plugins/", "/wp-content/plugins/plain/readme.txt",
     "/nothing.php", "/wp-content/nothing.png", "/%E4%B8%AD", "/a%20b", "/a+b?c=d%26e", head("/"),
     post("/wp-login.php", "log=a&pwd=b"), post("/xmlrpc.php", "<x/>", "text/xml"), post("/hello", "a=1"),
     get("/wp-json/", Authorization="Basic YTpi"), get("/", X_Custom="1"), Request("/", "OPTIONS"),
     Request("/wp-content/uploads/a.txt", "OPTIONS"), Request("/wp-content/uploads/a.txt", "DELETE"),
     Request("/thing", "PUT", (), "data"), Request("/thing", "PATCH", (), "data"), "/?p=1", "/index.php?p=1",
     "/wp-content/uploads/a.txt?ver=6", "//wp-login.php", "/./readme.html", "/wp-content/../readme.html")

site("drupal", {
    ".htaccess": """
<FilesMatch "\\.(engine|inc|install|make|module|profile|po|sh|.*sql|theme|twig|tpl(\\.php)?|xtmpl|yml)(~|\\.sw[op]|\\.bak|\\.orig|\\.save)?$|^(\\.(?!well-known).*|Entries.*|Repository|Root|Tag|Template|composer\\.(json|lock)|web\\.config|yarn\\.lock|package\\.json)$|^#.*#$|\\.php(~|\\.sw[op]|\\.bak|\\.orig|\\.save)$">
  <IfModule mod_authz_core.c>
    Require all denied
  </IfModule>
  <IfModule !mod_authz_core.c>
    Order allow,deny
  </IfModule>
</FilesMatch>
Options -Indexes
DirectoryIndex index.php index.html index.htm
AddType image/svg+xml svg svgz
AddEncoding gzip svgz
<IfModule mod_expires.c>
  ExpiresActive On
  ExpiresDefault A1209600
  <FilesMatch \\.php$>
    ExpiresActive Off
  </FilesMatch>
</IfModule>
<IfModule mod_fcgid.c>
  FileETag MTime Size
</IfModule>
<IfModule mod_rewrite.c>
  RewriteEngine on
  RewriteRule ^ - [E=protossl]
  RewriteCond %{HTTPS} on
  RewriteRule ^ - [E=protossl:s]
  RewriteRule "/\\.|^\\.(?!well-known/)" - [F]
  RewriteBase /drupal
  RewriteCond %{REQUEST_URI} ^(.*)?/(install\\.php) [OR]
  RewriteCond %{REQUEST_URI} ^(.*)?/(rebuild\\.php)
  RewriteCond %{REQUEST_URI} !core
  RewriteRule ^ %1/core/%2 [L,QSA,R=301]
  RewriteCond %{REQUEST_FILENAME} !-f
  RewriteCond %{REQUEST_FILENAME} !-d
  RewriteCond %{REQUEST_URI} !=/favicon.ico
  RewriteRule ^ index.php [L]
  RewriteCond %{REQUEST_URI} !/core/modules/system/tests/https\\.php$
  RewriteRule "^(.+/.*|autoload)\\.php($|/)" - [F]
  <IfModule mod_headers.c>
    RewriteCond %{HTTP:Accept-encoding} gzip
    RewriteCond %{REQUEST_FILENAME}\\.gz -s
    RewriteRule ^(.*css_[a-zA-Z0-9-_]+)\\.css$ $1\\.css\\.gz [QSA]
    RewriteRule \\.css\\.gz$ - [T=text/css,E=no-gzip:1,E=no-brotli:1]
    <FilesMatch "(\\.js\\.gz|\\.css\\.gz)$">
      Header set Content-Encoding gzip
      Header append Vary Accept-Encoding
    </FilesMatch>
  </IfModule>
</IfModule>
<IfModule mod_headers.c>
  Header always set X-Content-Type-Options nosniff
  RequestHeader unset Proxy early
</IfModule>
""",
    "index.php": PHP_SAYS, "autoload.php": "<?php\n", "core/install.php": PHP_SAYS, "core/lib/x.php": PHP_SAYS,
    "sites/default/settings.php": SECRET, "composer.json": "{}", "web.config": "<x/>", "core/core.services.yml": "a: b",
    "themes/t.twig": "{{ x }}", "sites/default/files/css_abc-1.css": "p{}",
    "sites/default/files/css_abc-1.css.gz": gzip.compress(b"p{}", mtime=0), "logo.svg": "<svg/>",
    "sites/default/files/logo.svgz": gzip.compress(b"<svg/>", mtime=0), "robots.txt": "User-agent: *\n",
    ".well-known/a.txt": "known\n", ".git/config": "[core]\n", "index.php.bak": SECRET, "x.module": SECRET,
}, "/", "/node/1", "/install.php", "/core/install.php", "/core/lib/x.php", "/autoload.php", "/autoload.php/x",
     "/sites/default/settings.php", "/composer.json", "/web.config", "/core/core.services.yml", "/themes/t.twig",
     "/sites/default/files/css_abc-1.css", get("/sites/default/files/css_abc-1.css", Accept_Encoding="gzip"),
     "/logo.svg", "/sites/default/files/logo.svgz", "/robots.txt", "/.well-known/a.txt", "/.well-known/none",
     "/.git/config", "/index.php.bak", "/x.module", "/core/", "/sites", "/favicon.ico", "/user/login?destination=/a")

site("joomla", {
    ".htaccess": """
Options +FollowSymlinks
Options -Indexes
<IfModule mod_autoindex.c>
  IndexIgnore *
</IfModule>
<IfModule mod_headers.c>
  Header always set X-Content-Type-Options "nosniff"
</IfModule>
RewriteEngine On
RewriteCond %{QUERY_STRING} base64_encode[^(]*\\([^)]*\\) [OR]
RewriteCond %{QUERY_STRING} (<|%3C)([^s]*s)+cript.*(>|%3E) [NC,OR]
RewriteCond %{QUERY_STRING} GLOBALS(=|\\[|\\%[0-9A-Z]{0,2}) [OR]
RewriteCond %{QUERY_STRING} _REQUEST(=|\\[|\\%[0-9A-Z]{0,2})
RewriteRule .* index.php [F]
RewriteRule .* - [E=HTTP_AUTHORIZATION:%{HTTP:Authorization}]
RewriteCond %{REQUEST_URI} ^/joomla/api/
RewriteCond %{REQUEST_FILENAME} !-f
RewriteRule .* api/index.php [L]
RewriteCond %{REQUEST_URI} !^/joomla/index\\.php
RewriteCond %{REQUEST_FILENAME} !-f
RewriteCond %{REQUEST_FILENAME} !-d
RewriteRule .* index.php [L]
""",
    "index.php": PHP_SAYS, "api/index.php": PHP_SAYS, "administrator/index.php": PHP_SAYS, "images/a.png": b"\x89PNG",
    "configuration.php": SECRET, "images/index.html": "<html></html>", "media/x.txt": "x",
}, "/", "/blog/1-first", "/api/v1/x", "/?x=base64_encode(1)", "/?q=%3Cscript%3E", "/?GLOBALS=1", "/administrator/",
     "/administrator", "/images/", "/media/", "/images/a.png", "/configuration.php", "/index.php/blog", "/x.html?a=b")

site("laravel", {
    ".htaccess": "RewriteEngine On\nRewriteRule ^(.*)$ public/$1 [L]\n",
    "public/.htaccess": """
<IfModule mod_rewrite.c>
    <IfModule mod_negotiation.c>
        Options -MultiViews -Indexes
    </IfModule>
    RewriteEngine On
    RewriteCond %{HTTP:Authorization} .
    RewriteRule .* - [E=HTTP_AUTHORIZATION:%{HTTP:Authorization}]
    RewriteCond %{HTTP:x-xsrf-token} .
    RewriteRule .* - [E=HTTP_X_XSRF_TOKEN:%{HTTP:X-XSRF-Token}]
    RewriteCond %{REQUEST_FILENAME} !-d
    RewriteCond %{REQUEST_URI} (.+)/$
    RewriteRule ^ %1 [L,R=301]
    RewriteCond %{REQUEST_FILENAME} !-d
    RewriteCond %{REQUEST_FILENAME} !-f
    RewriteRule ^ index.php [L]
</IfModule>
""",
    "public/index.php": PHP_SAYS, "public/css/app.css": "p{}", ".env": "SECRET=1", "artisan": "#!/usr/bin/env php\n",
    "public/favicon.ico": b"\0\0\1\0", "app/Http/Kernel.php": SECRET, "storage/logs/laravel.log": "log\n",
    "public/storage": Link("../storage"), "public/robots.txt": "User-agent: *\n",
}, "/", "/users", "/users/", "/users/7?x=y", "/css/app.css", "/css/", "/css", "/.env", "/artisan", "/favicon.ico",
     "/app/Http/Kernel.php", "/public/", "/public/users/", "/robots.txt", post("/login", "a=b"),
     Request("/users/7", "DELETE"), Request("/users/7", "PUT", (("Content-Type", "application/json"),), "{}"),
     get("/api", Authorization="Bearer x", X_XSRF_Token="t"))

site("nextcloud", {
    ".htaccess": """
<IfModule mod_headers.c>
  <IfModule mod_setenvif.c>
    <IfModule mod_fcgid.c>
       SetEnvIfNoCase ^Authorization$ "(.+)" XAUTHORIZATION=$1
       RequestHeader set XAuthorization %{XAUTHORIZATION}e env=XAUTHORIZATION
    </IfModule>
    <IfModule mod_proxy_fcgi.c>
       SetEnvIfNoCase Authorization "(.+)" HTTP_AUTHORIZATION=$1
    </IfModule>
  </IfModule>
  <IfModule mod_env.c>
    Header onsuccess unset Referrer-Policy
    Header always set Referrer-Policy "no-referrer"
    Header onsuccess unset X-Frame-Options
    Header always set X-Frame-Options "SAMEORIGIN"
    SetEnv modHeadersAvailable true
  </IfModule>
  <FilesMatch "\\.(css|js|mjs|svg|gif|png|jpg|webp|ico|wasm|tflite)$">
    <If "%{QUERY_STRING} =~ /(^|&)v=/">
      Header set Cache-Control "max-age=15778463, immutable"
    </If>
    <Else>
      Header set Cache-Control "max-age=15778463"
    </Else>
  </FilesMatch>
</IfModule>
<IfModule mod_mime.c>
  AddType image/svg+xml svg svgz
  AddType application/wasm wasm
  AddEncoding gzip svgz
  AddType text/javascript js mjs
</IfModule>
<IfModule mod_dir.c>
  DirectoryIndex index.php index.html
</IfModule>
<IfModule pagespeed_module>
  ModPagespeed Off
</IfModule>
AddDefaultCharset utf-8
Options -Indexes
<IfModule mod_rewrite.c>
  RewriteEngine on
  RewriteCond %{HTTP_USER_AGENT} DavClnt
  RewriteRule ^$ /remote.php/webdav/ [L,R=302]
  RewriteRule .* - [env=HTTP_AUTHORIZATION:%{HTTP:Authorization}]
  RewriteRule ^\\.well-known/carddav /nextcloud/remote.php/dav/ [R=301,L]
  RewriteRule ^\\.well-known/caldav /nextcloud/remote.php/dav/ [R=301,L]
  RewriteRule ^remote/(.*) remote.php [QSA,L]
  RewriteRule ^(?:build|tests|config|lib|3rdparty|templates)/.* - [R=404,L]
  RewriteRule ^(?:\\.(?!well-known)|autotest|occ|issue|indie|db_|console).* - [R=404,L]
</IfModule>
ErrorDocument 403 /nextcloud/
ErrorDocument 404 /nextcloud/
""",
    "index.php": PHP_SAYS, "remote.php": PHP_SAYS, "status.php": PHP_SAYS, "config/config.php": SECRET,
    "config/.htaccess": "Require all denied\n", "core/a.mjs": "export const x = 1;\n", "core/b.wasm": b"\0asm",
    "core/c.svg": "<svg/>", "occ": "#!/usr/bin/env php\n", "data/.htaccess": "Require all denied\n", "data/x": "data",
    "data/.user.ini": "memory_limit=1M\n", ".user.ini": "memory_limit=512M\n", "lib/x.txt": "x",
}, "/", "/index.php/apps/files", "/remote.php/dav/", "/.well-known/carddav", "/.well-known/caldav",
     "/remote/webdav", "/config/config.php", "/lib/x.txt", "/occ", "/data/x", "/core/a.mjs", "/core/a.mjs?v=1",
     "/core/b.wasm", "/core/c.svg", "/core/", "/nothing", "/.user.ini", get("/", User_Agent="Microsoft-DavClnt"),
     Request("/remote.php/dav/files/a", "PROPFIND", (("Depth", "1"),)), Request("/remote.php/dav/x", "MKCOL"),
     Request("/remote.php/dav/x", "PUT", (), "file"), Request("/remote.php/dav/x", "REPORT", (), "<x/>"),
     Request("/remote.php/dav/x", "PUT", (("Transfer-Encoding", "chunked"),), "4\r\nfile\r\n0\r\n\r\n"),
     get("/status.php", Authorization="Basic YTpi"))

site("mediawiki", {
    ".htaccess": "RewriteEngine On\nRewriteRule ^wiki/(.*)$ index.php?title=$1 [PT,L,QSA]\n"
                 "RewriteRule ^wiki/?$ index.php [L]\n",
    "index.php": PHP_SAYS, "load.php": PHP_SAYS, "api.php": PHP_SAYS, "LocalSettings.php": SECRET,
    "images/.htaccess": "<IfModule mod_rewrite.c>\nRewriteEngine On\nRewriteOptions inherit\n"
                        "RewriteCond %{QUERY_STRING} \\.[^\\\\/:*?\\x22<>|%]+(#|\\?|$) [nocase]\nRewriteRule . - [forbidden]\n"
                        "</IfModule>\n<IfModule mod_headers.c>\nHeader set X-Content-Type-Options nosniff\n</IfModule>\n",
    "images/a/ab/A.png": b"\x89PNG", "cache/.htaccess": "Require all denied\n", "cache/x": "x",
    "includes/.htaccess": "Require all denied\n", "includes/x.php": SECRET, "extensions/x.php5": SECRET,
    "maintenance/x.sql": "select 1", "docs/RELEASE-NOTES-1.39": "notes\n", "docs/UPGRADE": "upgrade\n",
}, "/", "/wiki/Main_Page", "/wiki/Talk:A%2FB?action=edit", "/wiki/", "/wiki", "/index.php?title=X", "/load.php?a=b",
     "/api.php?action=query&format=json", "/images/a/ab/A.png", "/images/a/ab/A.png?x.html", "/images/", "/cache/x",
     "/includes/x.php", "/extensions/x.php5", "/maintenance/x.sql", "/docs/RELEASE-NOTES-1.39", "/docs/UPGRADE",
     "/wiki/C%2B%2B", "/wiki/%C3%84rger")

site("typo3", {
    ".htaccess": """
<IfModule mod_filter.c>
  <IfModule mod_deflate.c>
    SetOutputFilter DEFLATE
    BrowserMatch ^Mozilla/4 gzip-only-text/html
    <FilesMatch "\\.(?:gif|jpe?g|png)$">
      SetEnv no-gzip
    </FilesMatch>
  </IfModule>
</IfModule>
FileETag MTime Size
AddType "text/html; charset=UTF-8" html htm
<FilesMatch "\\.(cur|gif|ico|jpe?g|png|svgz?|webp)$">
  <IfModule mod_headers.c>
    Header append Cache-Control "public"
  </IfModule>
</FilesMatch>
<FilesMatch "(?i)(^#.*#|\\.(?:bak|conf(?:ig)?|dist|fla|in[ci]|log|orig|psd|sh|sql|sw[op])|~)$">
  Require all denied
</FilesMatch>
<FilesMatch "(?i)(?:composer\\.(?:json|lock)|ext_conf_template\\.txt|flexform[^.]*\\.xml)$">
  Require all denied
</FilesMatch>
RedirectMatch 403 "(?i)/(?:fileadmin/templates/.*\\.ts|private/)"
<IfModule mod_rewrite.c>
  RewriteEngine On
  RewriteCond %{ENV:REDIRECT_STATUS} ^$
  RewriteRule .* - [E=X:1]
  RewriteCond %{REQUEST_FILENAME} !-f
  RewriteCond %{REQUEST_FILENAME} !-d
  RewriteRule ^(.+)\\.(\\d+)\\.(php|js|css|png|jpg|gif|gzip)$ %{ENV:CWD}$1.$3 [L]
  RewriteRule ^fileadmin/(.*/)?_recycler_/ - [F]
  RewriteRule ^typo3$ typo3/ [L,R=301]
  RewriteRule ^(?:fileadmin/|typo3conf/|uploads/) - [L]
  RewriteCond %{REQUEST_FILENAME} !-f
  RewriteCond %{REQUEST_FILENAME} !-d
  RewriteCond %{REQUEST_FILENAME} !-l
  RewriteRule ^.*$ index.php [QSA,L]
</IfModule>
""",
    "index.php": PHP_SAYS, "typo3/index.php": PHP_SAYS, "fileadmin/_recycler_/x.txt": "x", "fileadmin/a.css": "p{}\n" * 99,
    "fileadmin/page.html": "<p>page</p>\n" * 99, "fileadmin/photo.png": b"\x89PNG", "x.sql": "select", "app.log": "l",
    "private/x.txt": "x", "fileadmin/templates/x.ts": "t", "composer.json": "{}", "file.txt~": "old",
}, "/", "/a/b", "/typo3", "/typo3/", "/fileadmin/_recycler_/x.txt", "/fileadmin/a.css", "/fileadmin/a.1234.css",
     "/fileadmin/page.html", get("/fileadmin/page.html", Accept_Encoding="gzip"), "/fileadmin/photo.png", "/x.sql",
     get("/fileadmin/a.css", Accept_Encoding="gzip, br"), "/app.log", "/private/x.txt", "/fileadmin/templates/x.ts",
     "/composer.json", "/file.txt~", "/fileadmin/", "/fileadmin/missing.png", get("/", Accept_Encoding="gzip"))

site("magento", {
    ".htaccess": """
DirectoryIndex index.php
<IfModule mod_php.c>
    php_value memory_limit 756M
    php_flag session.auto_start off
</IfModule>
<IfModule mod_security.c>
    SecFilterEngine Off
</IfModule>
<IfModule mod_ssl.c>
    SSLOptions StdEnvVars
</IfModule>
<IfModule mod_rewrite.c>
    Options +FollowSymLinks
    RewriteEngine on
    RewriteRule .* - [E=HTTP_AUTHORIZATION:%{HTTP:Authorization}]
    RewriteCond %{REQUEST_METHOD} ^TRAC[EK]
    RewriteRule .* - [L,R=405]
    RewriteCond %{REQUEST_URI} !^/magento/pub/(media|js)/
    RewriteCond %{REQUEST_FILENAME} !-f
    RewriteCond %{REQUEST_FILENAME} !-d
    RewriteCond %{REQUEST_FILENAME} !-l
    RewriteRule .* index.php [L]
</IfModule>
AddDefaultCharset Off
<IfModule mod_expires.c>
    ExpiresDefault "access plus 1 year"
    ExpiresByType text/html A0
    ExpiresByType text/plain A0
</IfModule>
<Files composer.lock>
    <IfVersion < 2.4>
        order allow,deny
        deny from all
    </IfVersion>
    <IfVersion >= 2.4>
        Require all denied
    </IfVersion>
</Files>
ErrorDocument 404 /magento/errors/404.php
ErrorDocument 403 /magento/errors/404.php
<IfModule mod_headers.c>
    Header set X-UA-Compatible "IE=edge"
    <FilesMatch "\\.(appcache|atom|css|js)$">
        Header unset X-UA-Compatible
    </FilesMatch>
</IfModule>
""",
    "index.php": PHP_SAYS, "errors/404.php": "<?php http_response_code(404); echo 'nothing here';",
    "composer.lock": "{}", "pub/js/a.js": "alert(1);\n", "pub/media/x.gif": b"GIF89a",
}, "/", "/catalog/product/view/id/1", "/pub/js/a.js", "/pub/js/none.js", "/pub/media/x.gif", "/composer.lock",
     Request("/", "TRACE"), Request("/", "TRACK"), "/checkout/cart/?a=1&b[]=2", "/errors/404.php")

# ---- hosters' panels ----

site("php-handlers", {
    "cpanel/.htaccess": "<IfModule mime_module>\n  AddHandler application/x-httpd-ea-php82 .php .php8 .phtml\n</IfModule>\n",
    "cpanel/index.php": PHP_SAYS, "cpanel/wp-config.php": SECRET, "cpanel/x.phtml": SECRET,
    "plesk/.htaccess": "AddHandler x-httpd-php5-3 .php\n", "plesk/wp-config.php": SECRET,
    "strato/.htaccess": "AddType application/x-httpd-php7 .php\nAddHandler application/x-httpd-php7 .php .html\n",
    "strato/wp-config.php": SECRET, "strato/x.html": "<?php echo 1;",
    "type/.htaccess": "AddType application/x-httpd-php .php .inc\n", "type/wp-config.php": SECRET, "type/x.inc": SECRET,
    "set/.htaccess": "<FilesMatch \"\\.php$\">\nSetHandler application/x-httpd-alt-php81___lsphp\n</FilesMatch>\n",
    "set/wp-config.php": SECRET,
    "remove/.htaccess": "RemoveHandler .php\nRemoveType .php\n", "remove/wp-config.php": SECRET,
    "default/.htaccess": "<Files *.php>\nSetHandler default-handler\n</Files>\n", "default/wp-config.php": SECRET,
    "forced/.htaccess": "<Files *.php>\nForceType text/plain\n</Files>\n", "forced/wp-config.php": SECRET,
    "action/.htaccess": "AddHandler php-script .php\nAction php-script /cgi-bin/php.fcgi\n", "action/wp-config.php": SECRET,
    "mapp/.htaccess": "AddHandler x-mapp-php5 .php .html\n", "mapp/x.html": SECRET, "mapp/wp-config.php": SECRET,
    "custom/.htaccess": "AddType application/x-custom-php .inc\n", "custom/x.inc": SECRET,
    "fcgid/.htaccess": "AddHandler fcgid-script .php .html\n", "fcgid/x.html": SECRET, "fcgid/wp-config.php": SECRET,
    "nowhere/.htaccess": "<Files *.php>\nSetHandler proxy:nowhere\n</Files>\n", "nowhere/wp-config.php": SECRET,
    "listing/.htaccess": "Options +Indexes\nAddType text/plain .php\nHeaderName wp-config.php\nReadmeName wp-config.php\n",
    "listing/wp-config.php": SECRET,
    "plain/a.phtml": SECRET, "plain/a.php5": SECRET, "plain/a.php7": SECRET, "plain/a.php8": SECRET, "plain/a.pht": SECRET,
    "plain/a.phps": SECRET, "plain/a.phar": SECRET, "plain/a.PHP": SECRET, "plain/a.php.txt": SECRET,
    "plain/a.php.bak": SECRET, "plain/a.inc": SECRET, "plain/a.php.": SECRET, "plain/.php": SECRET, "plain/a.php~": SECRET,
}, "/cpanel/", "/cpanel/wp-config.php", "/cpanel/x.phtml", "/plesk/wp-config.php", "/strato/wp-config.php",
     "/strato/x.html", "/type/wp-config.php", "/type/x.inc", "/set/wp-config.php", "/remove/wp-config.php",
     "/default/wp-config.php", "/mapp/x.html", "/mapp/wp-config.php", "/custom/x.inc", "/fcgid/x.html", "/fcgid/wp-config.php",
     post("/fcgid/x.html", "a=b"), "/nowhere/wp-config.php", "/listing/", "/forced/wp-config.php", "/action/wp-config.php", "/plain/a.phtml", "/plain/a.php5",
     "/plain/a.php7", "/plain/a.php8", "/plain/a.pht", "/plain/a.phps", "/plain/a.phar", "/plain/a.PHP",
     "/plain/a.php.txt", "/plain/a.php.bak", "/plain/a.inc", "/plain/a.php.", "/plain/.php", "/plain/a.php~",
     "/plain/a.php/extra", "/plain/none.php", "/plain/none.php/extra")

site("panel", {
    ".htaccess": "ErrorDocument 404 /panel/error_docs/not_found.html\nErrorDocument 403 \"no entry\"\n"
                 "ErrorDocument 410 https://other.example/gone\n"
                 "Redirect permanent /panel/old https://new.example/place\nRedirect gone /panel/gone\n"
                 "RedirectMatch 302 ^/panel/cat/(.*)$ /panel/dog/$1\nRedirect 303 /panel/see /panel/x.html\n",
    "error_docs/not_found.html": "<h1>our own 404</h1>", "x.html": "<p>x</p>",
    "secret/.htaccess": "AuthType Basic\nAuthName \"Members only\"\nAuthUserFile /srv/www/site/panel/.htpasswd\n"
                        "Require valid-user\n",
    "secret/page.html": "members", "secret/page.php": PHP_SAYS,
    ".htpasswd": "anna:$apr1$abcdefgh$8d5lI9/tOGPCmUIBcXRMN/\nbert:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n",
    "deny/.htaccess": "Order deny,allow\nDeny from all\nAllow from 192.0.2.1\n", "deny/x": "x",
    "allow/.htaccess": "Order allow,deny\nAllow from all\nDeny from 192.0.2.1\n", "allow/x": "x",
    "local/.htaccess": "Require ip 127.0.0.1\n", "local/x": "x",
    "any/.htaccess": "<RequireAny>\nRequire ip 192.0.2.0/24\nRequire method GET HEAD\n</RequireAny>\n", "any/x": "x",
    "all/.htaccess": "<RequireAll>\nRequire all granted\nRequire not ip 127.0.0.1\n</RequireAll>\n", "all/x": "x",
    "agent/.htaccess": "SetEnvIfNoCase User-Agent badbot bad\nOrder allow,deny\nAllow from all\nDeny from env=bad\n",
    "agent/x": "x",
    "expr/.htaccess": "Require expr %{HTTP_USER_AGENT} != 'evil'\n", "expr/x": "x",
    "limit/.htaccess": "<LimitExcept GET HEAD>\nRequire all denied\n</LimitExcept>\n", "limit/x.php": PHP_SAYS,
    "satisfy/.htaccess": "AuthType Basic\nAuthName x\nAuthUserFile /srv/www/site/panel/.htpasswd\nRequire valid-user\n"
                         "Order deny,allow\nDeny from all\nAllow from 127.0.0.1\nSatisfy Any\n", "satisfy/x": "x",
}, "/missing", "/x.html", "/old", "/old/deep?x=1", "/gone", "/cat/tom", "/see", "/secret/page.html",
     get("/secret/page.html", Authorization="Basic YmVydDpzZWNyZXQ="), "/secret/", "/secret/page.php",
     get("/secret/page.php", Authorization="Basic YmVydDpzZWNyZXQ="),
     get("/secret/page.html", Authorization="Basic YmVydDp3cm9uZw=="), "/deny/x", "/allow/x", "/local/x", "/any/x",
     "/all/x", "/agent/x", get("/agent/x", User_Agent="BadBot/1"), "/expr/x", get("/expr/x", User_Agent="evil"),
     "/limit/x.php", post("/limit/x.php", "a=b"), "/.htpasswd", "/satisfy/x", "/deny/", post("/any/x", "a"))

site("names", {
    "deny/.htaccess": "Order allow,deny\nAllow from all\nDeny from .spammer.example\n", "deny/x": "x",
    "not/.htaccess": "<RequireAll>\nRequire all granted\nRequire not host spammer.example\n</RequireAll>\n", "not/x": "x",
    "only/.htaccess": "Require host friend.example\n", "only/x": "x",
    "forward/.htaccess": "Require forward-dns friend.example\n", "forward/x": "x",
    "local/.htaccess": "Require local\n", "local/x": "x",
}, "/deny/x", "/not/x", "/only/x", "/forward/x", "/local/x")

# ---- what Apache itself does ----

site("start-pages", {
    "htm/index.htm": "htm", "xhtml/index.xhtml": "<html xmlns='http://www.w3.org/1999/xhtml'/>", "pl/index.pl": (CGI, 0o755),
    "both/index.html": "html", "both/index.php": PHP_SAYS, "php/index.php": PHP_SAYS, "cgi/index.cgi": (CGI, 0o755),
    "own/.htaccess": "DirectoryIndex start.html\n", "own/start.html": "start", "none/x.txt": "x",
    "off/.htaccess": "DirectoryIndex disabled\n", "off/index.html": "x",
    "fallback/.htaccess": "FallbackResource /start-pages/fallback/front.php\n", "fallback/front.php": PHP_SAYS,
    "noslash/.htaccess": "DirectorySlash Off\n", "noslash/index.html": "x",
    "several/.htaccess": "DirectoryIndex none.html second.html\n", "several/second.html": "second",
}, "/htm/", "/xhtml/", "/pl/", "/both/", "/php/", "/own/", "/none/", "/off/", "/fallback/a/b", "/fallback/",
     "/noslash", "/several/", "/htm", "/htm?x=1", "/none", head("/both/"))

site("listing", {
    ".htaccess": "Options +Indexes\n", "a.txt": "a", "b.html": "b", "c.tar.gz": b"\x1f\x8b", "d.zip": b"PK", "e.jpg": b"\xff",
    ".env": "SECRET=1", ".git/config": "[core]", "f~": "old", "g.bak": "g", "#h#": "h", "README": "read me",
    "HEADER.html": "<h1>head</h1>", "sub/x.txt": "x", "core": "c", "i.mp3": b"ID3", "j.pdf": b"%PDF", "RCS/x": "x", "CVS/x": "x",
    "k,v": "v", "l.pl": "l", "noindex/.htaccess": "IndexIgnore *.txt\n", "noindex/x.txt": "x", "noindex/y.css": "y",
    "plain/.htaccess": "IndexOptions -FancyIndexing\n", "plain/x.txt": "x",
    "html/.htaccess": "IndexOptions +HTMLTable +Charset=UTF-8 +NameWidth=*\n", "html/a name.txt": "x", "off/.htaccess":
    "Options -Indexes\n", "off/x": "x",
}, "/", "/?C=S;O=D", "/?C=M&O=A", "/sub/", "/noindex/", "/plain/", "/html/", "/off/", "/.env", "/.git/config", "/f~",
     head("/"))

site("types", {name: "x" for name in (
    "a.html", "a.htm", "a.xhtml", "a.css", "a.js", "a.mjs", "a.json", "a.xml", "a.txt", "a.csv", "a.svg", "a.svgz", "a.png",
    "a.jpg", "a.webp", "a.avif", "a.ico", "a.woff", "a.woff2", "a.ttf", "a.otf", "a.eot", "a.pdf", "a.zip", "a.gz", "a.tgz",
    "a.tar.gz", "a.Z", "a.bz2", "a.xz", "a.mp3", "a.mp4", "a.webm", "a.ogg", "a.wasm", "a.map", "a.webmanifest", "a.md",
    "a.unknown", "noext", "a.html.en", "a.en.html", "a.de.html", "a.shtml", "a.cgi.txt", "a.asis", "a.rss", "a.atom",
    "a.jar", "a.exe", "a.dmg", "a.apk", "a.doc", "a.docx", "a.tex", "a.c", "a.sh", "a.pl", "a.py", "a.rb", "a.sql", "a.ini",
    "a.log", "a.conf", "a.yml", "a.tar", "a.7z", "a.iso", "a.ics", "a.vcf", "a.html.utf8", "a.html.iso-8859-1", "a.var")},
     *[f"/{name}" for name in (
         "a.html", "a.htm", "a.xhtml", "a.css", "a.js", "a.mjs", "a.json", "a.xml", "a.txt", "a.csv", "a.svg", "a.svgz",
         "a.png", "a.jpg", "a.webp", "a.avif", "a.ico", "a.woff", "a.woff2", "a.ttf", "a.otf", "a.eot", "a.pdf", "a.zip",
         "a.gz", "a.tgz", "a.tar.gz", "a.Z", "a.bz2", "a.xz", "a.mp3", "a.mp4", "a.webm", "a.ogg", "a.wasm", "a.map",
         "a.webmanifest", "a.md", "a.unknown", "noext", "a.html.en", "a.en.html", "a.de.html", "a.shtml", "a.cgi.txt",
         "a.asis", "a.rss", "a.atom", "a.jar", "a.exe", "a.doc", "a.docx", "a.tex", "a.c", "a.sh", "a.pl", "a.py", "a.rb",
         "a.sql", "a.ini", "a.log", "a.conf", "a.yml", "a.tar", "a.7z", "a.iso", "a.ics", "a.html.utf8",
         "a.html.iso-8859-1")])

site("languages", {
    ".htaccess": "Options +MultiViews\n", "page.html.en": "english", "page.html.de": "deutsch", "page.html.fr": "français",
    "menu.var": "URI: menu\n\nURI: menu.en.html\nContent-type: text/html\nContent-language: en\n\n"
                "URI: menu.de.html\nContent-type: text/html\nContent-language: de\n",
    "menu.en.html": "english menu", "menu.de.html": "deutsche Karte", "script.php": PHP_SAYS, "data.json": "{}",
    "pic.png": b"\x89PNG", "pic.gif": b"GIF89a",
}, get("/page.html", Accept_Language="de"), get("/page.html", Accept_Language="en"), "/page.html", "/page",
     get("/page", Accept_Language="fr, de;q=0.5"), get("/page", Accept_Language="xx"), "/page.html.de",
     get("/menu.var", Accept_Language="de"), "/menu.var", "/script", "/data", get("/pic", Accept="image/gif"), "/none")

site("includes", {
    ".htaccess": "Options +Includes\n",
    "x.shtml": '<!--#include virtual="part.html" --><!--#echo var="QUERY_STRING" -->'
               '<!--#if expr="$x" -->yes<!--#else -->no<!--#endif -->\n',
    "part.html": "part\n", "exec.shtml": '<!--#exec cmd="echo run" -->\n',
    "size.shtml": '<!--#fsize file="part.html" -->\n', "set.shtml": '<!--#set var="a" value="b" --><!--#echo var="a" -->\n',
    "none/.htaccess": "Options IncludesNOEXEC\n", "none/exec.shtml": '<!--#exec cmd="echo run" -->\n',
    "php.shtml": '<!--#include virtual="say.php?a=1" -->\n', "say.php": "<?php echo 'php says ', $_GET['a'];",
    "index.shtml": "index\n",
}, "/x.shtml?q", "/x.shtml", "/exec.shtml", "/size.shtml", "/set.shtml", "/none/exec.shtml", "/php.shtml", "/",
     get("/x.shtml", If_Modified_Since="Wed, 01 Jan 2098 00:00:00 GMT"))

site("programs", {
    "on/.htaccess": "Options +ExecCGI\nAddHandler cgi-script .cgi .pl .py .sh\n", "on/a.cgi": (CGI, 0o755),
    "on/a.pl": ("#!/usr/bin/perl\nprint \"Content-Type: text/plain\\n\\nperl\\n\";\n", 0o755),
    "on/not-executable.cgi": (CGI, 0o644), "on/status.cgi": ("#!/bin/sh\nprintf 'Status: 418 Teapot\\r\\n\\r\\n'\n", 0o755),
    "on/redirect.cgi": ("#!/bin/sh\nprintf 'Location: /programs/on/a.cgi?internal\\n\\n'\n", 0o755),
    "on/outside.cgi": ("#!/bin/sh\nprintf 'Location: http://other.example/\\n\\n'\n", 0o755),
    "on/broken.cgi": ("#!/bin/sh\necho no header\n", 0o755), "on/empty.cgi": ("#!/bin/sh\n", 0o755),
    "on/nph-x.cgi": ("#!/bin/sh\nprintf 'HTTP/1.0 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\nnph'\n", 0o755),
    "on/fails.cgi": ("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\npartial\\n'\nexit 1\n", 0o755),
    "on/post.cgi": ("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\ncat\n", 0o755),
    "on/sh.sh": (CGI, 0o755), "off/.htaccess": "Options -ExecCGI\n", "off/a.cgi": (CGI, 0o755), "off/a.pl": (CGI, 0o755),
    "plain/a.pl": (CGI, 0o755), "plain/a.py": (CGI, 0o755), "on/etag.cgi": (
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\nETag: \"x\"\\n\\nbody'\n", 0o755),
}, "/on/a.cgi", "/on/a.cgi/path/info?x=1", "/on/a.cgi?a+b", "/on/a.pl", "/on/not-executable.cgi", "/on/status.cgi",
     "/on/redirect.cgi", "/on/outside.cgi", "/on/broken.cgi", "/on/empty.cgi", "/on/nph-x.cgi", "/on/fails.cgi",
     post("/on/post.cgi", "the body"), "/on/sh.sh", "/off/a.cgi", "/off/a.pl", "/plain/a.pl", "/plain/a.py", head("/on/a.cgi"),
     get("/on/etag.cgi", If_None_Match='"x"'), "/on/missing.cgi",
     Request("/on/post.cgi", "POST", (("Transfer-Encoding", "chunked"),), "3\r\nabc\r\n0\r\n\r\n"))

site("php", {
    "say.php": PHP_SAYS, "status.php": "<?php http_response_code((int)$_GET['code']); echo 'body';",
    "location.php": "<?php header('Location: /php/say.php?x');", "type.php": "<?php header('Content-Type: '.$_GET['t']); echo 1;",
    "empty.php": "", "fatal.php": "<?php none();", "parse.php": "<?php if (", "warn.php": "<?php echo $x; echo 'on';",
    "upload.php": "<?php foreach ($_FILES as $f) echo $f['name'], ' ', $f['size'], ' ', $f['error'], \"\\n\";"
                  " echo count($_POST), \"\\n\";",
    "big.php": "<?php echo str_repeat('x', 100000);", "cookie.php": "<?php setcookie('a', 'b'); echo json_encode($_COOKIE);",
    "auth.php": "<?php header('WWW-Authenticate: Basic realm=x'); http_response_code(401); echo 'who?';",
    "range.php": "<?php header('Accept-Ranges: bytes'); echo '0123456789';", "flush.php": "<?php echo 1; flush(); echo 2;",
    "gone.php": "<?php header('HTTP/1.1 410 Gone'); echo 'gone';", "cache.php": "<?php header('ETag: \"v\"'); echo 'x';",
    "ini.php": "<?php foreach (['upload_max_filesize', 'post_max_size', 'memory_limit', 'max_execution_time',"
               " 'display_errors', 'short_open_tag', 'file_uploads', 'default_charset', 'variables_order'] as $k)"
               " echo $k, '=', ini_get($k), \"\\n\";",
    "user/.user.ini": "upload_max_filesize = 9M\n", "user/ini.php": "<?php echo ini_get('upload_max_filesize');",
    "functions.php": "<?php foreach (['mail', 'exec', 'curl_init', 'mysqli_connect', 'imagecreate', 'fsockopen'] as $f)"
                     " echo $f, function_exists($f) ? ' yes' : ' no', \"\\n\";",
    "preg.php": "<?php echo preg_match('/^(a+)+b$/', 'aaab'), json_encode(preg_split('/,/', 'a,b'));",
    "temp.php": "<?php echo is_writable(sys_get_temp_dir()) ? 'writable' : 'no', strlen(tempnam('', 'x')) > 0;",
    "run.php": "<?php echo shell_exec('echo run'), exec('echo exec');",
    "session.php": "<?php session_start(); echo session_status() == PHP_SESSION_ACTIVE ? 'active' : 'none';",
}, "/say.php", "/say.php?a[]=1&a[]=2", "/say.php/info/more", "/status.php?code=404", "/status.php?code=500",
     "/status.php?code=204", "/status.php?code=304", "/status.php?code=402", "/location.php", "/type.php?t=text/csv",
     "/type.php?t=image/png", "/empty.php", "/fatal.php", "/parse.php", "/warn.php", "/big.php", "/cookie.php",
     get("/cookie.php", Cookie="a=1; b=2"), "/auth.php", get("/range.php", Range="bytes=2-4"), "/flush.php", "/gone.php",
     get("/cache.php", If_None_Match='"v"'), "/ini.php", "/user/ini.php", "/functions.php", "/preg.php", "/temp.php",
     "/run.php", post("/say.php", "a=1&b[]=2"), post("/say.php", '{"a":1}', "application/json"), post("/say.php", "x" * 70000,
                                                                                                "text/plain"),
     Request("/upload.php", "POST", (("Content-Type", "multipart/form-data; boundary=XX"),),
             '--XX\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nhello\r\n'
             '--XX\r\nContent-Disposition: form-data; name="v"\r\n\r\n1\r\n--XX--\r\n'),
     Request("/say.php", "POST", (("Transfer-Encoding", "chunked"), ("Content-Type", "text/plain")),
             "5\r\nhello\r\n0\r\n\r\n"),
     Request("/say.php", "PUT", (("Transfer-Encoding", "chunked"), ("Content-Type", "text/plain")),
             "5\r\nhello\r\n0\r\n\r\n"),
     Request("/say.php", "PUT", (("Content-Type", "text/plain"),), "put body"), Request("/say.php", "DELETE"),
     Request("/say.php", "OPTIONS"), Request("/say.php", "PURGE"), head("/say.php"), head("/big.php"), "/session.php",
     get("/big.php", Accept_Encoding="gzip"))

site("files", {
    "range.txt": "0123456789" * 10, "empty.txt": "", "big.txt": "line\n" * 20000, "sp ace.txt": "space",
    "percent%.txt": "percent", "ümlaut.txt": "umlaut", "plus+.txt": "plus", "q?.txt": "question", "dir/x": "x",
    "link.txt": Link("range.txt"), "up.txt": Link("../files/range.txt"), "passwd": Link("/etc/passwd"),
    "broken": Link("nowhere"), "dirlink": Link("dir"), "closed.txt": ("x", 0o000),
    "options/.htaccess": "Options -FollowSymLinks\n", "options/link": Link("../range.txt"),
    "follow/.htaccess": "Options +FollowSymLinks\n", "follow/link": Link("../range.txt"),
}, "/range.txt", get("/range.txt", Range="bytes=0-9"), get("/range.txt", Range="bytes=-5"),
     get("/range.txt", Range="bytes=0-1,5-6"), get("/range.txt", Range="bytes=500-"), get("/range.txt", Range="lines=1-2"),
     get("/range.txt", Range="bytes=95-200"), get("/range.txt", If_Modified_Since="Wed, 01 Jan 2098 00:00:00 GMT"),
     get("/range.txt", If_None_Match="*"), get("/range.txt", If_Unmodified_Since="Sat, 01 Jan 2000 00:00:00 GMT"),
     get("/range.txt", If_Match='"none"'), "/empty.txt", "/big.txt", get("/big.txt", Accept_Encoding="gzip"),
     get("/big.txt", Accept_Encoding="br"), get("/big.txt", Accept_Encoding="gzip;q=0"), "/sp%20ace.txt", "/percent%25.txt",
     "/%C3%BCmlaut.txt", "/plus+.txt", "/q%3F.txt", "/dir", "/dir/", "/dir/x/", "/dir/x/extra", "/link.txt", "/up.txt",
     "/passwd", "/broken", "/dirlink/x", "/closed.txt", "/options/link", "/follow/link", "/range.txt%00", "/%2e%2e/types/a.txt",
     "/dir%2Fx", "/../../etc/passwd", "/dir//x", "/range.txt/", "/nothing", "/RANGE.TXT", "/range.txt?x=y#z",
     get("/big.txt", Expect="100-continue"), Request("/range.txt", "POST", (), "x"), Request("/range.txt", "PUT", (), "x"),
     head("/range.txt"), head("/nothing"), head("/big.txt"), Request("/range.txt", "FOO"), Request("/dir/", "PROPFIND"))

site("rewrites", {
    ".htaccess": """
RewriteEngine On
RewriteBase /rewrites/
RewriteRule ^one$ target.php?n=1 [L]
RewriteRule ^two/(\\d+)$ target.php?n=$1 [QSA,L]
RewriteRule ^away$ https://other.example/x [R=302,L]
RewriteRule ^here$ target.php [R=301,L]
RewriteRule ^forbidden$ - [F]
RewriteRule ^vanished$ - [G]
RewriteRule ^teapot$ - [R=418]
RewriteRule ^cookie$ target.php [CO=seen:yes:.site.example:60,L]
RewriteRule ^type$ target.txt [T=application/x-special,L]
RewriteRule ^env$ target.php [E=HTTP_X_CUSTOM:set,L]
RewriteRule ^case$ target.php?case [NC,L]
RewriteRule ^escape/(.*)$ target.php?v=$1 [B,L]
RewriteRule ^noescape$ /rewrites/target.php?a=%25 [NE,R,L]
RewriteCond %{HTTP_HOST} ^site\\.example$ [NC]
RewriteRule ^host$ target.php?host=%{HTTP_HOST} [L]
RewriteCond %{HTTP_USER_AGENT} mobile [NC]
RewriteRule ^agent$ target.php?mobile [L]
RewriteRule ^agent$ target.php?desktop [L]
RewriteCond %{QUERY_STRING} ^id=(\\d+)$
RewriteRule ^byquery$ target.php?got=%1 [L]
RewriteCond %{HTTPS} !=on
RewriteRule ^secure$ https://%{HTTP_HOST}%{REQUEST_URI} [R=301,L]
RewriteCond %{REMOTE_ADDR} ^127\\.
RewriteRule ^address$ target.php?local [L]
RewriteCond %{TIME_YEAR} >2000
RewriteRule ^year$ target.php?later [L]
RewriteCond %{REQUEST_METHOD} POST
RewriteRule ^method$ target.php?post [L]
RewriteRule ^skip$ - [S=1]
RewriteRule ^skip$ target.php?not [L]
RewriteRule ^skip$ target.php?skipped [L]
RewriteCond expr "%{HTTP:X-Custom} == 'yes'"
RewriteRule ^expr$ target.php?expr [L]
RewriteRule ^loop$ loop [R,L]
RewriteRule ^inner$ inner2 [L]
RewriteRule ^inner2$ target.txt [L]
RewriteRule ^discard$ target.php?a=1 [QSD,L]
RewriteRule ^proxied$ http://127.0.0.1:1/ [P,L]
RewriteRule ^(.+)\\.do$ $1.php [PT]
""",
    "target.php": PHP_SAYS, "target.txt": "target\n",
    "inherit/.htaccess": "RewriteEngine On\nRewriteOptions Inherit\n", "off/.htaccess": "RewriteEngine Off\n",
    "options/.htaccess": "RewriteEngine On\nRewriteOptions AllowNoSlash\nRewriteRule ^a$ ../target.txt\n",
    "map/.htaccess": "RewriteEngine On\nRewriteMap m txt:/x\n",
}, "/one", "/two/22?x=y", "/away", "/here", "/forbidden", "/vanished", "/teapot", "/cookie", "/type", "/env", "/CASE",
     "/escape/a%26b", "/noescape", "/host", "/agent", get("/agent", User_Agent="Mobile Safari"), "/byquery?id=5",
     "/byquery?id=x", "/secure", "/address", "/year", post("/method", "a"), "/method", "/skip", get("/expr", X_Custom="yes"),
     "/expr", "/loop", "/inner", "/discard?b=2", "/target.do", "/inherit/one", "/off/one", "/options/a", "/map/x")

site("headers", {
    ".htaccess": "Header set X-Set one\nHeader append X-Append two\nHeader always set X-Always three\n"
                 "Header unset Last-Modified\nHeader edit Content-Type plain html\nHeader set X-Time \"%t\" env=never\n"
                 "ExpiresActive On\nExpiresByType text/css \"access plus 1 month\"\nSetEnv MYVAR hello\n"
                 "SetEnvIf Request_URI \\.css$ is_css\nHeader set X-Css yes env=is_css\nRequestHeader set X-Custom given\n"
                 "Header setifempty X-If empty\nHeader echo ^X-Echo\nAddDefaultCharset ISO-8859-15\n",
    "a.txt": "a", "a.css": "p{}", "say.php": PHP_SAYS, "env.php": "<?php echo getenv('MYVAR'), $_SERVER['MYVAR'];",
    "etag/.htaccess": "FileETag None\n", "etag/x": "x", "charset/.htaccess": "AddCharset utf-8 .txt\n", "charset/x.txt": "x",
    "force/.htaccess": "ForceType application/octet-stream\n", "force/x.html": "x",
    "download/.htaccess": "<FilesMatch \"\\.pdf$\">\nHeader set Content-Disposition attachment\n</FilesMatch>\n",
    "download/x.pdf": "%PDF", "lang/.htaccess": "DefaultLanguage de\n", "lang/x.html": "x",
    "if/.htaccess": "<If \"%{QUERY_STRING} == 'a'\">\nHeader set X-If a\n</If>\n<ElseIf \"%{QUERY_STRING} == 'b'\">\n"
                    "Header set X-If b\n</ElseIf>\n<Else>\nHeader set X-If c\n</Else>\n", "if/x": "x",
    "proxyenv/.htaccess": "SetEnv proxy-sendchunked 1\nSetEnv no-gzip 1\n", "proxyenv/x.txt": "x" * 2000,
}, "/a.txt", "/a.css", "/say.php", "/env.php", get("/a.txt", X_Echo_A="b"), "/missing", "/etag/x", "/charset/x.txt",
     "/force/x.html", "/download/x.pdf", "/lang/x.html", "/if/x?a", "/if/x?b", "/if/x", head("/a.txt"),
     get("/proxyenv/x.txt", Accept_Encoding="gzip"))

site("mistakes", {
    "unknown/.htaccess": "NoSuchDirective on\n", "unknown/x": "x", "php/.htaccess": "php_value memory_limit 1M\n", "php/x": "x",
    "section/.htaccess": "<Files x>\n", "section/x": "x", "place/.htaccess": "<Directory />\n</Directory>\n", "place/x": "x",
    "listen/.htaccess": "Listen 1\n", "listen/x": "x", "module/.htaccess": "<IfModule no_such.c>\nNoSuch\n</IfModule>\n",
    "module/x": "x", "regex/.htaccess": "RewriteEngine On\nRewriteRule ( x\n", "regex/x": "x",
    "wrong/.htaccess": "Options Nonsense\n", "wrong/x": "x", "bom/.htaccess": "\ufeffOptions -Indexes\n", "bom/x": "x",
    "crlf/.htaccess": "Header set X-Crlf yes\r\n", "crlf/x": "x", "closed/.htaccess": ("Options -Indexes\n", 0), "closed/x": "x",
    "continued/.htaccess": "Header set X-Long \\\n  value\n", "continued/x": "x",
    "authuser/.htaccess": "AuthType Basic\nAuthName x\nAuthUserFile /nowhere\nRequire valid-user\n", "authuser/x": "x",
    "noauth/.htaccess": "AuthType Basic\nRequire valid-user\n", "noauth/x": "x",
    "digest/.htaccess": "AuthType Digest\nAuthName x\nRequire valid-user\n", "digest/x": "x",
}, *[f"/{name}/x" for name in ("unknown", "php", "section", "place", "listen", "module", "regex", "wrong", "bom", "crlf",
                               "closed", "continued", "authuser", "noauth", "digest")],
     get("/authuser/x", Authorization="Basic YTpi"), get("/noauth/x", Authorization="Basic YTpi"))

site("shapes", {
    "x.txt": "x", "index.html": "index", "deep/" * 10 + "x.txt": "deep", "a" * 200 + ".txt": "long",
}, "/x.txt", "/", "/" + "deep/" * 10 + "x.txt", "/" + "a" * 200 + ".txt", "/" + "b" * 8000, "/x.txt?" + "q" * 8000,
     get("/x.txt", X_Long="v" * 8000), get("/x.txt", X_Longer="v" * 9000), "/%zz", "/x.txt;param", "/~user/x",
     Request("/x.txt", "GET", (), "body of a GET"), get("/x.txt", Connection="close"), get("/x.txt", Connection="Upgrade",
                                                                                      Upgrade="websocket"),
     get("/x.txt", Accept="application/json"), get("/x.txt", TE="trailers"), Request("/x.txt", "get"),
     get("/x.txt", Range="bytes=0-0"), get("/x.txt", Content_Length="0"))
