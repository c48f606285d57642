"""What the READMEs say is there: links, commands that compose, the same commands in both languages, every group."""

import re

import pytest
from conftest import REPOSITORY

from sweeper.config.grid import CONF

ROOT = REPOSITORY
ENGLISH, CHINESE = (ROOT / name for name in ("README.md", "README.zh-CN.md"))
REFERENCE = ROOT / "docs" / "commands.md"
PAGES = [ENGLISH, CHINESE, *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md"]
NAMES = "train|plan|tune|decide|watch|report|aggregate|choose|doctor"
COMMAND = rf"(?:python -m sweeper\.|sweeper )(?:{NAMES})\b|make |pip "


def commands(text: str) -> set[str]:
    """Commands in code spans and in indented lines, without what a line says about them."""
    spans = re.findall(rf"`((?:{COMMAND})[^`]*)`", text)
    lines = re.findall(rf"^    ((?:{COMMAND})(?:[^\n]*\\\n)*[^\n]*)$", text, re.MULTILINE)
    return {" ".join(re.sub(r"\s#.*", "", command).replace("\\\n", " ").split()) for command in (*spans, *lines)}


def blocks(text: str) -> list[str]:
    """Files to write, in the order in which they are shown."""
    return re.findall(r"(?:^    [a-z_]+: .*\n)+", text, re.MULTILINE)


def test_both_languages_have_the_same_commands_files_and_pictures():
    english, chinese = (path.read_text(encoding="utf-8") for path in (ENGLISH, CHINESE))
    assert commands(chinese) == commands(english) and len(commands(english)) > 9
    assert blocks(chinese) == blocks(english) and len(blocks(english)) == 1
    outputs = [re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL) for page in (english, chinese)]
    assert outputs[0] == outputs[1] and outputs[0]
    pictures = [re.findall(r"!\[[^]]*\]\(([^)]+)\)", page) for page in (english, chinese)]
    assert pictures[0] == pictures[1] and pictures[0]


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=lambda page: page.name)
def test_a_readme_is_short(page):
    assert len(page.read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=lambda page: page.name)
def test_the_reproduced_accuracies_are_those_of_their_page(page):
    source = (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")
    accuracy = r"([\d.]+(?: ± [\d.]+)? \(n = \d\))"
    text = " ".join(page.read_text("utf-8").split())
    pairs = re.findall(rf"{accuracy}(?:, published |，已发表 ){accuracy}", text)
    assert len(pairs) == 3 and all(f"| {published} | {ours} |" in source for ours, published in pairs)


def test_the_table_of_groups_names_every_choice():
    choices = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE))
    assert {"device", "dataset", "model", "optimizer", "schedule", "noise", "tracking", "experiment"} == choices.keys()
    for group, named in choices.items():
        assert set(re.findall(r"`(\w+)`", named)) == {path.stem for path in (CONF / group).glob("*.yaml")}, group


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target
