"""The report in a real browser, which has no network: what a person sees are the tables' numbers."""

import base64
import csv
import json

import pytest
from made_runs import change_record, make_run, make_study

from sweeper.aggregate.command import aggregate
from sweeper.report.command import report

selenium = pytest.importorskip("selenium", reason="pip install '.[test-extras]'")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

from tests.browser.pages import find_browser, open_page  # noqa: E402

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_browser() is None, reason="apt-get install chromium chromium-driver"),
]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    outputs = tmp_path_factory.mktemp("study")
    make_study(outputs, epochs=150)
    make_run(outputs, "diverged", optimizer="lion", seed=9, epochs=150, optimizer__lr=0.0002, target_accuracy=0.85)
    aggregate([str(outputs)], None, ["csv"])
    report([str(outputs)])
    return outputs


@pytest.fixture(scope="module")
def browser(outputs):
    with open_page(outputs / "report.html") as browser:
        yield browser


@pytest.fixture(scope="module")
def results(outputs):
    with (outputs / "results.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["status"] == "completed"]


def column(browser, table, place):
    rows = browser.find_elements(By.CSS_SELECTOR, f"#{table} tbody tr")
    return [row.find_elements(By.TAG_NAME, "td")[place].text for row in rows]


def traces(browser, kind):
    """Name, x and y of the curves of a kind, `mean` or `seed`, as they are drawn."""
    return browser.execute_script(
        "const drawn = document.getElementById('curves-chart').data;"
        "return drawn.filter((t) => t.meta === arguments[0]).map((t) => [t.name, t.x, t.y])",
        kind,
    )


def choose(browser, **choices):
    for name, value in choices.items():
        Select(browser.find_element(By.ID, f"curves-{name}")).select_by_value(value)


def test_it_opens_without_an_error_or_a_request(browser, outputs):
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert asked and all(url.startswith(("file:", "data:", "blob:")) for url in asked)
    assert browser.execute_script("return document.querySelectorAll('.chart .main-svg').length") > 0


def test_tables_sort_by_number_both_ways(browser):
    button = browser.find_element(By.CSS_SELECTOR, "#runs-table th:nth-child(4) button")
    assert button.text.startswith("final")
    button.click()
    rising = column(browser, "runs-table", 3)
    button.click()
    falling = column(browser, "runs-table", 3)
    numbers = [float(text) for text in rising if text != "–"]
    assert numbers == sorted(numbers) and len(set(numbers)) > 5 and rising[-1] == "–"
    assert [float(text) for text in falling[:-1]] == numbers[::-1] and falling[-1] == "–"


def test_curves_end_where_the_table_says(browser, results):
    choose(browser, task="0", metric="test_accuracy", against="epoch")
    drawn = traces(browser, "mean")
    assert len(drawn) == 5
    for name, x, y in drawn:
        final = [
            100 * float(row["final_test_accuracy"])
            for row in results
            if name.startswith(f"{row['optimizer']} (") and row["noise"] == "none"
        ]
        assert len(final) == 3 and x[-1] == 150
        assert y[-1] == pytest.approx(sum(final) / 3, abs=0.005)


def test_each_seed_stands_on_demand_with_its_peak_though_thinned(browser, results):
    choose(browser, task="1", metric="test_accuracy", against="step")
    tick = browser.find_element(By.ID, "curves-each")
    tick.click()
    drawn = traces(browser, "seed")
    tick.click()
    noisy = {f"{row['optimizer']}, seed {row['seed']}": row for row in results if row["noise"] != "none"}
    assert {name for name, _, _ in drawn} == set(noisy)
    for name, x, y in drawn:
        row = noisy[name]
        assert len(x) < 150 and x[-1] == 3000
        assert y[-1] == pytest.approx(100 * float(row["final_test_accuracy"]), abs=0.005)
        assert max(y) == pytest.approx(100 * float(row["best_test_accuracy"]), abs=0.005)


def test_only_choices_that_there_are_are_offered(browser):
    """Each optimizer has one setting here, so there is nothing to choose among."""
    assert browser.find_element(By.ID, "curves-task").is_displayed()
    assert not browser.find_element(By.ID, "curves-settings").is_displayed()
    choose(browser, task="0")
    seconds = browser.find_element(By.CSS_SELECTOR, "#curves-against option[value=seconds]")
    assert not seconds.is_enabled()  # the diverged run's device has no name
    choose(browser, task="1")
    seconds = browser.find_element(By.CSS_SELECTOR, "#curves-against option[value=seconds]")
    assert seconds.is_enabled()


def test_a_diverged_run_is_drawn_by_itself(browser):
    choose(browser, task="0", metric="test_accuracy", against="epoch")
    assert [name for name, _, _ in traces(browser, "seed")] == ["lion, seed 9, diverged"]


def test_seeds_chart_has_the_tables_numbers(browser, results):
    shown = browser.execute_script(
        "return document.querySelector('#seeds-charts .chart').data.map((t) => [t.name, t.y])"
    )
    for name, values in shown:
        optimizer, figure = name.split(": ")
        wanted = [
            100 * float(row[f"{figure.split()[0]}_test_accuracy"])  # "best epoch (chosen on test)" or "final"
            for row in results
            if row["optimizer"] == optimizer and row["noise"] == "none"
        ]
        assert sorted(values) == pytest.approx(sorted(wanted))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_light_and_dark_wide_and_narrow(outputs, scheme, width):
    with open_page(outputs / "report.html", scheme, width) as page:
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
        texts = "[...document.querySelectorAll('.chart svg, .chart .legendtext')]"
        assert page.execute_script(f"return Math.max(...{texts}.map((e) => e.getBoundingClientRect().right))") <= width
        paper, ink, axis = page.execute_script(
            "const style = getComputedStyle(document.body);"
            "const tick = document.querySelector('#curves-chart .xtick text');"
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
        ink = "return document.getElementById('curves-chart').layout.font.color"
        before = page.execute_script(ink)
        features = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
        page.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0], 200))")
        assert page.execute_script(ink) != before


def test_it_prints_on_white_whatever_the_screen_has(outputs):
    with open_page(outputs / "report.html", "dark") as page:
        features = {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
        assert brightness(page.execute_script("return getComputedStyle(document.body).backgroundColor")) == 1
        assert page.execute_script("return getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
        page.execute_cdp_cmd("Page.printToPDF", {})
        assert page.execute_script("return [...document.querySelectorAll('details')].every((one) => one.open)")


def test_it_makes_a_pdf(browser):
    content = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert content.startswith(b"%PDF") and content.count(b"/Type /Page\n") >= 2


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
        texts = "[...document.querySelectorAll('.legendtext')]"
        assert page.execute_script(f"return Math.max(...{texts}.map((e) => e.getBoundingClientRect().right))") <= 360
        assert page.get_log("browser") == []
        assert name in page.execute_script("return document.querySelector('#ranking-0').textContent")


def test_runs_that_tell_nothing_have_a_page_too(tmp_path):
    make_run(tmp_path, "failed", error="no memory")
    (make_run(tmp_path, seed=2) / "run.json").write_text("")
    report([str(tmp_path)])
    with open_page(tmp_path / "report.html") as page:
        assert page.get_log("browser") == [] and "no memory" in page.find_element(By.TAG_NAME, "main").text


def test_every_chart_fits_its_place(browser):
    places = browser.find_elements(By.CSS_SELECTOR, ".charts > figure")
    beside = [place for place in places if place.rect["x"] > places[0].rect["x"]]
    assert beside, "some stand side by side"
    for place in places:
        assert place.find_element(By.CSS_SELECTOR, ".main-svg").rect["width"] <= place.rect["width"] + 1
