# SPDX-License-Identifier: MIT
"""Mistakes in the customer's own folder, which visitors see at once: .htaccess files, pages of another user, and PHP that
is not there. Each is made, seen by a visitor, found by bellhopctl check, and gone once it is corrected."""

import contextlib
import json
import os
import re

import pytest
from test_mistakes import ADVICE, AS_CUSTOMER, RELOAD_SITE, SITES, WWW, assert_served, find, findings, is_command

HTACCESS = f"{WWW}/.htaccess"
GONE = f"rm -rf {HTACCESS}"
DROP_IN = "/etc/systemd/system/bellhop@carol.service.d/test.conf"


def htaccess(text, file=HTACCESS):
    return f"printf '{text}' > {file}; chown carol: {file}"


# What is done wrong -> the commands that do it, what a visitor gets, the kind of finding, its line, words that it has,
# words of its advice, and what corrects it.
MISTAKES = {
    "php_value": (htaccess("# mine\nphp_value memory_limit 256M\n"), 500, "htaccess-error", 2, "'php_value'",
                  ".user.ini", GONE),
    "php_flag in a section": (htaccess("<FilesMatch html>\n  php_flag display_errors on\n</FilesMatch>\n"), 500,
                              "htaccess-error", 2, "'php_flag'", ".user.ini", GONE),
    "php_admin_value": (htaccess("php_admin_value open_basedir /\n"), 500, "htaccess-error", 1, "'php_admin_value'",
                        "carol/php.fpm", GONE),
    "unknown directive": (htaccess("\n\nRewritEngine On\n"), 500, "htaccess-error", 3, "'RewritEngine'", "Correct", GONE),
    "directive of a module that is not loaded": (htaccess("ModPagespeed off\n"), 500, "htaccess-error", 1,
                                                 "'ModPagespeed'", "Correct", GONE),
    "directive that is not allowed": (htaccess("DocumentRoot /tmp\n"), 500, "htaccess-error", 1, "not allowed here",
                                      "Correct", GONE),
    "wrong value": (htaccess("Options +Indexs\n"), 500, "htaccess-error", 1, "Illegal option", "Correct", GONE),
    "line that goes on": (htaccess("Options \\\\\n  +Indexes \\\\\n  +Nothing\n"), 500, "htaccess-error", 3,
                          "Illegal option", "Correct", GONE),
    "bad pattern": (htaccess("RewriteEngine On\nRewriteRule ( -\n"), 500, "htaccess-error", 2, "cannot compile",
                    "Correct", GONE),
    "section that is not closed": (htaccess("<Files x>\n"), 500, "htaccess-error", 1, "<Files> was not closed",
                                   "Correct", GONE),
    "Require without such a module": (htaccess("Require ldap-user x\n"), 500, "htaccess-error", 1, "ldap-user",
                                      "Correct", GONE),
    "mark of byte order": (htaccess("\\xef\\xbb\\xbfOptions +Indexes\n"), 500, "htaccess-error", 1, "Invalid command",
                           "Correct", GONE),
    ".htaccess of root": (f"install -m 0600 /dev/null {HTACCESS}", 403, "htaccess-error", None,
                          "can't read it: Permission denied", "that user carol can read", GONE),
    ".htaccess that is a folder": (f"mkdir {HTACCESS}", 403, "htaccess-error", None, "it is not a file",
                                   "that user carol can read", GONE),
    ".htaccess that leads to root's": (f"ln -s /etc/shadow {HTACCESS}", 403, "htaccess-error", None,
                                       "can't read it: Permission denied", "that user carol can read", GONE),
    "page of root": (f"chown root: {WWW}/index.cgi; chmod 0700 {WWW}/index.cgi", 500, "pages-unreadable", None,
                     "owner uid 0, mode 0700", "as user carol", f"chown carol: {WWW}/index.cgi"),
    "page that its owner can't read": (f"chmod 0 {WWW}/index.cgi", 500, "pages-unreadable", None, "mode 0000",
                                       "chmod u+rX", f"chmod 0755 {WWW}/index.cgi"),
}


def visit(box, page=""):
    return int(box.curl(f"http://carol.example/{page}", "-o", "/dev/null", "-w", "%{http_code}"))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(box, mistake):
    make, status, kind, line, words, advised, correct = MISTAKES[mistake]
    assert_served(box)
    box.shell(make)
    assert visit(box) == status
    found = find(box, kind)
    assert [entry["kind"] for entry in findings(box)] == [kind]
    assert words in found["what"] and advised in found["advice"], found
    assert (found["line"], found["severity"], found["instance"]) == (line, "error", "carol")
    box.shell(found["advice"] if correct is ADVICE else correct)
    assert findings(box) == []
    assert_served(box)


def test_advice_opens_the_customers_own_page(box):
    box.shell(f"chmod 0 {WWW}/index.cgi")
    box.shell(find(box, "pages-unreadable")["advice"])
    assert findings(box) == []


def notes(box, kind):
    said = json.loads(box.try_run("bellhopctl", "check", "--json").stdout)["findings"]
    return [entry for entry in said if entry["kind"] == kind and entry["severity"] == "note"]


@pytest.mark.parametrize("file, name", [("wp-includes/version.php", "WordPress"), ("core/lib/Drupal.php", "Drupal"),
                                        ("includes/WebStart.php", "MediaWiki")])
def test_cms_without_network(box, file, name):
    """Updates would fail, with no word of why but in the application's own log."""
    box.run("runuser", "-u", "carol", "--", "sh", "-c", f"mkdir -p {WWW}/{os.path.dirname(file)}; touch {WWW}/{file}")
    found, = notes(box, "network-needed")
    assert (found["instance"], found["file"]) == ("carol", WWW)
    assert found["what"].startswith(f"{name} can't connect to other servers")
    box.shell(found["advice"])
    assert notes(box, "network-needed") == [] and findings(box) == []
    box.shell(f"bellhopctl set carol --network=no; rm -r {WWW}/{file.partition('/')[0]}")
    assert notes(box, "network-needed") == []


def test_cms_in_a_folder(box):
    box.run("runuser", "-u", "carol", "--", "sh", "-c",
            f"mkdir -p {WWW}/w/includes; touch {WWW}/w/index.php {WWW}/w/includes/WebStart.php")
    found, = notes(box, "network-needed")
    assert (found["file"], found["what"].split()[0]) == (f"{WWW}/w", "MediaWiki")
    box.shell(f"rm -r {WWW}/w")
    assert notes(box, "network-needed") == []


ELSEWHERE = {
    "home behind a link": ("mkdir -p /data/home; mv /home/carol /data/home; ln -s /data/home/carol /home/carol",
                           "/data/home/carol", "rm /home/carol; mv /data/home/carol /home; rm -r /data"),
    "home by the user database": ("mkdir -p /var/www; mv /home/carol /var/www; usermod -d /var/www/carol carol",
                                  "/var/www/carol", "mv /var/www/carol /home; usermod -d /home/carol carol"),
    "document root behind a link": (f"mkdir -p /mnt/disk2; mv {WWW} /mnt/disk2; ln -s /mnt/disk2/carol {WWW}",
                                    "/mnt/disk2/carol", f"rm {WWW}; mv /mnt/disk2/carol {WWW}; rm -r /mnt/disk2"),
}


@pytest.mark.parametrize("place", ELSEWHERE)
def test_folder_elsewhere(box, place):
    """Others read there, and nobody else says so."""
    make, folder, back = ELSEWHERE[place]
    box.shell(make)
    try:
        box.run("runuser", "-u", "carol", "--", "chmod", "0755", folder)
        found = [entry for entry in findings(box) if entry["kind"] == "folder-elsewhere"]
        assert [(entry["file"], entry["severity"], entry["instance"]) for entry in found] == [(folder, "warning", "carol")]
        box.shell(AS_CUSTOMER.search(found[0]["advice"])[0])
        assert findings(box) == []
    finally:
        box.shell(back)
    assert findings(box) == []


def test_home_elsewhere_is_read_only(box):
    """Until a drop-in of the unit says otherwise; programs of the site see it as check does."""
    drop_in = "/etc/systemd/system/bellhop@carol.service.d/home.conf"
    box.shell("systemctl stop bellhop@carol.service; mkdir -p /data/home; mv /home/carol /data/home; usermod -d /data/home/carol carol; chmod o= /data/home/carol")
    box.write_page("carol", "write.cgi", "touch ~carol/written 2>/dev/null && echo yes || echo no")
    try:
        found, = notes(box, "home-read-only")
        assert (found["instance"], found["file"]) == ("carol", "/data/home/carol")
        assert "BindPaths=/data/home/carol" in found["advice"]
        box.shell("chmod 0777 /data/home")
        assert "BindPaths" not in notes(box, "home-read-only")[0]["advice"]
        box.shell("chmod 0755 /data/home")
        assert box.curl("http://carol.example/write.cgi") == "no\n"
        box.write(drop_in, "[Service]\nBindPaths=/data/home/carol\n")
        box.shell("systemctl daemon-reload; systemctl stop bellhop@carol.service")
        assert notes(box, "home-read-only") == []
        assert box.curl("http://carol.example/write.cgi") == "yes\n"
    finally:
        box.shell(f"systemctl stop bellhop@carol.service; rm -f {drop_in} /data/home/carol/written {WWW}/write.cgi; "
                  "mv /data/home/carol /home; rm -r /data; usermod -d /home/carol carol; systemctl daemon-reload")
    assert notes(box, "home-read-only") == [] and findings(box) == []


def test_fifo_in_place_of_htaccess(box):
    """Each visitor would wait for it."""
    box.shell(f"mkfifo {HTACCESS}")
    assert find(box, "htaccess-error")["what"] == "it is not a file"
    box.shell(GONE)


def test_each_folder_has_its_own(box):
    """With more than one mistake, and those of folders that no visitor can ask for are none."""
    box.shell(f"mkdir -p {WWW}/a/b {WWW}/c /root/out; {htaccess('Nonsense', WWW + '/a/.htaccess')}; "
              f"{htaccess('Nonsense', WWW + '/a/b/.htaccess')}; {htaccess('# fine', WWW + '/c/.htaccess')}; "
              f"echo Nonsense > /root/out/.htaccess; chmod 0755 /root/out; ln -s /root/out {WWW}/out; chown -R carol: {WWW}")
    found = findings(box)
    assert {(entry["kind"], entry["file"]) for entry in found} == {
        ("htaccess-error", f"{WWW}/a/.htaccess"), ("htaccess-error", f"{WWW}/a/b/.htaccess")}
    assert visit(box, "a/") == 500 and visit(box) == 200


# What people write for several servers, and what root allows by a snippet -> the file, and the snippet.
FINE = {
    "for another server": ("<IfModule mod_php.c>\nphp_value a b\n</IfModule>\n<IfModule !mod_rewrite.c>\nNonsense\n"
                           "</IfModule>\n", ""),
    "of another version": ("<IfVersion < 2.4>\nOrder\n</IfVersion>\n", ""),
    "not read": ("Nonsense\n", f"<Directory {WWW}>\nAllowOverride None\n</Directory>\n"),
    "not fatal": ("Header set X y\n", f"<Directory {WWW}>\nAllowOverride Nonfatal=All\n</Directory>\n"),
    "WordPress": ("# BEGIN WordPress\n<IfModule mod_rewrite.c>\nRewriteEngine On\nRewriteRule .* - "
                  "[E=HTTP_AUTHORIZATION:%%{HTTP:Authorization}]\nRewriteBase /\nRewriteRule ^index\\\\.php$ - [L]\n"
                  "RewriteCond %%{REQUEST_FILENAME} !-f\nRewriteCond %%{REQUEST_FILENAME} !-d\n"
                  "RewriteRule nothing /index.php [L]\n</IfModule>\n# END WordPress\n", ""),
    "of Apache 2.2": ("Order allow,deny\nAllow from all\n<Files wp-config.php>\nDeny from all\n</Files>\n", ""),
}


@pytest.mark.parametrize("fine", FINE)
def test_what_apache_accepts_is_no_mistake(box, fine):
    text, snippet = FINE[fine]
    box.shell(htaccess(text))
    if snippet:
        box.write(f"{SITES}/x.conf", snippet)
        box.shell(RELOAD_SITE)
    assert findings(box) == []
    assert_served(box)


def test_what_a_snippet_forbids_is_a_mistake(box):
    box.shell(htaccess("Header set X y\n"))
    box.write(f"{SITES}/x.conf", f"<Directory {WWW}>\nAllowOverride AuthConfig\n</Directory>\n")
    box.shell(f"bellhopctl apply; {RELOAD_SITE}")
    assert visit(box) == 500
    assert "not allowed here" in find(box, "htaccess-error")["what"]


@pytest.mark.parametrize("root", [f"{WWW}/public", f'"{WWW}/public"'])
def test_document_root_of_a_snippet(box, root):
    box.shell(f"mkdir {WWW}/public; {htaccess('Nonsense', WWW + '/public/.htaccess')}; {htaccess('Nonsense')}")
    box.write(f"{SITES}/x.conf", f"<VirtualHost *:80>\nServerName carol.example\nDocumentRoot {root}\n</VirtualHost>\n")
    box.shell(f"bellhopctl apply; {RELOAD_SITE}")
    assert visit(box) == 500
    assert [(entry["kind"], entry["file"]) for entry in findings(box)] == [("htaccess-error", f"{WWW}/public/.htaccess")]


ROOTS = {
    "missing": (f"{WWW}/publik", "document-root-missing", "a snippet sets", 404),
    "a neighbour's": ("/srv/www/bob", "document-root-unreadable", "only folders of user carol", 403),
    "in a neighbour's home": ("/home/bob/x", "document-root-unreadable", "only folders of user carol", 403),
    "root's": ("/root/www", "document-root-unreadable", "no access to /root", 403),
}


@pytest.mark.parametrize("root", ROOTS)
def test_document_root_of_a_snippet_without_pages(box, root):
    path, kind, words, status = ROOTS[root]
    box.shell("mkdir -p /root/www")
    box.write(f"{SITES}/x.conf", f"<VirtualHost *:80>\nServerName carol.example\nDocumentRoot {path}\n</VirtualHost>\n")
    box.shell(f"bellhopctl apply; {RELOAD_SITE}")
    assert visit(box) in (status, 403)
    found = find(box, kind)
    assert found["file"] == path and words in found["what"], found
    box.write(f"{SITES}/x.conf", "# none\n")
    box.shell(RELOAD_SITE)
    assert findings(box) == []


@contextlib.contextmanager
def php_is_hidden(box, hide="mkdir /root/fpm; mv /usr/sbin/php-fpm* /root/fpm/", back="mv /root/fpm/* /usr/sbin/; rmdir /root/fpm"):
    box.shell(f"{hide}; systemctl try-restart bellhop@carol.service")
    yield
    box.shell(f"{back}; systemctl try-restart bellhop@carol.service")
    assert findings(box) == []


@pytest.mark.parametrize("how", [(), (
    f"mkdir -p {os.path.dirname(DROP_IN)}; printf '[Service]\\nEnvironment=BELLHOP_PHP_FPM=/usr/sbin/php-fpm5.6\\n' > "
    f"{DROP_IN}; systemctl daemon-reload", f"rm -r {os.path.dirname(DROP_IN)}; systemctl daemon-reload")],
    ids=["none", "a version that has gone"])
def test_php_is_missing(box, how):
    box.shell(f"mkdir {WWW}/app; echo '<?php echo 1;' > {WWW}/app/x.php; chown -R carol: {WWW}")
    with php_is_hidden(box, *how):
        assert visit(box, "app/x.php") == 503
        found = find(box, "php-missing")
        assert (found["file"], found["severity"]) == (f"{WWW}/app/x.php", "warning")
        box.shell(f"mv {WWW}/app/x.php {WWW}/index.php")
        assert find(box, "php-missing")["severity"] == "error"
    assert visit(box, "index.php") == 200


def test_files_of_root_after_a_restore(box):
    """Deeper ones are a warning, with their number."""
    box.shell(f"install -d -m 0755 {WWW}/images; for i in 1 2 3; do install -m 0600 /dev/null {WWW}/images/$i.png; done; "
              f"install -d -m 0700 {WWW}/download")
    found = find(box, "pages-unreadable")
    assert (found["severity"], found["instance"]) == ("warning", "carol")
    assert found["what"].endswith(", nor 3 more files or folders")
    assert visit(box, "images/1.png") == 403 and visit(box, "download/x") == 403
    assert not is_command(found["advice"])


def test_limit_of_files(box):
    """What is beyond it is not seen, and that is said."""
    box.shell(f"mkdir -p {WWW}/a/b; {htaccess('Nonsense', WWW + '/a/b/.htaccess')}; chown -R carol: {WWW}")
    notes = [entry for entry in json.loads(box.try_run("bellhopctl", "check", "--json", "--files=2").stdout)["findings"]
             if entry["kind"] == "not-checked"]
    assert any("only the first 2 files and folders" in entry["what"] for entry in notes)
    assert find(box, "htaccess-error")["file"] == f"{WWW}/a/b/.htaccess"
    assert box.try_run("bellhopctl", "check", "--files=many").returncode == 2


def test_hostile_folder_does_not_hold_up_the_check(box):
    """Deep, endless, and with names that nobody should see."""
    box.path(WWW).joinpath("\x1b[31m\n\u202e").mkdir()
    box.path(WWW).joinpath("\x1b[31m\n\u202e/.htaccess").write_text("Nonsense\n")
    box.shell(f"cd {WWW}; for i in $(seq 300); do mkdir -p {'d' * 100}; cd {'d' * 100} || break; mkfifo .htaccess; done; "
              f"mknod {WWW}/zero.php c 1 5; ln -s / {WWW}/root; chown -R carol: {WWW}")
    done = box.try_run("timeout", "60", "bellhopctl", "check", "--no-pager")
    said = " ".join(done.stdout.split())
    assert done.returncode == 1 and ".htaccess:1: Invalid command 'Nonsense'" in said, done
    assert re.search(r"error carol: \d+ more .htaccess files", said), done
    assert not any(c in done.stdout for c in "\x1b\u202e")


# Run as the customer, in the document root. A way along the links has 54000 parts, far down and up again. Each of 200
# applications has such a link in place of each file that check looks for.
DETOURS = """
import os
os.umask(0o022)
depth, root = 700, os.getcwd()
for i in range(39):
    os.symlink("d/" * depth + "../" * depth + (f".l{i - 1}" if i else "index.cgi"), f".l{i}")
for path in ("default/settings.php", "config.php", "system/settings.php", "etc/env.php", "LocalConfiguration.php",
             "version.php", "lib/Drupal.php", "manifests/files/joomla.xml", "versioncheck.php", "WebStart.php", "sysext",
             "magento", "moodlelib.php", "defines.inc.php"):
    os.makedirs(os.path.dirname(f".s/{path}"), exist_ok=True)
    os.symlink(f"{root}/.l38", f".s/{path}")
for i in range(200):
    os.mkdir(f"app{i}")
    open(f"app{i}/index.php", "w").close()
    for name in (".env", "wp-config.php", "configuration.php", "LocalSettings.php", "settings.php"):
        os.symlink("../.l38", f"app{i}/{name}")
    for name in ("sites", "config", "app", "typo3conf", "wp-includes", "core", "administrator", "lib", "includes", "typo3", "bin"):
        os.symlink("../.s", f"app{i}/{name}")
for _ in range(depth):
    os.mkdir("d")
    os.chdir("d")
"""


def test_links_do_not_hold_up_the_check(box):
    """All findings of other kinds and of other customers are there, and a finding says that some may be missing."""
    box.shell(f"chmod 0755 {WWW}; {htaccess('Nonsense')}")
    box.run("runuser", "-u", "carol", "--", "env", "-C", WWW, "python3", "-c", DETOURS)
    done = box.try_run("timeout", "100", "bellhopctl", "check", "--json")
    assert done.returncode == 1, done
    found = json.loads(done.stdout)["findings"]
    assert [entry["file"] for entry in found if entry["kind"] == "htaccess-error"] == [HTACCESS]
    assert [entry["file"] for entry in found if entry["kind"] == "not-checked" and "more than 20 seconds" in entry["what"]] == [WWW]


def test_passwords_in_many_files(box):
    """A customer with many such applications does not fill the report."""
    box.shell(f"chmod 0755 {WWW}; cd {WWW}; umask 022; for i in $(seq 12); do mkdir $i; touch $i/index.php $i/.env; done; "
              f"chown -R carol: {WWW}")
    found = [entry for entry in findings(box) if entry["kind"] == "secret-exposed"]
    assert len(found) == 11 and found[-1]["file"] is None
    assert found[-1]["what"] == "every user of this machine can read 2 more files"


def test_passwords_in_a_folder_with_a_hostile_name(box):
    """No name that a customer chose is in a command for root."""
    name = "$(touch owned)"
    box.shell(f"chmod 0755 {WWW}; cd {WWW}; umask 022; mkdir '{name}'; touch '{name}/index.php' '{name}/.env'; "
              f"chown -R carol: {WWW}")
    found = find(box, "secret-exposed")
    assert found["file"] == f"{WWW}/{name}/.env"
    assert not is_command(found["advice"]) and name not in found["advice"]


def test_endless_htaccess_is_said(box):
    """Apache goes through all of it for each visitor, too."""
    box.shell(f"truncate -s 1T {HTACCESS}; chown carol: {HTACCESS}")
    done = box.try_run("timeout", "60", "bellhopctl", "check", "--json", "--instance=carol")
    kinds = {entry["kind"] for entry in json.loads(done.stdout)["findings"] if entry["severity"] != "note"} | {
        entry["kind"] for entry in json.loads(done.stdout)["findings"] if ".htaccess" in entry["what"]}
    assert kinds & {"not-checked", "htaccess-error"}, done
