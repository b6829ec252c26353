# SPDX-License-Identifier: MIT
"""A new user installs bellhop and adds a customer; then Chromium, which trusts the authority, shows the site."""

import subprocess

import pytest
from authority import wait_for_certificate

HOST = "brigitte.example"


@pytest.fixture(name="site", scope="module")
def _site(box, dns, authority):
    authority.configure()
    dns.has(HOST)
    box.run("bellhopctl", "add", "brigitte", "--create-user", f"--host={HOST}", "--acme")
    wait_for_certificate(box, "brigitte")
    yield f"https://{HOST}/"
    box.run("bellhopctl", "remove", "brigitte", "--purge", "--yes")


def browse(box, home, url):
    """Debian's Chromium on another machine, which has only the network in common with the box."""
    return box.try_client("env", f"HOME={home}", "chromium-headless-shell", "--no-sandbox", "--disable-gpu",
                          f"--user-data-dir={home}/profile", "--host-resolver-rules=MAP * 127.0.0.1", "--dump-dom", url)


def test_the_site_without_a_warning(box, authority, site, tmp_path):
    # Chromium trusts the authorities in this database of its user's, besides its own list.
    database = tmp_path / ".pki/nssdb"
    database.mkdir(parents=True)
    for options in (("-N", "--empty-password"), ("-A", "-n", "pebble", "-t", "C,,", "-i", box.path(authority.root))):
        subprocess.run(["certutil", "-d", f"sql:{database}", *options], check=True)
    shown = browse(box, tmp_path, site)
    assert shown.returncode == 0 and "The site of brigitte is served." in shown.stdout, shown


def test_a_browser_without_trust_in_the_authority(box, site, tmp_path):
    """Without this, the test above would prove nothing."""
    refused = browse(box, tmp_path, site)
    assert refused.returncode != 0 and "net::ERR_CERT_AUTHORITY_INVALID" in refused.stderr, refused
