# SPDX-License-Identifier: MIT
"""Three commands after the installation, and two sites are there: as a browser sees them."""

import base64
import hashlib
import re
import subprocess

import pytest
from conftest import FOLDER
from PIL import Image

SIZE = (1000, 600)


def pin_of(box, name):
    """What Chromium knows a key by. No other one is trusted, so it must be this one."""
    key = subprocess.run(["openssl", "x509", "-noout", "-pubkey", "-in",
                          box.path(f"/etc/bellhop/tls/{name}/fullchain.pem")], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, check=True,
                         capture_output=True).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def try_to_browse(box, profile, url, pin, option):
    """Debian's Chromium on another machine, which has only the network in common with the box."""
    return box.try_client("chromium-headless-shell", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
                          "--host-resolver-rules=MAP * 127.0.0.1", f"--window-size={SIZE[0]},{SIZE[1]}",
                          f"--ignore-certificate-errors-spki-list={pin}", option, url)


def browse(*args):
    done = try_to_browse(*args)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_a_browser_shows_the_site(box, sites, tmp_path, name):
    url, pin = f"https://{sites[name]}/", pin_of(box, name)
    page = browse(box, tmp_path, url, pin, "--dump-dom")
    assert re.search("<title>(.*?)</title>", page)[1] == name and f"The site of {name} is served." in page

    shot = FOLDER / f"{name}.png"  # stays, to be looked at
    shot.unlink(missing_ok=True)
    browse(box, tmp_path, url, pin, f"--screenshot={shot}")
    with Image.open(shot) as image:
        assert image.size == SIZE
        colours = image.convert("RGB").getcolors(SIZE[0] * SIZE[1])
    paper = max(colours)[0]
    # Most of it is paper; letters, with their edges smoothed, are the rest.
    assert len(colours) > 20 and 0.005 < 1 - paper / (SIZE[0] * SIZE[1]) < 0.5


def test_a_browser_takes_no_other_certificate(box, sites, tmp_path):
    refused = try_to_browse(box, tmp_path, f"https://{sites['alice']}/", pin_of(box, "bob"), "--dump-dom")
    assert refused.returncode != 0 and "net::ERR_CERT_AUTHORITY_INVALID" in refused.stderr, refused


def test_nothing_is_wrong(box, sites):
    assert box.run("bellhopctl", "check", "--strict").endswith(
        f"{len(sites)} instances checked: 0 errors, 0 warnings.\n")
    listed = box.run("bellhopctl", "list", "--no-legend").splitlines()
    assert [line.split()[0] for line in listed] == list(sites)
