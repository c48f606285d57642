"""The documentation builds, stands alone without a network, and what is broken in it ends the build."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

pytest.importorskip("zensical")
pytestmark = pytest.mark.site

ROOT = REPOSITORY
LOADED = re.compile(r'<(?:script|img|link|iframe)\b[^>]*?(?:src|href)="((?:https?:)?//[^"]*)"')
COLOR = re.compile(r"\x1b\[[0-9;]*m")


def build(repository: Path) -> tuple[int, str]:
    """By the very commands of `make docs`, until one fails: the exit code, and what they print."""
    recipe = re.search(r"^docs:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    commands = recipe[1].replace("$(BIN)/python", sys.executable).replace("$(BIN)/", f"{sys.executable} -m ")
    done = subprocess.run(
        ["bash", "-ec", commands],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, COLOR.sub("", done.stdout)


def lay(folder: Path) -> Path:
    """A copy of docs/, with what its pages are made of and link to around it."""
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.name not in ("docs", "build"):
            (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture
def copy(tmp_path):
    return lay(tmp_path)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = lay(tmp_path_factory.mktemp("repository"))
    code, printed = build(folder)
    assert code == 0, printed
    return folder / "build" / "docs"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[there](nowhere.md)", "nowhere.md"),
        ("[there](statistics.md#nowhere)", "#nowhere"),
        ("[there](../sweeper/nowhere.py)", "../sweeper/nowhere.py"),
        ("![there](nowhere.png)", "nowhere.png"),
        ("::: sweeper.nowhere", "sweeper.nowhere"),
    ],
)
def test_what_is_not_there_ends_the_build(copy, line, words):
    page = copy / "docs" / "pairing.md"
    page.write_text(f"{page.read_text()}\n{line}\n")
    code, printed = build(copy)
    assert code != 0 and words in printed


def test_a_page_that_the_navigation_lacks_ends_the_build(copy):
    (copy / "docs" / "orphan.md").write_text("# An orphan\n")
    code, printed = build(copy)
    assert code != 0 and "orphan.md" in printed


def test_a_link_out_of_docs_is_a_page_of_the_site(site):
    assert "repository/conf/speeds.yaml.html" in (site / "before.html").read_text()
    assert "images_per_second" in (site / "repository" / "conf" / "speeds.yaml.html").read_text()


def test_nothing_is_loaded_from_elsewhere(site):
    report = site / "study" / "cifar10" / "report.html"  # its own policy forbids it
    for page in set(site.rglob("*.html")) - {report}:
        assert LOADED.findall(page.read_text()) == [], page


def test_no_mark_of_a_list_or_a_block_is_left_in_a_paragraph(site):
    """Lists of code and paragraphs want four spaces here, and blank lines around what is in them."""
    for page in set(site.rglob("*.html")) - {site / "study" / "cifar10" / "report.html"}:
        for paragraph in re.findall(r"<p>(.*?)</p>", page.read_text(), re.DOTALL):
            assert not re.search(r"\n\s*(?:- |\d+\. |\||```|~~~)", paragraph), f"{page}: {paragraph}"


def test_every_choice_command_and_column_has_its_place_in_the_reference(site):
    from sweeper.runs.metrics import METRICS
    from sweeper.runs.results import COLUMNS

    for path in (ROOT / "conf").glob("[!h]*/*.yaml"):
        page = site / "reference" / "configuration" / f"{path.parent.name}.html"
        assert f"<code>{path.parent.name}={path.stem}</code>" in page.read_text()
    commands = (site / "reference" / "commands.html").read_text()
    for name in ("train", "aggregate", "report", "watch", "choose", "doctor", "plan", "tune", "decide", "verify"):
        assert f"python -m sweeper.{name}" in commands
    files = (site / "reference" / "files.html").read_text()
    for column in (*COLUMNS, *METRICS):
        assert f"<code>{column}</code>" in files, column


@pytest.fixture
def pages():
    pages = pytest.importorskip("tests.browser.pages", reason="pip install '.[test-extras]'")
    if pages.find_browser() is None:
        pytest.skip("apt-get install chromium chromium-driver")
    return pages


CLIPPED = """
return [...document.querySelectorAll(".md-content pre, .md-content pre > code")]
    .filter((block) => block.scrollWidth > block.clientWidth + 1).map((block) => block.textContent.slice(0, 60))
"""


@pytest.mark.parametrize("width", [1400, 390])
def test_no_block_of_code_is_clipped(site, pages, width):
    with pages.open_browser(width=width) as browser:
        for page in ("index", "tutorial", "before", "reference/commands", "reference/python"):
            browser.get((site / f"{page}.html").as_uri())  # the theme's script may still replace the content then
            pages.WebDriverWait(browser, 30).until(lambda b: b.find_elements("css selector", ".md-content pre > code"))
            assert browser.execute_script(CLIPPED) == [], page


TABLES = """
return [...document.querySelectorAll(".md-content table:not([class])")].map((table) => {
  const place = table.closest(".md-typeset__scrollwrap").clientWidth;
  const columns = [...table.rows[0].cells].map((cell) => cell.getBoundingClientRect().width);
  return [table.rows[0].textContent, table.getBoundingClientRect().width - place, columns];
});
"""


def test_every_table_has_its_place_and_its_words_theirs(site, pages):
    """None scrolls sideways on a screen, and no column of sentences is narrow because another is wide."""
    having = [page for page in sorted(site.rglob("*.html")) if "<table>" in page.read_text()]
    found = {}
    with pages.open_browser(width=1400) as browser:
        for page in having:
            browser.get(page.as_uri())
            pages.WebDriverWait(browser, 30).until(
                lambda b: b.find_elements("css selector", ".md-content .md-typeset__scrollwrap table")
            )
            name = page.relative_to(site).as_posix()
            found[name] = browser.execute_script(TABLES)
            assert all(over <= 1 for _, over, _ in found[name]), (name, found[name])
        browser.get((site / "commands.html").as_uri())
        options = "return [...document.querySelectorAll('td .option')].map((one) => one.getClientRects().length)"
        pages.WebDriverWait(browser, 30).until(lambda b: b.find_elements("css selector", "td .option"))
        assert set(browser.execute_script(options)) == {1}
    ((_, _, columns), *_) = found["commands.html"]
    assert columns[2] > 300 and len(found) > 20


WIDE = """
const wrapped = (table) => table.closest(".md-typeset__scrollwrap");
const tables = [...document.querySelectorAll(".md-content table:not([class])")];
return {
  page: document.documentElement.scrollWidth - window.innerWidth,
  wide: tables.filter((table) => table.scrollWidth > wrapped(table).clientWidth).length,
  still: tables.map(wrapped).filter((place) => getComputedStyle(place).overflowX !== "auto").length,
};
"""


def test_on_a_phone_a_wide_table_scrolls_and_its_page_does_not(site, pages):
    wide = 0
    with pages.open_browser(width=390) as browser:
        for page in (page for page in sorted(site.rglob("*.html")) if "<table>" in page.read_text()):
            browser.get(page.as_uri())
            pages.WebDriverWait(browser, 30).until(
                lambda b: b.find_elements("css selector", ".md-content .md-typeset__scrollwrap table")
            )
            found = browser.execute_script(WIDE)
            assert found["page"] <= 0 and found["still"] == 0, page
            wide += found["wide"]
    assert wide > 20


def test_the_search_works_from_the_disk(site, pages):
    found = "return [...document.body.children].map((child) => child.shadowRoot?.textContent ?? '').join()"
    type_in = pytest.importorskip("selenium.webdriver").ActionChains
    with pages.open_browser() as browser:
        wait = pages.WebDriverWait(browser, 30)
        browser.get((site / "how-to" / "arms.html").as_uri())
        button = wait.until(lambda b: b.find_element("css selector", ".md-search__button"))
        button.click()
        wait.until(lambda b: b.execute_script("return document.activeElement.shadowRoot !== null"))
        for letter in "adafactor":
            type_in(browser).send_keys(letter).perform()
        wait.until(lambda b: "optimizer=adafactor" in b.execute_script(found))
