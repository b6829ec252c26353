# SPDX-License-Identifier: MIT
"""What documents name exists: files, suites, verbs and options of bellhopctl, keys, programs of the man pages."""

import pathlib
import re

import pytest
from handoff import ROOT
from test_bellhopctl import COMMON, VERBS, options_of
from test_man_pages import PAGES, known_keys, say

DOCUMENTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
             for path in sorted([*pathlib.Path(ROOT).glob("*.md"), *pathlib.Path(ROOT, "doc").rglob("*.md")])}


def code(text):
    """Text in fences and in backticks."""
    fences = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [*fences, *re.findall(r"`([^`]+)`", rest)]


@pytest.fixture(name="document", params=DOCUMENTS)
def _document(request):
    return request.param


def test_links_lead_somewhere(document):
    folder = pathlib.Path(ROOT, document).parent
    for target in re.findall(r"\]\(([^)#:]+)\)", DOCUMENTS[document]):
        assert (folder / target).exists(), target


def anchors(text):
    """Of headings, as web pages of repositories name them."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def test_anchors_exist(document):
    folder = pathlib.Path(ROOT, document).parent
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]*)\)", DOCUMENTS[document]):
        assert anchor in anchors((folder / target).read_text(encoding="utf-8") if target else DOCUMENTS[document]), anchor


def test_links_lead_to_headings(document):
    """By the anchor that GitHub makes of a heading."""
    for target, anchor in re.findall(r"\]\(([\w./-]*)#([^)]+)\)", DOCUMENTS[document]):
        path = pathlib.Path(ROOT, document).parent / target if target else pathlib.Path(ROOT, document)
        text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        assert anchor in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings], anchor


def test_files_exist(document):
    """Those of the source tree; "*" stands for any, and in capitals is what the reader fills in."""
    for word in (word for text in code(DOCUMENTS[document]) for word in re.split(r"[\s,;()]+", text)):
        path = re.fullmatch(r"(?:\./)?((?:src|tests|doc|man|conf|units)/[\w@.*/-]+[\w*])", word)
        if path and not re.search(r"/[A-Z]+(/|$)", word):
            assert list(pathlib.Path(ROOT).glob(path.group(1))), word


def test_commands_of_bellhopctl(document):
    for text in code(DOCUMENTS[document]):
        for words in re.findall(r"\bbellhopctl +([^|&;`)\n#]*)", text.replace("\\\n", " ")):
            words = words.split()
            verb = next(word for word in words if not word.startswith("-"))
            assert verb in VERBS, words
            for option in (word for word in words if word.startswith("--")):
                assert option.partition("=")[0] in COMMON | options_of(verb), words


def test_keys_exist(document, tmp_path):
    known = {key for keys in known_keys(tmp_path).values() for key in keys}
    known |= set(re.findall(r"^(\w+)=", say("/lib/systemd/systemd", "--dump-configuration-items"), re.MULTILINE))
    for text in code(DOCUMENTS[document]):
        # awstats has keys of its own.
        text = re.sub(r"^cat >/etc/awstats/.*?^END$", "", text, flags=re.MULTILINE | re.DOTALL)
        for key in re.findall(r"(?<![\w.-])([A-Z][a-z]+[A-Z]?[a-zA-Z]*)=", text):
            assert key in known, f"{key}= in {text}"


def test_pages_exist(document):
    own = {tuple(name.rsplit(".", 1)) for name in PAGES}
    for page in re.findall(r"\b((?:bellhop|mod_bellhop|libbellhop)[\w.-]*)\((\d)\)", DOCUMENTS[document]):
        assert page in own, page


def test_suites():
    with open(f"{ROOT}/check", encoding="utf-8") as file:
        text = file.read()
    suites = " ".join(re.findall(r"^(?:SUITES|EXTRA)=\((.*)\)$", text, re.MULTILINE)).split()
    assert re.findall(r"^  (\w+)  ", text.partition("cat <<END")[2].partition("\nEND")[0], re.MULTILINE) == suites
    table = re.search(r"^\| suite \|.*?^$", DOCUMENTS["HACKING.md"], re.MULTILINE | re.DOTALL).group()
    table = re.findall(r"^\| (\w+) \|", table, re.MULTILINE)[1:]
    assert table == suites


def test_readme_installs_what_a_build_needs():
    """meson and gcc bring the rest, and tests are not built there."""
    lines = pathlib.Path(ROOT, "tests/packages").read_text(encoding="utf-8").splitlines()
    needed = {line.split()[1] for line in lines if line.startswith("build ")}
    command = re.search(r"^apt-get install ((?:.*\\\n)*.*)$", DOCUMENTS["README.md"], re.MULTILINE).group(1)
    assert needed - {"ninja-build", "libc6-dev", "libcmocka-dev"} <= set(command.split())
