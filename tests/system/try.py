# SPDX-License-Identifier: MIT
"""Shows bellhop at work in a throw-away container; run by ./try."""

import argparse
import subprocess
import sys
import textwrap
import time

import showcase
from box import HERE, Box


def tell(box):
    failed = 0
    for title, show in showcase.SHOWS:
        try:
            seen, mark = show(box), "ok"
        except Exception as error:  # pylint: disable=broad-except  (one failing show must not hide the others)
            seen, mark, failed = f"{type(error).__name__}: {error}", "FAILED", failed + 1
        print(f"  {mark:6} {title}", flush=True)
        print(textwrap.indent(seen.strip("\n"), " " * 9), flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(prog="./try", description="Builds bellhop, boots systemd in a throw-away "
                                     "container, and shows two customers' sites, each served under its own user.")
    parser.add_argument("--shell", action="store_true", help="then open a shell inside; leaving it ends the container")
    options = parser.parse_args()

    started = time.monotonic()
    box = Box("bellhop-try")
    box.up()
    try:
        version = box.run("systemctl", "--version").split()[1]
        print(f"Booted systemd {version} as PID 1 of a container; nothing in it touches this host.")
        showcase.set_up(box)
        print("Installed bellhop; created customers alice (ECDSA certificate) and bob (RSA), each a Linux user.\n")
        failed = tell(box)
        seconds = time.monotonic() - started
        if failed:
            print(f"\nThe router's journal:\n{textwrap.indent(box.journal('-u', 'bellhop-router'), '  ')}")
            print(f"{failed} of {len(showcase.SHOWS)} were not as they should be, after {seconds:.0f} s.")
        else:
            print(f"\nAll {len(showcase.SHOWS)} as promised, in {seconds:.0f} s. The container is gone without a trace"
                  f"{' when you leave the shell' if options.shell else ''}.")
        if options.shell:
            print("\nA shell inside. Try: systemctl status 'bellhop*'   "
                  "curl --resolve alice.example:80:127.0.0.1 http://alice.example/")
            subprocess.run([HERE / "sdbox", "run", "bash"], env=box.env, check=False)
        return 1 if failed else 0
    finally:
        box.down()


if __name__ == "__main__":
    sys.exit(main())
