"""What the READMEs say is there: links, commands that compose, and the same commands in both languages."""

import re

import pytest
from conftest import REPOSITORY

from sweeper.config.grid import compose_grid

ROOT = REPOSITORY
ENGLISH, CHINESE = (ROOT / name for name in ("README.md", "README.zh-CN.md"))
PAGES = [ENGLISH, CHINESE, *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md"]


def commands(text: str) -> set[str]:
    """Commands in code spans, and the lines of `make`."""
    spans = re.findall(r"`((?:python -m|make|pip) [^`]+)`", text)
    lines = re.findall(r"^    (make \w+)", text, re.MULTILINE)
    return {*spans, *lines}


def blocks(text: str) -> list[str]:
    """Files to write, in the order in which they are shown."""
    return re.findall(r"(?:^    [a-z_]+: .*\n)+", text, re.MULTILINE)


def test_both_languages_have_the_same_commands_and_files():
    english, chinese = (path.read_text() for path in (ENGLISH, CHINESE))
    shown_once = {"python -m sweeper.report"}  # the pages that the English one describes at length
    pictures = {c for c in commands(english) if "experiment=robustness dataset=digits" in c}
    assert commands(chinese) == commands(english) - shown_once - pictures
    assert blocks(chinese) == blocks(english) and len(blocks(english)) == 1
    choices = re.compile(r"^\| `(\w+)` \| (.*) \|$", re.MULTILINE)
    for page in (english, chinese):
        assert {"device", "dataset", "model", "optimizer", "schedule", "noise"} <= dict(choices.findall(page)).keys()
    named = [{key: set(re.findall(r"`(\w+)`", value)) for key, value in choices.findall(p)} for p in (english, chinese)]
    for key, names in named[0].items():
        assert names <= named[1][key] | {"train", "test"}, key


@pytest.mark.slow
@pytest.mark.parametrize("page", [ENGLISH, ROOT / "docs" / "scaling.md", ROOT / "docs" / "workflow.md"])
def test_the_commands_to_train_compose(page):
    found = re.findall(r"python -m sweeper\.train ([^`\n#\\]+)", page.read_text())
    assert found
    for arguments in found:
        words = arguments.split()
        if "…" not in arguments and not any("mine" in word for word in words):
            assert compose_grid([word for word in words if word not in {"--cfg", "job"}]).cells


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target
