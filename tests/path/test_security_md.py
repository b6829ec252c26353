# SPDX-License-Identifier: MIT
"""SECURITY.md promises tests by name: they must exist."""

import pathlib
import re

TESTS = pathlib.Path(__file__).resolve().parent.parent
SECURITY = (TESTS.parent / "SECURITY.md").read_text(encoding="utf-8")


def test_every_named_test_exists():
    sources = "".join(path.read_text(encoding="utf-8") for path in [*TESTS.glob("*/*.py"), *TESTS.glob("unit/*.c")])
    defined = set(re.findall(r"^(?:def|static void) (\w+)\(", sources, re.MULTILINE))
    files = {path.name for path in TESTS.glob("*/*")} | {path.stem for path in TESTS.glob("fuzz/*.c")}
    rows = [line for line in SECURITY.splitlines() if line.startswith("| ") and "---" not in line]
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row.rstrip("| ").rpartition(" | ")[2])}
    assert len(named) > 60
    for row in rows:
        assert row.endswith("by |") or re.search(r"`[^`]+` \|$", row), f"no test: {row}"
    for name in named:
        if "/" in name:
            assert list(TESTS.parent.glob(name)), name
        else:
            assert name in defined or name in files, name
