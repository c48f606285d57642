"""The charts in a real browser: they show the tables' numbers, and what a reader does with them."""

import itertools
import statistics

import pytest

selenium = pytest.importorskip("selenium", reason="pip install '.[test-extras]'")
from selenium.webdriver import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

from tests.browser.pages import find_browser  # noqa: E402

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_browser() is None, reason="apt-get install chromium chromium-driver"),
]


def traces(browser, kind):
    """Name, x and y of the curves of a kind, `mean` or `seed`, as they are drawn."""
    return browser.execute_script(
        "const drawn = document.getElementById('curves-chart').drawn.series;"
        "return drawn.filter((one) => one.kind === arguments[0]).map((one) => [one.name, one.x, one.y])",
        kind,
    )


def choose(browser, **choices):
    for name, value in choices.items():
        Select(browser.find_element(By.ID, f"curves-{name}")).select_by_value(value)


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
        "return document.querySelector('#seeds-charts .chart').drawn.series.map((one) => [one.name, one.y])"
    )
    for name, values in shown:
        optimizer, figure = name.split(": ")
        wanted = [
            100 * float(row[f"{figure.split()[0]}_test_accuracy"])  # "best epoch (chosen on test)" or "final"
            for row in results
            if row["optimizer"] == optimizer and row["noise"] == "none"
        ]
        assert sorted(values) == pytest.approx(sorted(wanted), abs=0.0005)  # the page has three decimals, and shows two


def test_points_stand_where_their_values_are(browser):
    """From the lowest to the highest the pixels follow the values, in a chart and in a card."""
    charts = browser.execute_script(
        "return [...document.querySelectorAll('#seeds-charts .chart')].map((host) => [host.drawn.series.flatMap("
        "(one) => one.y), [...host.querySelectorAll('.mark')].map((mark) => "
        "Number(mark.getAttribute('transform').match(/[-\\d.]+/g)[1]))])"
    )
    assert len(charts) == 2
    for values, pixels in charts:
        assert len(values) == len(pixels) == 30 and correlation(values, pixels) == pytest.approx(-1, abs=1e-4)
    dots = browser.execute_script(
        "return [...document.querySelectorAll('#answer-0 .dot')].map((dot) => {"
        " const place = dot.querySelector('path').getBoundingClientRect();"
        " return [dot.textContent, place.x + place.width / 2]; })"
    )
    values = [text.split(": ")[1].removesuffix(" %") for text, _ in dots]
    assert len(values) == 15 and correlation(values, [x for _, x in dots]) == pytest.approx(1, abs=1e-4)


def test_error_on_a_log_axis_and_the_last_fifth(browser):
    choose(browser, task="0", metric="test_accuracy", against="epoch")
    whole = {name: (x, y) for name, x, y in traces(browser, "mean")}
    for name in ("error", "late"):
        browser.find_element(By.ID, f"curves-{name}").click()
    late = {name: (x, y) for name, x, y in traces(browser, "mean")}
    axis = browser.execute_script("return document.getElementById('curves-chart').drawn.y")
    for name in ("error", "late"):
        browser.find_element(By.ID, f"curves-{name}").click()
    assert axis == {"title": "test error, %", "log": True}
    for name, (x, y) in whole.items():
        kept = [(place, 100 - value) for place, value in zip(x, y, strict=True) if place >= 120]
        assert len(kept) > 5 and late[name][0] == [place for place, _ in kept]
        assert late[name][1] == pytest.approx([value for _, value in kept])


def test_what_is_shown_is_named_as_the_axis_names_it(browser):
    choose(browser, task="0", metric="test_accuracy", against="epoch")
    what = Select(browser.find_element(By.ID, "curves-metric"))
    error = browser.find_element(By.ID, "curves-error")
    axis = "return document.getElementById('curves-chart').drawn.y.title"
    for words in ("test error, %", "test accuracy, %"):
        error.click()
        assert what.first_selected_option.text == browser.execute_script(axis) == words
    error.click()
    assert [option.text for option in what.options if "accuracy" in option.text] == []
    error.click()


def test_on_paper_a_caption_says_what_the_choices_say_on_a_screen(browser):
    choose(browser, task="1", metric="test_loss", against="step")
    browser.find_element(By.ID, "curves-late").click()
    caption, controls = (browser.find_element(By.ID, f"curves-{name}") for name in ("caption", "task"))
    task = Select(controls).first_selected_option.text
    assert controls.is_displayed() and not caption.is_displayed()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert caption.is_displayed() and not controls.is_displayed()
    assert caption.text == f"{task}: test loss, by steps; the last fifth"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "screen"})
    browser.find_element(By.ID, "curves-late").click()


def test_a_click_on_a_name_takes_it_out_of_every_chart_and_back(browser):
    series = "return [...document.querySelectorAll('.chart')].map((host) => host.drawn.series.length)"
    before = browser.execute_script(series)
    click = "[...document.querySelectorAll('#seeds-legend button')].find((b) => b.textContent === 'sgd').click()"
    browser.execute_script(click)
    assert all(now < count for now, count in zip(browser.execute_script(series), before, strict=True))
    pressed = "return [...document.querySelectorAll('.legend button')].filter((b) => b.textContent === 'sgd')"
    assert {button.get_attribute("aria-pressed") for button in browser.execute_script(pressed)} == {"false"}
    browser.execute_script(click)
    assert browser.execute_script(series) == before


def test_the_pointer_shows_the_nearest_value(browser, results):
    mark = browser.find_element(By.CSS_SELECTOR, "#seeds-charts .mark")
    ActionChains(browser).move_to_element(mark).perform()
    tip = browser.find_element(By.CSS_SELECTOR, "#seeds-charts .tip")
    name, value, seed = tip.text.split("\n")
    (row,) = [
        row
        for row in results
        if row["noise"] == "none" and f"{row['optimizer']}: final" == name and f"seed {row['seed']}" == seed
    ]
    assert float(value) == pytest.approx(100 * float(row["final_test_accuracy"]), abs=0.005)


def test_lines_have_their_names_at_their_ends(browser):
    choose(browser, task="0", metric="test_accuracy", against="epoch")
    labels = browser.find_elements(By.CSS_SELECTOR, "#curves-chart text.end")
    assert {label.text for label in labels} == {"adam", "adamw", "lion", "muon", "sgd"}
    tops = sorted(label.rect["y"] for label in labels)
    assert all(below - above > 10 for above, below in itertools.pairwise(tops))


def test_every_chart_has_a_title_and_a_description(browser):
    found = browser.execute_script(
        "return [...document.querySelectorAll('.chart > svg')].map((one) => [one.getAttribute('role'), "
        "one.querySelector('title').textContent, one.querySelector('desc').textContent])"
    )
    assert len(found) >= 6 and all(role == "img" and title and words for role, title, words in found)


def correlation(values, others):
    return statistics.correlation([float(v) for v in values], [float(v) for v in others])


def test_every_chart_fits_its_place(browser):
    places = browser.find_elements(By.CSS_SELECTOR, ".charts > figure")
    beside = [place for place in places if place.rect["x"] > places[0].rect["x"]]
    assert beside, "some stand side by side"
    for place in places:
        assert place.find_element(By.CSS_SELECTOR, ".plot").rect["width"] <= place.rect["width"] + 1
