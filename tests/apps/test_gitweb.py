# SPDX-License-Identifier: MIT
"""gitweb, a CGI program in Perl; and git itself over HTTP: by git-http-backend, a CGI program in C."""

import io
import os
import tarfile

import pytest
from browser import Browser

HOST = "code.example"
WWW = "/srv/www/code"
CONFIG = """
$projectroot = "/home/code/repositories";
$feature{"snapshot"}{"default"} = ["tgz"];
$feature{"blame"}{"default"} = [1];
1;
"""
# Everybody may clone, who has the password may push.
BACKEND = """#!/bin/sh
GIT_PROJECT_ROOT=/home/code/repositories GIT_HTTP_EXPORT_ALL=1 exec git http-backend
"""
HTACCESS = """
SetEnv GITWEB_CONFIG /home/code/gitweb.conf
RewriteEngine On
RewriteRule ^git/(.*) /git.cgi/$1 [L]
AuthType Basic
AuthName code
AuthUserFile /home/code/htpasswd
<If "%{REQUEST_URI} =~ m#/git-receive-pack$# || %{QUERY_STRING} == 'service=git-receive-pack'">
    Require valid-user
</If>
"""
# As the customer, by SSH.
REPOSITORY = """
cd
git config --global init.defaultBranch main
git config --global user.name Ada
git config --global user.email ada@code.example
git init -q work
cd work
echo 'the first line' >README
git add README
git commit -q -m 'The first commit'
git clone -q --bare . ../repositories/project.git
echo 'A small project' >../repositories/project.git/description
"""


@pytest.fixture(name="code", scope="module")
def code_fixture(box):
    box.run("bellhopctl", "add", "code", "--create-user", "--self-signed", f"--host={HOST}")
    box.write("/home/code/gitweb.conf", CONFIG)
    box.write(f"{WWW}/git.cgi", BACKEND, 0o755)
    box.write(f"{WWW}/.htaccess", HTACCESS)
    box.shell(f"""
        cp -rL /usr/share/gitweb {WWW}/gitweb
        printf 'ada:%s\\n' "$(openssl passwd -apr1 secret)" >/home/code/htpasswd
        chown -R code: {WWW} /home/code
        HOME=/home/code runuser -u code -- bash -euc '{REPOSITORY.replace("'", '"')}'
    """)
    return Browser(box, HOST)


@pytest.fixture(name="git")
def git_fixture(box, tmp_path):
    """A client elsewhere."""
    def run(*args, check=True):
        done = box.try_client("env", f"HOME={tmp_path}", "GIT_TERMINAL_PROMPT=0", "GIT_SSL_NO_VERIFY=1",
                              "git", "-c", f"http.curloptResolve={HOST}:443:127.0.0.1", "-c", "user.name=Bea",
                              "-c", "user.email=bea@elsewhere.example", *args)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout if check else done
    return run


def test_project_is_shown(code):
    page = code.get("gitweb/")
    assert page.status == 200 and "A small project" in page.text
    page = code.get("gitweb/?p=project.git")
    assert page.status == 200 and "The first commit" in page.text
    page = code.get("gitweb/?p=project.git;a=blame;f=README;hb=HEAD")
    assert "the first line" in page.text and "Ada" in page.text
    # Its style, from the same folder.
    page = code.get("gitweb/static/gitweb.css")
    assert page.type == "text/css" and "font-family" in page.text


def test_project_without_query(code):
    """By the path behind the program."""
    page = code.get("gitweb/gitweb.cgi/project.git/log")
    assert page.status == 200 and "The first commit" in page.text


def test_files_are_as_they_were_committed(code):
    assert code.get("gitweb/?p=project.git;a=blob_plain;f=README;hb=HEAD").text == "the first line\n"
    page = code.get("gitweb/?p=project.git;a=snapshot;h=HEAD;sf=tgz")
    with tarfile.open(fileobj=io.BytesIO(page.bytes)) as archive:
        name, = [each for each in archive.getnames() if each.endswith("/README")]
        assert archive.extractfile(name).read() == b"the first line\n"


def test_no_such_project(code):
    page = code.get("gitweb/?p=other.git")
    assert page.status == 404 and "No such project" in page.text


def test_clone_and_push(code, git, tmp_path):
    """The push is larger than git's buffer, so it arrives in chunks, without a Content-Length."""
    clone = tmp_path / "clone"
    git("clone", "-q", f"https://{HOST}/git/project.git", clone)
    assert (clone / "README").read_text() == "the first line\n"
    (clone / "random").write_bytes(os.urandom(3_000_000))
    git("-C", clone, "add", ".")
    git("-C", clone, "commit", "-q", "-m", "The second commit")
    done = git("-C", clone, "push", "-q", "origin", "HEAD:main", check=False)
    assert done.returncode != 0 and "could not read Username" in done.stderr
    git("-C", clone, "push", "-q", f"https://ada:secret@{HOST}/git/project.git", "HEAD:main")
    page = code.get("gitweb/?p=project.git")
    assert "The second commit" in page.text
    again = tmp_path / "again"
    git("clone", "-q", f"https://{HOST}/git/project.git", again)
    assert (again / "random").read_bytes() == (clone / "random").read_bytes()


def test_check_finds_nothing_wrong(code, findings):  # pylint: disable=unused-argument
    assert set(findings("code")) == {"self-signed"}
