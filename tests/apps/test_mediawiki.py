# SPDX-License-Identifier: MIT
"""MediaWiki with SQLite, installed by SSH and used by HTTP; in a folder of the site, with links that do not show it."""

import re

import pytest
from browser import Browser, fastest

HOST = "wiki.example"
WWW = "/srv/www/wiki"
API = "w/api.php"
PASSWORD = "correct horse 1 Battery"
# Debian's settings have the cache in a folder of www-data's. Some machines have ImageMagick; all have PHP's own pictures.
SETTINGS = f"""
$wgCacheDirectory = "{WWW}/cache";
$wgArticlePath = "/wiki/$1";
$wgEnableUploads = true;
$wgUseImageMagick = false;
$wgAllowCopyUploads = true;
$wgGroupPermissions["sysop"]["upload_by_url"] = true;
$wgJobRunRate = 0;
$wgShowExceptionDetails = true;
"""
HTACCESS = """
RewriteEngine On
RewriteRule ^$ /wiki/Main_Page [R]
RewriteRule ^wiki/.*$ /w/index.php [L]
"""
AT_ONCE = 5


class Wiki:
    def __init__(self, box):
        self.box, self.ada = box, Browser(box, HOST)

    def ask(self, **fields):
        return self.ada.post(API, dict(fields, format="json", formatversion="2")).json()

    def token(self, kind="csrf"):
        return self.ask(action="query", meta="tokens", type=kind)["query"]["tokens"][f"{kind}token"]

    def edit(self, title, text, **more):
        said = self.ask(action="edit", title=title, text=text, token=self.token(), **more)
        assert said.get("edit", {}).get("result") == "Success", said
        return said["edit"]["newrevid"]


@pytest.fixture(name="wiki", scope="module")
def wiki_fixture(box):
    box.run("bellhopctl", "add", "wiki", "--create-user", "--self-signed", f"--host={HOST}")
    # The one link that leads nowhere until an administrator configures Debian's own wiki.
    box.shell(f"""
        rm -f {WWW}/index.html /usr/share/mediawiki/LocalSettings.php
        cp -rL /usr/share/mediawiki {WWW}/w
        mkdir {WWW}/data {WWW}/cache
        chown -R wiki: {WWW}
        runuser -u wiki -- php {WWW}/w/maintenance/install.php --dbtype=sqlite --dbname=wiki --dbpath={WWW}/data \\
                --server=https://{HOST} --scriptpath=/w '--pass={PASSWORD}' 'A Small Wiki' Ada
    """)
    settings = box.path(f"{WWW}/w/LocalSettings.php")
    settings.write_text(settings.read_text() + SETTINGS)
    box.write(f"{WWW}/.htaccess", HTACCESS)
    wiki = Wiki(box)
    said = wiki.ask(action="login", lgname="Ada", lgpassword=PASSWORD, lgtoken=wiki.token("login"))
    assert said["login"]["result"] == "Success", said
    return wiki


@pytest.fixture(name="visitor")
def visitor_fixture(box):
    return Browser(box, HOST)


def test_first_page(wiki, visitor):  # pylint: disable=unused-argument
    page = visitor.get("")
    assert (page.status, page.url) == (200, f"https://{HOST}/wiki/Main_Page")
    assert "MediaWiki has been installed." in page.text and "A Small Wiki" in page.text
    # Its style, which a program puts together.
    style = re.search(r'<link rel="stylesheet" href="([^"]*modules=[^"]*skins[^"]*)"', page.text)[1]
    page = visitor.get(style.replace("&amp;", "&").lstrip("/"))
    assert (page.status, page.type) == (200, "text/css; charset=utf-8")


def test_edit_and_read(wiki, visitor):
    first = wiki.edit("Café & more: 100%?", "The first text")
    wiki.edit("Café & more: 100%?", "Another text, with '''bold''' words")
    path = "wiki/Caf%C3%A9_%26_more:_100%25%3F"
    page = visitor.get(path)
    assert page.status == 200 and "Another text, with <b>bold</b> words" in page.text
    page = visitor.get(f"{path}?oldid={first}")
    assert page.status == 200 and "The first text" in page.text
    assert visitor.get("wiki/No_such_page").status == 404


def test_edits_are_merged(wiki, visitor):
    """By diff3, which MediaWiki starts with a limited shell."""
    base = wiki.edit("Merged", "one\n\ntwo\n\nthree\n\nfour")
    wiki.edit("Merged", "ONE\n\ntwo\n\nthree\n\nfour", baserevid=base)
    wiki.edit("Merged", "one\n\ntwo\n\nthree\n\nFOUR", baserevid=base)
    text = visitor.get("wiki/Merged").text
    assert "<p>ONE\n</p><p>two" in text and "FOUR" in text


def test_upload_is_served(wiki, visitor, picture):
    page = wiki.ada.upload(API, picture, "file", "image/png", {
        "action": "upload", "filename": "A picture.png", "token": wiki.token(), "format": "json"})
    assert page.json()["upload"]["result"] == "Success", page.text
    assert visitor.get("wiki/File:A_picture.png").status == 200
    wiki.edit("With a picture", "[[File:A picture.png|thumb|120px]]")
    small, = re.findall(r'<img[^>]* src="/(w/images/thumb/[^"]*)"', visitor.get("wiki/With_a_picture").text)
    page = visitor.get(small)
    assert (page.status, page.type) == (200, "image/png") and page.bytes.startswith(b"\x89PNG")
    page = visitor.get(re.sub("thumb/(.*)/.*", r"\1", small))
    assert (page.status, page.type, page.bytes) == (200, "image/png", picture.read_bytes())


def test_files_of_its_own_are_closed(box, wiki, visitor):  # pylint: disable=unused-argument
    """By the .htaccess files that it brings, or has written."""
    assert box.path(f"{WWW}/data/wiki.sqlite").exists()
    for path in ("data/wiki.sqlite", "w/includes/WebStart.php", "w/maintenance/update.php"):
        assert visitor.get(path).status == 403, path


def test_jobs_by_cron(box, wiki):
    """Outside of the instance, with what it has written; and inside, with what they have."""
    def run(script):
        return box.run("runuser", "-u", "wiki", "--", "php", f"{WWW}/w/maintenance/{script}.php").strip()

    wiki.edit("Template:Word", "a word")
    wiki.edit("With a word", "It is {{Word}}.")
    wiki.edit("Template:Word", "another word")
    assert int(run("showJobs")) > 0
    run("runJobs")
    assert run("showJobs") == "0"
    wiki.edit("With a word", "It is still {{Word}}.")


def test_without_network_other_servers_fail_at_once(wiki):
    page = fastest(lambda: wiki.ada.post(API, {"action": "upload", "filename": "Far.png", "token": wiki.token(),
                                               "url": "https://pictures.example/far.png", "format": "json"}))
    assert page.seconds < AT_ONCE and "error" in page.json(), page.text
    assert "http" in page.json()["error"]["code"], page.text


def test_check_says_what_it_can_not_do(wiki, findings):  # pylint: disable=unused-argument
    found = findings("wiki")
    assert found["network-needed"] == "MediaWiki can't connect to other servers, as the instance has Network=no"
    # It has more files than are looked at.
    assert set(found) == {"network-needed", "not-checked", "self-signed"}
