# SPDX-License-Identifier: MIT
"""WordPress with MariaDB, as a customer sets it up and uses it with a browser; without a network, and with one."""

import pathlib
import re
import subprocess

import pytest
import wordpress_org
from browser import Browser, fastest

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
HOST = "blog.example"
WWW = "/srv/www/blog"
SNIPPET = "/etc/bellhop/sites/blog/wordpress.conf"
PASSWORD = "correct horse 1 Battery"
# A plugin of the customer: an event that is due once, and reports what has run it. Each visit tries to run due
# events, not only one visit in a minute.
TICK = """<?php
define('WP_CRON_LOCK_TIMEOUT', 0);
add_action('tick', function () { file_put_contents(WP_CONTENT_DIR . '/ticked', php_sapi_name()); });
if (file_exists(WP_CONTENT_DIR . '/tick')) {
    unlink(WP_CONTENT_DIR . '/tick');
    wp_schedule_single_event(time(), 'tick');
}
"""
# Below WordPress's own timeouts, and far above what a busy machine takes.
AT_ONCE = 5


class Blog:
    def __init__(self, box):
        self.box, self.admin = box, Browser(box, HOST)

    def install(self):
        """By WordPress's two forms; their answers are kept for a test."""
        browser = self.admin
        page = browser.get("")
        assert page.url.endswith("/wp-admin/setup-config.php"), page.url
        self.configured = browser.post("wp-admin/setup-config.php?step=2", {
            "dbname": "blog", "uname": "blog", "pwd": "secret", "dbhost": "localhost", "prefix": "wp_", "submit": "Submit"})
        form = browser.get("wp-admin/install.php").form("setup")
        form.update(weblog_title="A Small Blog", user_name="ada", admin_password=PASSWORD, admin_password2=PASSWORD,
                    pw_weak="on", admin_email="ada@blog.example")
        self.installed = browser.post("wp-admin/install.php?step=2", form)
        self.dashboard = self.login(browser, "ada", PASSWORD)

    def login(self, browser, name, password):
        form = browser.get("wp-login.php").form("loginform")
        return browser.post("wp-login.php", dict(form, log=name, pwd=password))

    def rest(self, route, fields=None, *args):
        """As WordPress's own pages do it."""
        nonce = self.admin.get("wp-admin/admin-ajax.php?action=rest-nonce").text
        return self.admin.post(f"index.php?rest_route=/{route}", fields or {}, "-H", f"X-WP-Nonce: {nonce}", *args)

    def health(self, test):
        """What Site Health says of the site: status, text, and how long it took."""
        page = fastest(lambda: self.rest(f"wp-site-health/v1/tests/{test}", None, "-G"))
        return page.json()["status"], page.json()["description"], page.seconds

    def make_due(self):
        """The next visit plans the event."""
        self.box.path(f"{WWW}/wp-content/ticked").unlink(missing_ok=True)
        self.box.run("runuser", "-u", "blog", "--", "touch", f"{WWW}/wp-content/tick")

    def ticked(self):
        path = self.box.path(f"{WWW}/wp-content/ticked")
        return path.exists() and path.read_text()


@pytest.fixture(name="blog", scope="module")
def blog_fixture(box):
    box.run("bellhopctl", "add", "blog", "--create-user", "--self-signed", f"--host={HOST}")
    # The configuration of Debian's package is for one site by the machine's administrator.
    box.shell(f"""
        rm {WWW}/index.html
        cp -rL /usr/share/wordpress/. {WWW}
        rm {WWW}/wp-config.php {WWW}/.htaccess
        mkdir {WWW}/wp-content/mu-plugins
        mariadb -e "CREATE DATABASE blog; CREATE USER blog@localhost IDENTIFIED BY 'secret'; GRANT ALL ON blog.* TO blog@localhost"
    """)
    box.write(f"{WWW}/wp-content/mu-plugins/tick.php", TICK)
    box.run("chown", "-R", "blog:", WWW)
    blog = Blog(box)
    blog.install()
    return blog


@pytest.fixture(name="network")
def network_fixture(box):
    def set_to(value):
        box.run("bellhopctl", "set", "blog", f"--network={value}")
    yield set_to
    set_to("no")


@pytest.fixture(name="nginx")
def nginx_fixture(box, blog):  # pylint: disable=unused-argument
    """The same site by the other server, as bellhop-nginx(8) says."""
    page = (SOURCE / "man/bellhop-nginx.8.scd").read_text(encoding="utf-8")
    box.write(SNIPPET, re.search("^## WordPress\n\n```\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[1])
    box.run("bellhopctl", "set", "blog", "--server=nginx")
    yield
    box.path(SNIPPET).unlink()
    box.run("bellhopctl", "set", "blog", "--server=apache")


@pytest.fixture(name="wordpress_org", scope="module")
def wordpress_org_fixture(box, blog, internet):  # pylint: disable=unused-argument
    """It is in the internet, and the machine's list of authorities has its own."""
    box.shell("""
        mkdir /root/wordpress.org
        cd /root/wordpress.org
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 -subj /CN=wordpress.org \\
                -addext subjectAltName=DNS:wordpress.org,DNS:*.wordpress.org -keyout key.pem -out cert.pem 2>/dev/null
        cat cert.pem >>/etc/ssl/certs/ca-certificates.crt
    """)
    box.write("/usr/local/lib/wordpress_org.py", pathlib.Path(wordpress_org.__file__).read_text(encoding="utf-8"))
    server = box.popen_run("ip", "netns", "exec", "world", "/usr/bin/python3", "/usr/local/lib/wordpress_org.py",
                           "/root/wordpress.org", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdout.readline() == "up\n"
    yield
    server.communicate(timeout=20)


def test_installer(box, blog):
    assert "WordPress can now communicate with your database" in blog.configured.text
    assert "Success!" in blog.installed.text
    assert blog.dashboard.url == f"https://{HOST}/wp-admin/" and "Howdy, " in blog.dashboard.text
    page = Browser(box, HOST).get("")
    assert page.status == 200 and "A Small Blog" in page.text and "Hello world!" in page.text
    # What WordPress has written is the customer's.
    assert box.path(f"{WWW}/wp-config.php").stat().st_uid == box.uid("blog")


def test_wrong_password(box, blog):
    page = blog.login(Browser(box, HOST), "ada", "wrong")
    assert "is incorrect" in page.text and "Howdy" not in page.text


def test_upload_is_served(box, blog, picture):
    form = blog.admin.get("wp-admin/media-new.php").form("file-form")
    page = blog.admin.upload("wp-admin/async-upload.php", picture, "async-upload", "image/png",
                             {"action": "upload-attachment", "name": "picture.png", "_wpnonce": form["_wpnonce"]})
    said = page.json()
    assert said["success"], said
    visitor = Browser(box, HOST)
    assert re.fullmatch(rf"https://{HOST}/wp-content/uploads/\d+/\d+/picture(-1)?\.png", said["data"]["url"])
    served = visitor.get(said["data"]["url"])
    assert (served.status, served.type, served.bytes) == (200, "image/png", picture.read_bytes())
    smaller = visitor.get(said["data"]["sizes"]["thumbnail"]["url"])
    assert (smaller.status, smaller.type) == (200, "image/png") and smaller.bytes.startswith(b"\x89PNG")


def test_pretty_permalinks(box, blog):
    """WordPress writes the .htaccess itself after the form of links is set."""
    visitor = Browser(box, HOST)
    assert visitor.get("articles/hello-world/").status == 404
    form = blog.admin.get("wp-admin/options-permalink.php").form("form")
    page = blog.admin.post("wp-admin/options-permalink.php", dict(form, selection="custom",
                                                                  permalink_structure="/articles/%postname%/"))
    assert "Permalink structure updated." in page.text
    assert "RewriteRule . /index.php [L]" in box.path(f"{WWW}/.htaccess").read_text()
    page = visitor.get("articles/hello-world/")
    assert page.status == 200 and "Welcome to WordPress." in page.text
    page = visitor.get("articles/none/")
    assert page.status == 404 and "A Small Blog" in page.text
    assert visitor.get("wp-json/wp/v2/posts").json()[0]["link"] == f"https://{HOST}/articles/hello-world/"


def test_site_is_healthy(blog):
    """HTTPS is seen, and a login by the Authorization header arrives."""
    assert blog.health("https-status")[0] == "good"
    page = blog.rest("wp-site-health/v1/tests/authorization-header", None, "-G", "-u", "user:pwd")
    assert page.json()["status"] == "good", page.text


def test_without_network_requests_fail_at_once(blog, findings):
    """And WordPress knows why: no host has an address."""
    for test, host in (("loopback-requests", HOST), ("dotorg-communication", "api.wordpress.org")):
        status, text, seconds = blog.health(test)
        assert status == "critical" and f"cURL error 6: Could not resolve host: {host}" in text
        assert seconds < AT_ONCE
    page = fastest(lambda: blog.admin.get("wp-admin/update-core.php?force-check=1"))
    assert page.status == 200 and "Last checked on" in page.text and page.seconds < AT_ONCE
    found = findings("blog")
    assert set(found) == {"network-needed", "self-signed"}
    assert found["network-needed"] == "WordPress can't connect to other servers, as the instance has Network=no"


def test_without_network_cron_runs_what_is_due(box, blog):
    """The request of WordPress to itself fails, and nobody waits for it."""
    visitor = Browser(box, HOST)
    blog.make_due()
    page = fastest(lambda: visitor.get(""))
    assert page.status == 200 and page.seconds < AT_ONCE
    assert not blog.ticked()
    # As the customer's crontab says.
    box.run("runuser", "-u", "blog", "--", "php", f"{WWW}/wp-cron.php")
    assert blog.ticked() == "cli"


def test_password_reset_by_mail(box, blog, request):
    browser = Browser(box, HOST)
    page = blog.rest("wp/v2/users", {"username": "erin", "email": "erin@elsewhere.example", "password": PASSWORD,
                                     "roles": "author"})
    assert page.status == 201, page.text
    form = dict(browser.get("wp-login.php?action=lostpassword").form("lostpasswordform"), user_login="erin")
    # As long as the machine has no mail server, the visitor and the customer are told.
    page = fastest(lambda: browser.post("wp-login.php?action=lostpassword", form))
    assert "The email could not be sent." in page.text and page.seconds < AT_ONCE
    reason = "sendmail: the message was refused: 451 4.4.2 the mail server can't be reached"
    box.wait_for("the reason", lambda: reason in box.log("blog", "error"))
    mail = request.getfixturevalue("mail")
    page = browser.post("wp-login.php?action=lostpassword", form)
    assert "Check your email for the confirmation link" in page.text
    sender, text = mail.next()
    # Failures are reported to the customer.
    assert sender.startswith("<blog@")
    assert text.startswith("X-Bellhop-Instance: blog\r\n")
    assert f"\r\nFrom: WordPress <wordpress@{HOST}>\r\n" in text and "\r\nTo: erin@elsewhere.example\r\n" in text
    link = re.search(rf"https://{HOST}/wp-login\.php\?action=rp&\S+", text)
    form = browser.get(link[0]).form("resetpassform")
    page = browser.post("wp-login.php?action=resetpass", dict(form, pass1="another Horse 2", pass2="another Horse 2"))
    assert "Your password has been reset." in page.text
    assert "Howdy, " in blog.login(browser, "erin", "another Horse 2").text


def test_updates_come_from_the_internet(blog, network, wordpress_org, findings):  # pylint: disable=unused-argument
    """Updates and plugins come from wordpress.org; the machine, and so the site itself, is not a part of the
    internet."""
    network("internet")
    assert blog.health("dotorg-communication")[0] == "good"
    status, text, seconds = blog.health("loopback-requests")
    assert status == "critical" and "cURL error 7: Failed to connect" in text and seconds < AT_ONCE
    page = blog.admin.get("wp-admin/update-core.php?force-check=1")
    assert "An updated version of WordPress is available" in page.text
    assert set(findings("blog")) == {"self-signed"}


def test_plugin_comes_from_the_internet(box, blog, network, wordpress_org):  # pylint: disable=unused-argument
    network("internet")
    nonce = re.search(r'"ajax_nonce":"(\w+)"', blog.admin.get("wp-admin/plugins.php").text)[1]
    page = blog.admin.post("wp-admin/admin-ajax.php", {"action": "install-plugin", "slug": "greeter", "_ajax_nonce": nonce})
    said = page.json()
    assert said["success"], said
    assert blog.admin.get(said["data"]["activateUrl"]).status == 200
    assert "Greetings by the plugin" in Browser(box, HOST).get("").text


def test_with_the_machines_network_it_runs_what_is_due_itself(box, blog, network, internet):  # pylint: disable=unused-argument
    network("yes")
    assert blog.health("loopback-requests")[0] == "good"
    blog.make_due()
    visitor = Browser(box, HOST)
    box.wait_for("the event", lambda: visitor.get("").status == 200 and blog.ticked() == "fpm-fcgi")


@pytest.mark.usefixtures("nginx")
def test_nginx_serves_the_same_site(box, blog, picture, findings):
    """Pages, permalinks, uploads, its own interface and the dashboard; users remain logged in."""
    visitor = Browser(box, HOST)
    head = box.curl(f"https://{HOST}/", "-I").replace("\r", "")
    assert head.startswith("HTTP/2 200") and "\nserver: nginx\n" in head
    assert "A Small Blog" in visitor.get("").text
    assert "Welcome to WordPress." in visitor.get("articles/hello-world/").text
    assert visitor.get("articles/none/").status == 404
    assert visitor.get("wp-json/wp/v2/posts").json()[0]["link"] == f"https://{HOST}/articles/hello-world/"
    assert "Howdy, " in blog.admin.get("wp-admin/").text
    test_upload_is_served(box, blog, picture)
    test_site_is_healthy(blog)
    assert set(findings("blog")) == {"htaccess-ignored", "network-needed", "self-signed"}
