"""The report in a real browser, which has no network: what a person sees are the tables' numbers."""

import base64
import json
import re
import shutil
import subprocess

import pytest
from conftest import REPOSITORY
from made_runs import change_record, make_run, make_study

from sweeper.report.command import report

selenium = pytest.importorskip("selenium", reason="pip install '.[test-extras]'")
from selenium.webdriver.common.by import By  # noqa: E402

from tests.browser.pages import find_browser, open_page  # noqa: E402

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_browser() is None, reason="apt-get install chromium chromium-driver"),
]


def column(browser, table, place):
    rows = browser.find_elements(By.CSS_SELECTOR, f"#{table} tbody tr")
    return [row.find_elements(By.TAG_NAME, "td")[place].text for row in rows]


def test_it_opens_without_an_error_or_a_request(browser, outputs):
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert asked and all(url.startswith(("file:", "data:", "blob:")) for url in asked)
    assert browser.execute_script("return document.querySelectorAll('.chart svg.plot .line').length") > 0


def test_tables_sort_by_number_both_ways(browser):
    browser.execute_script("document.querySelector('#runs details').open = true")
    button = browser.find_element(By.CSS_SELECTOR, "#runs-table th:nth-child(2) button")
    assert button.text.startswith("final")
    button.click()
    rising = column(browser, "runs-table", 1)
    button.click()
    falling = column(browser, "runs-table", 1)
    numbers = [float(text) for text in rising if text != "–"]
    assert numbers == sorted(numbers) and len(set(numbers)) > 5 and rising[-1] == "–"
    assert [float(text) for text in falling[:-1]] == numbers[::-1] and falling[-1] == "–"


def test_the_rows_of_many_runs_are_written_by_the_pages_script(tmp_path, monkeypatch):
    """The same cells, sorted alike, as a page that has them in its text."""
    for lr in (0.1, 0.2, 0.3):
        for seed in (1, 2, 3):
            make_run(tmp_path, optimizer__lr=lr, seed=seed, accuracy=0.9 - lr / 10 - seed / 100)
    make_run(tmp_path, "diverged", optimizer__lr=0.3, seed=4, error="loss <b>")
    found = []
    for most in (300, 5):
        monkeypatch.setattr("sweeper.report.packed_tables.WRITTEN_OUT", most)
        monkeypatch.setattr("sweeper.report.curve_data.MOST_VALUES", 10 * most)
        report([str(tmp_path)])
        with open_page(tmp_path / "report.html") as page:
            assert page.get_log("browser") == []
            page.execute_script(
                "document.querySelectorAll('details').forEach((one) => { one.open = true; });"
                "document.querySelectorAll('#ranking-0 th:nth-child(2) button, #runs-table th:nth-child(2) button')"
                ".forEach((one) => one.click());"
            )
            cells = "[...row.cells].map((cell) => [cell.textContent, cell.className])"
            rows = f"[...document.querySelectorAll('tbody tr')].map((row) => [row.className, {cells}])"
            dots = "document.querySelectorAll('.dot path').length"
            found.append(page.execute_script(f"return [{rows}, {dots}]"))
    assert found[0] == found[1] and len(found[0][0]) > 15
    assert (tmp_path / "report.html").read_text().count("<td>") < 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_light_and_dark_wide_and_narrow(outputs, scheme, width):
    with open_page(outputs / "report.html", scheme, width) as page:
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
        texts = "[...document.querySelectorAll('.picture svg, .picture text, .chart svg, .chart text, .legend button')]"
        assert page.execute_script(f"return Math.max(...{texts}.map((e) => e.getBoundingClientRect().right))") <= width
        paper, ink, axis = page.execute_script(
            "const style = getComputedStyle(document.body);"
            "const tick = document.querySelector('#curves-chart .tick');"
            "return [style.backgroundColor, style.color, getComputedStyle(tick).fill]"
        )
        assert (brightness(paper) < 0.2) == (scheme == "dark")
        assert abs(brightness(paper) - brightness(ink)) > 0.6
        assert abs(brightness(paper) - brightness(axis)) > 0.6
        assert page.get_log("browser") == []


def brightness(color):
    """Of `rgb(r, g, b)`, from 0 to 1."""
    return sum(float(part) for part in color[color.index("(") + 1 : -1].split(",")[:3]) / 765


def test_charts_follow_a_change_of_scheme(outputs):
    with open_page(outputs / "report.html", "light") as page:
        ink = (
            "return ['#curves-chart .tick', '#answer-0 .dot path'].map((place) => "
            "getComputedStyle(document.querySelector(place)).fill)"
        )
        before = page.execute_script(ink)
        features = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
        assert not {*page.execute_script(ink)} & {*before}


def test_it_prints_on_white_whatever_the_screen_has(outputs):
    with open_page(outputs / "report.html", "dark") as page:
        features = {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
        assert brightness(page.execute_script("return getComputedStyle(document.body).backgroundColor")) == 1
        assert page.execute_script("return getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
        kept = "return [...document.querySelectorAll(arguments[0])].map((one) => getComputedStyle(one).breakInside)"
        for whole in ("figure", ".card"):
            assert set(page.execute_script(kept, whole)) == {"avoid"}


def test_the_one_epoch_of_short_runs_stands_beside_its_name(tmp_path):
    """Or the line from one to the other would look like a curve."""
    for optimizer in ("adam", "sgd"):
        make_run(tmp_path, optimizer=optimizer, epochs=1)
    report([str(tmp_path)])
    with open_page(tmp_path / "report.html") as page:
        width = "(one) => one.getBoundingClientRect().width"
        found = page.execute_script(f"return [...document.querySelectorAll('#curves-chart .leader')].map({width})")
    assert len(found) == 2 and max(found) < 100


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    into = tmp_path_factory.mktemp("published")
    report([str(REPOSITORY / "docs" / "study" / "cifar10" / "runs")], str(into))
    return into / "report.html"


def printed(page):
    with open_page(page) as browser:
        return base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])


@pytest.mark.parametrize("kind", ["made", "the study's"])
def test_it_prints_on_four_pages_at_most(outputs, study, kind):
    content = printed(study if kind == "the study's" else outputs / "report.html")
    assert content.startswith(b"%PDF") and 2 <= content.count(b"/Type /Page\n") <= 4


def ranked_on_paper(page):
    """Of each printed page how many rows of a ranking, or of losses by wrong labels, follow each header there."""
    command = ["pdftotext", "-layout", "-", "-"]
    text = subprocess.run(command, input=printed(page), stdout=subprocess.PIPE, check=True).stdout.decode()
    found = []
    for paper in text.split("\f"):
        tables = re.split(r"^ *optimizer .*(?:final|label noise).*$", paper, flags=re.MULTILINE)
        found.append([len(re.findall(r"^.*% \(n = \d\).*$", rows, re.MULTILINE)) for rows in tables])
    return [(before, rows) for before, *rows in found]


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="apt-get install poppler-utils")
def test_on_paper_no_row_is_without_its_header_or_alone(tmp_path):
    """A table that fits on a page is whole; a longer one has its header on each page."""
    make_study(tmp_path / "small", rates=(0.0, 0.1, 0.2))
    for k in range(1, 80):
        make_run(tmp_path / "long", optimizer__lr=k / 1000, accuracy=0.9 - k / 1000)
    found = []
    for name in ("small", "long"):
        report([str(tmp_path / name)])
        shown = ranked_on_paper(tmp_path / name / "report.html")
        assert all(before == 0 for before, _ in shown), shown
        found.append([n for _, rows in shown for n in rows])
    assert found[0] == [5] * 5
    assert len(found[1]) > 1 and min(found[1]) > 1 and sum(found[1]) == 79


def test_a_phone_shows_the_result(outputs):
    """Beside the optimizer's name, without scrolling, and many rows of it."""
    with open_page(outputs / "report.html", width=390) as page:
        page.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        heights = "[...document.querySelectorAll('tbody tr')].map((row) => row.getBoundingClientRect().height)"
        assert page.execute_script(f"return Math.max(...{heights})") <= 130
        for table in ("answer-0", "ranking-0", "across-table", "profile-table"):
            cell = page.find_element(By.CSS_SELECTOR, f"#{table} tbody tr :nth-child(2)")
            assert cell.text[0].isdigit() and cell.rect["x"] + cell.rect["width"] <= 390, table


@pytest.mark.parametrize(
    "name",
    [
        "<script>window.hacked = 1</script>",
        "</script><script>window.hacked = 1</script>",
        "<img src=x onerror='window.hacked = 1'>",
        "<a href='javascript:window.hacked=1'>x</a><b>bold</b>",
        "a" * 300,
    ],
)
def test_a_script_in_a_name_does_not_run(tmp_path, name):
    for seed in (1, 2):
        run = make_run(tmp_path, optimizer=name, tag=name, dataset={"name": name}, seed=seed, error=name)
        change_record(run, environment__device_name=name)
    report([str(tmp_path)])
    with open_page(tmp_path / "report.html", width=360) as page:
        assert page.execute_script("return window.hacked") is None
        assert page.execute_script("return document.querySelectorAll('svg b, svg a, main b, main img').length") == 0
        assert page.execute_script("return document.documentElement.scrollWidth") <= 360
        texts = "[...document.querySelectorAll('.legend button, .chart text, .picture text')]"
        assert page.execute_script(f"return Math.max(...{texts}.map((e) => e.getBoundingClientRect().right))") <= 360
        assert page.get_log("browser") == []
        assert name in page.execute_script("return document.querySelector('#ranking-0').textContent")


def test_runs_that_tell_nothing_have_a_page_too(tmp_path):
    make_run(tmp_path, "failed", error="no memory")
    (make_run(tmp_path, seed=2) / "run.json").write_text("")
    report([str(tmp_path)])
    with open_page(tmp_path / "report.html") as page:
        assert page.get_log("browser") == [] and "no memory" in page.find_element(By.TAG_NAME, "main").text
