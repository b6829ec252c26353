# SPDX-License-Identifier: MIT
"""What a common set-up leaves open: Debian's Apache for all, with a PHP-FPM pool for each user. The .htaccess file of one
customer has the pool of another run a page, as that other customer. The same files are harmless with bellhop."""

import pathlib
import subprocess

import pytest
from box import BUILD, Box

TESTS = pathlib.Path(__file__).resolve().parent.parent
SECRET = "the password of ned's database"
# Where the pool of the neighbour may listen: as Debian names it, and as an instance has it.
SOCKETS = ["/run/php/ned.sock", "/run/bellhop-instance/ned/php.sock"]
STOCK = """
    dpkg --install --no-triggers /root/apache2*.deb >/dev/null
    a2enmod -q rewrite proxy_fcgi >/dev/null
    sed -i 's/^Listen .*/Listen 8080/' /etc/apache2/ports.conf
    php=$(cd /etc/php && ls -d */fpm | cut -d/ -f1)
    : >/etc/apache2/sites-available/000-default.conf
    for name in eve ned; do
        cat >"/etc/php/$php/fpm/pool.d/$name.conf" <<END
[$name]
user = $name
group = $name
listen = /run/php/$name.sock
listen.owner = www-data
pm = ondemand
pm.max_children = 2
END
        cat >>/etc/apache2/sites-available/000-default.conf <<END
<VirtualHost *:8080>
    ServerName $name.example
    DocumentRoot /srv/www/$name
    <Directory /srv/www/$name>
        AllowOverride All
        Require all granted
    </Directory>
    <FilesMatch "\\\\.php$">
        SetHandler "proxy:unix:/run/php/$name.sock|fcgi://$name"
    </FilesMatch>
</VirtualHost>
END
    done
    systemctl restart "php$php-fpm" apache2.service
"""
PAGE = ("<?php echo 'runs as ', posix_getpwuid(posix_geteuid())['name'], '; ', "
        "@file_get_contents('/srv/www/ned/secret.txt');")


def rules(socket):
    """Two ways to name a pool."""
    return (f'<Files "handler.php">\n    SetHandler "proxy:unix:{socket}|fcgi://neighbour"\n</Files>\n'
            f'RewriteEngine On\nRewriteRule ^rewrite$ "unix:{socket}|fcgi://neighbour/srv/www/eve/page.php" [P]\n')


@pytest.fixture(name="pools", scope="module")
def pools_fixture():
    folder = BUILD / "box-packages"
    subprocess.run([TESTS / "download-packages", "box", folder], check=True)
    box = Box("bellhop-pools")
    box.up()
    try:
        box.install()
        for deb in folder.glob("apache2*.deb"):
            box.path(f"/root/{deb.name}").write_bytes(deb.read_bytes())
        for name in ("eve", "ned"):
            box.create_customer(name, [f"{name}.example"])
        for page in ("page.php", "handler.php"):
            box.write(f"/srv/www/eve/{page}", PAGE)
        box.write("/srv/www/ned/index.php", "<?php echo 'ned';")
        box.write("/srv/www/ned/secret.txt", SECRET, 0o600)
        # Apache runs as www-data, so it must be able to read what it sends.
        box.shell("chmod 0755 /srv/www/eve /srv/www/ned; chown -R eve: /srv/www/eve; chown -R ned: /srv/www/ned")
        for name in ("eve", "ned"):
            box.start_customer(name)
        box.shell(STOCK)
        yield box
    finally:
        box.down()


def put_rules(box, socket):
    box.write("/srv/www/eve/.htaccess", rules(socket))
    box.run("chown", "eve:", "/srv/www/eve/.htaccess")


def stolen(box, port, path):
    said = box.try_client("curl", "-sS", "--max-time", "20", "--connect-to", f"::127.0.0.1:{port}",
                          f"http://eve.example/{path}").stdout
    return SECRET in said or "runs as ned" in said


@pytest.mark.parametrize("path", ["handler.php", "rewrite"])
def test_pool_of_a_neighbour(pools, path):
    """With Debian's Apache, it runs the page; with an instance of either server, it does not."""
    put_rules(pools, SOCKETS[0])
    assert stolen(pools, 8080, path)
    for server in ("apache", "nginx"):
        pools.run("bellhopctl", "set", "eve", f"--server={server}")
        # The pool of ned's instance runs as well.
        assert pools.curl("http://ned.example/index.php") == "ned"
        for socket in SOCKETS:
            put_rules(pools, socket)
            assert not stolen(pools, 80, path)
        assert "runs as eve" in pools.curl("http://eve.example/page.php")
