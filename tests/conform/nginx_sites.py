# SPDX-License-Identifier: MIT
"""What people write for nginx, in the server block of an instance as in that of Debian's own, and what clients ask of it."""

import gzip

from sites import CGI, PHP_SAYS, SECRET, Link, Request, get, head, make_site, post

SNIPPET = r"""
# An application with one start page, in a folder.
location /front/ { try_files $uri $uri/ /front/index.php?$args; }
location ^~ /front/uploads/ { expires 1h; }
location ~ ^/front/private/.*\.txt$ { deny all; }
location = /front/status { return 200 "well\n"; }

# Rewriting and redirects.
location /rules/ {
    rewrite ^/rules/one$ /rules/target.php?n=1 last;
    rewrite ^/rules/two/(\d+)$ /rules/target.php?n=$1 last;
    rewrite ^/rules/break$ /rules/x.txt break;
    rewrite ^/rules/here$ /rules/target.php redirect;
    rewrite ^/rules/there$ /rules/target.php permanent;
    rewrite ^/rules/out$ https://other.example/x redirect;
    rewrite ^/rules/drop$ /rules/target.php? last;
    if ($arg_go = away) { return 302 https://other.example/; }
    if ($http_user_agent ~* mobile) { rewrite ^/rules/agent$ /rules/target.php?mobile last; }
    if (-f $request_filename.html) { rewrite ^(.*)$ $1.html break; }
    if ($request_method = PURGE) { return 405; }
    error_page 404 /rules/404.html;
    error_page 410 =200 /rules/gone.php;
}
location = /rules/old { return 301 /rules/x.txt; }
location = /rules/gone { return 410; }
location = /rules/teapot { return 418 "short\n"; }
location = /rules/own { return 302 $scheme://$host/rules/x.txt; }
location /rules/named/ { try_files $uri @named; }
location @named { rewrite ^ /rules/target.php?named last; }
location /rules/inner/ { internal; }
location = /rules/empty.gif { empty_gif; }

# What is sent with files.
location /sent/ {
    add_header X-Set one;
    add_header X-Always two always;
    add_header Cache-Control "public, immutable";
    types { text/x-special special; text/html html; text/plain txt; text/css css; }
    default_type text/plain;
    charset utf-8;
    autoindex on;
    autoindex_localtime off;
    gzip_static on;
    location ~ \.css$ { expires 30d; etag off; }
    location /sent/off/ { autoindex off; etag off; if_modified_since off; }
    location /sent/json/ { autoindex_format json; }
}
location /alias/ { alias /srv/www/site/sent/; }
location ~ ^/pattern/(.+)$ { alias /srv/www/site/sent/$1; }
location /random/ { random_index on; root /srv/www/site; }
location /ssi/ { ssi on; }
location /sub/ { sub_filter hello bye; sub_filter_once off; }
location /wait/ { auth_request /rules/gone; }
location /methods/ { limit_except GET { deny all; } }
location /locked/ {
    auth_basic "Members";
    auth_basic_user_file /srv/www/site/locked/.htpasswd;
    location ~ \.php$ { include snippets/fastcgi-php.conf; fastcgi_pass php; }
}
location /nets/ { allow 192.0.2.0/24; deny all; }
location /nets/own/ { allow 127.0.0.1; deny all; }
location /any/ { satisfy any; deny all; auth_basic "x"; auth_basic_user_file /srv/www/site/locked/.htpasswd; }
location /small/ { client_max_body_size 10; }
location /slow/ { limit_rate 100k; limit_rate_after 1k; }
location /refer/ { valid_referers none site.example; if ($invalid_referer) { return 403; } }
location ~ /\.git { return 404; }
location /app/ { proxy_pass http://unix:/nowhere.sock:/; }
"""

SITES = [
    make_site("front", {
        "index.php": PHP_SAYS, "x.txt": "x", "uploads/a.txt": "a", "uploads/x.php": SECRET, "private/x.txt": "x",
        "dir/index.html": "dir", "empty/none": "",
    }, "/", "/post/1?x=y", "/x.txt", "/uploads/a.txt", "/private/x.txt", "/status", "/dir", "/dir/", "/empty/", "/a%2Fb%20c?d=%26",
        "/index.php", "/index.php/more", "/none.php", post("/post", "a=b"), head("/post"), Request("/status", "POST", (), "x")),
    make_site("rules", {
        "target.php": PHP_SAYS, "x.txt": "x", "404.html": "our own", "gone.php": "<?php echo 'gone';", "page.html": "page",
        "inner/x.txt": "x", "named/x.txt": "x",
        "accel.php": "<?php header('X-Accel-Redirect: /rules/inner/x.txt');",
        "accel_charset.php": "<?php header('X-Accel-Redirect: /rules/x.txt'); header('X-Accel-Charset: koi8-r');",
        "expires.php": "<?php header('X-Accel-Expires: 10'); echo 'x';",
    }, "/one", "/two/7?x=y", "/break", "/here?a=b", "/there", "/out", "/drop?a=b", "/x.txt?go=away",
        get("/agent", User_Agent="Mobile"), "/agent", "/page", "/nothing", "/gone", "/old", "/own", "/teapot", "/named/x.txt",
        "/named/y", "/inner/x.txt", "/accel.php", "/accel_charset.php", "/expires.php", "/empty.gif", Request("/x.txt", "PURGE")),
    make_site("sent", {
        "x.special": "x", "x.html": "<p>x", "x.css": "p{}", "x": "x", "off/x.txt": "x", "json/x.txt": "x", "json/dir/y": "y",
        "big.txt": "line\n" * 1000, "big.txt.gz": gzip.compress(b"line\n" * 1000, mtime=0), "index/index.html": "index",
        ".hidden": "x", "link.txt": Link("x"),
    }, "/", "/x.special", "/x.html", "/x.css", "/x", "/off/", "/off/x.txt", "/json/", "/none", "/big.txt", "/index/",
        get("/big.txt", Accept_Encoding="gzip"), get("/x.html", If_None_Match="*"), "/.hidden", "/link.txt", head("/")),
    make_site("alias", {}, "/x.html", "/", "/off", "/off/x.txt", "/../sent/x", "/none", "../secret", "/index"),
    make_site("pattern", {}, "/x.html", "/off/x.txt", "/../locked/.htpasswd", "/%2e%2e/locked/.htpasswd"),
    make_site("random", {"only": "x"}, "/"),
    make_site("ssi", {
        "x.html": '<!--#set var="a" value="b" --><!--#echo var="a" -->|<!--#include virtual="/ssi/y.html" -->|'
                  '<!--#include virtual="/ssi/y.php" -->', "y.html": "y", "y.php": "<?php echo 'y of PHP';",
    }, "/x.html"),
    make_site("sub", {"x.html": "hello hello"}, "/x.html"),
    make_site("wait", {"x": "x"}, "/x"),
    make_site("methods", {"x": "x"}, "/x", Request("/x", "POST", (), "x"), Request("/x", "DELETE")),
    make_site("locked", {
        "x.txt": "x", "x.php": PHP_SAYS, ".htpasswd": "bert:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n",
    }, "/x.txt", "/x.php", get("/x.txt", Authorization="Basic YmVydDpiZXJ0"), get("/x.php", Authorization="Basic YmVydDpiZXJ0"),
        get("/x.txt", Authorization="Basic YmVydDpzZWNyZXQ="), get("/x.php", Authorization="Basic YmVydDpzZWNyZXQ="),
        "/.htpasswd"),
    make_site("nets", {"x": "x", "own/x": "x"}, "/x", "/own/x"),
    make_site("any", {"x": "x"}, "/x"),
    make_site("small", {"x.php": PHP_SAYS}, post("/x.php", "a"), post("/x.php", "a" * 100)),
    make_site("slow", {"x": "x" * 5000}, "/x"),
    make_site("refer", {"x": "x"}, "/x", get("/x", Referer="http://site.example/"), get("/x", Referer="http://other.example/")),
    make_site("app", {}, "/x"),
    make_site("vcs", {".git/config": "x", ".env": "x", ".well-known/x": "x", ".well-known/acme-challenge/x": "x"},
              "/.git/config", "/.env", "/.well-known/x", "/.well-known/acme-challenge/x"),
    make_site("cgi", {"a.cgi": (CGI, 0o755), "a.pl": (CGI, 0o755), "b.php.cgi": (CGI, 0o755), "a.py": "x", "a.shtml": "x"},
              "/a.cgi", "/a.pl", "/b.php.cgi", "/a.py", "/a.shtml", "/a.cgi/x"),
]
