"""What one sees of three pages on a screen and on a phone, by day and by night: all of it, and nothing over another."""

import itertools

import pytest
from conftest import REPOSITORY
from made_runs import change_record, make_run, make_study, name_as_configured

from sweeper.decide.judge import Result, judge
from sweeper.decide.record import content, write
from sweeper.decide.rule import Rule
from sweeper.decide.words import answer
from sweeper.report.command import report
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns

selenium = pytest.importorskip("selenium", reason="pip install '.[test-extras]'")

from tests.browser.pages import find_browser, open_page  # noqa: E402

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_browser() is None, reason="apt-get install chromium chromium-driver"),
]
SCREEN, PHONE = 1400, 390
PAGES = ("one", "several", "tuned", "arms", "study")
# The places of each text that is shown: its words, its box, and where something hides a part of it, what tells of that:
# the words above a table that scrolls sideways, or nothing. A command has its line's box: it ends in "…", and opens.
TEXTS = """
const found = [], range = document.createRange();
const hider = (box, host) => {
  for (let one = host; one; one = one.parentElement) {
    const frame = one.getBoundingClientRect();
    const beyond = box.right > frame.right + 1 || box.left < frame.left - 1;
    if (beyond && getComputedStyle(one).overflowX !== "visible") return one;
  }
};
const told = (one) => {
  const hint = one.matches(".scroll") ? one.previousElementSibling : null;
  return hint?.checkVisibility() && hint.matches(".hint") ? hint.textContent : "nothing";
};
const walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const node = walk.currentNode, host = node.parentElement;
  if (!node.data.trim() || host.closest("title, desc, option, .tip") || !host.checkVisibility()) continue;
  range.selectNodeContents(node);
  const clipped = host.closest("td.command > code");  // whose text has a box of its own beyond the "…"
  for (const box of clipped ? [clipped.getBoundingClientRect()] : range.getClientRects()) {
    const frame = host.closest(".scroll")?.getBoundingClientRect();
    const bottom = frame ? Math.min(box.bottom, frame.bottom) : box.bottom;  // a tall table hides its lower rows
    if (!box.width || box.top >= bottom) continue;
    const by = hider(box, host);
    found.push([node.data.trim(), box.left, box.top, box.right, bottom, by ? told(by) : ""]);
  }
}
return found;
"""
# Of each dot of the cards: its fill and its edge, and the ground on which it stands.
DOTS = """
return [...document.querySelectorAll(".picture .drawn .dot")].map((dot) => {
  const ink = getComputedStyle(dot.querySelector("path")), shade = dot.parentElement.querySelector(".shade");
  const [box, at] = [shade?.getBoundingClientRect(), dot.querySelector("path").getBoundingClientRect()];
  const shaded = box && at.right > box.left && at.left < box.right;
  const card = getComputedStyle(dot.closest(".card")).backgroundColor;
  return [ink.fill, ink.stroke, card, shaded ? getComputedStyle(shade).fill : null];
});
"""
BROKEN_WORDS = """
const range = document.createRange();
return [...document.querySelectorAll(".picture .who")].flatMap((who) => [...who.childNodes].flatMap((node) =>
  [...(node.data ?? "").matchAll(/\\S{1,12}(?!\\S)/g)].filter((word) => {
    range.setStart(node, word.index); range.setEnd(node, word.index + word[0].length);
    return range.getClientRects().length > 1;
  }).map((word) => word[0])));
"""


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """Of one task; of several, with a diverged run; of tuned optimizers, with their search; of arms, with a
    decision; and the published study's."""
    folder = tmp_path_factory.mktemp("pages")
    make_study(folder / "one", rates=(0.0,))
    make_study(folder / "several", epochs=150)
    make_run(folder / "several", "diverged", optimizer="lion", seed=9, epochs=150, optimizer__lr=0.0002)
    for seed in (1, 2, 3):
        for accuracy, optimizer in ((0.8, "adam"), (0.85, "sgd")):
            odd = accuracy + 0.01 * seed + 0.003 * (seed == 2 and optimizer == "sgd")
            make_run(folder / "several", optimizer=optimizer, seed=seed, dataset__name="mnist1d", accuracy=odd)
    make_study(folder / "tuned", ("lion", "sgd"), seeds=(1, 2, 3, 4, 5), rates=(0.0,))
    for run in sorted((folder / "tuned").glob("*/*/")):
        change_record(run, config__tuned="40 epochs", config__dataset__validation_fraction=0.0)
        name_as_configured(run)
    for optimizer, lr, decay in itertools.product(("lion", "sgd"), (0.01, 0.1, 1.0), (0.001, 0.01)):
        values = {"optimizer": optimizer, "optimizer__lr": lr, "optimizer__weight_decay": decay}
        run = make_run(folder / "search", seed=101, epochs=40, dataset__validation_fraction=0.1, **values)
        change_record(run, result__final_val_accuracy=0.9 - 0.02 * abs(lr - 0.1) + decay)
    make_arms(folder / "arms")
    for outputs in (["one"], ["several"], ["tuned", "search"], ["arms"]):
        report([str(folder / part) for part in outputs])
    report([str(REPOSITORY / "docs" / "study" / "cifar10" / "runs")], str(folder / "study"))
    return {name: folder / name / "report.html" for name in PAGES}


def make_arms(folder):
    arms = {"warm-up of 10": 0.91, "none": 0.905, "warm_up_of_20": 0.85}
    found = {name: [] for name in arms}
    for k, (name, accuracy) in enumerate(arms.items(), 1):
        for seed in (1, 2, 3, 4):
            found[name].append(make_run(folder, seed=seed, batch_size=32 * k, accuracy=accuracy + 0.001 * k * seed))
    record_arms(folder, AskedRuns([run for runs in found.values() for run in runs], [found]))
    rule = Rule(margin=0.002, looks=(2, 4))
    runs = {name: {seed: Result(accuracy + 0.001 * seed) for seed in (1, 2)} for name, accuracy in arms.items()}
    decision = judge(tuple(arms), runs, rule)
    write(folder, content(rule, {}, decision, answer(decision, rule)))


@pytest.fixture(scope="module", params=PAGES)
def name(request):
    return request.param


@pytest.fixture(scope="module", params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture(scope="module", params=[SCREEN, PHONE])
def width(request):
    return request.param


@pytest.fixture(scope="module")
def page(pages, name, scheme, width):
    with open_page(pages[name], scheme, width) as page:
        yield page


def test_the_first_screen_has_the_answer(page, width):
    """The sentence and its picture, whole, without scrolling in any direction."""
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    for part in (".headline", ".picture"):
        left, right, top, bottom = page.execute_script(
            "const box = document.querySelector(arguments[0]).getBoundingClientRect();"
            "return [box.left, box.right, box.top, box.bottom]",
            part,
        )
        assert 0 <= left < right <= width and 0 <= top < bottom <= 800, part


@pytest.mark.parametrize("opened", [False, True], ids=["closed", "opened"])
def test_no_text_is_cut_or_lies_over_another(page, width, opened):
    page.execute_async_script(
        "document.querySelectorAll('details').forEach((one) => { one.open = arguments[0]; });"
        "requestAnimationFrame(() => requestAnimationFrame(arguments[1]));",  # once it is drawn
        opened,
    )
    texts = page.execute_script(TEXTS)
    page.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = false; })")
    assert len(texts) > 100
    for words, left, _, right, _, told in texts:
        assert told or (left >= 0 and right <= width), words
        assert not told or (width == PHONE and "scrolls sideways" in told), f"{words} is cut, and {told} tells it"
        assert width == PHONE or not words.endswith("…"), words
    texts.sort(key=lambda text: text[2])
    for k, (words, left, top, right, bottom, _) in enumerate(texts):
        for others, left2, top2, right2, bottom2, _ in itertools.islice(texts, k + 1, None):
            if top2 >= bottom:
                break
            across, down = min(right, right2) - max(left, left2), min(bottom, bottom2) - max(top, top2)
            assert across <= 1 or down <= 4, f"{words} | {others}"  # a box is higher than its letters
    assert page.execute_script(BROKEN_WORDS) == []


def test_a_command_is_a_line_until_it_is_clicked(page):
    page.execute_script("document.querySelector('#runs details').open = true")
    code = page.find_element("css selector", "#runs-table td.command code")
    hidden = "return arguments[0].scrollWidth - arguments[0].clientWidth"
    assert page.execute_script(hidden, code) > 100 and code.value_of_css_property("text-overflow") == "ellipsis"
    line = code.rect["height"]
    code.click()
    assert page.execute_script(hidden, code) <= 0 and code.rect["height"] > 2 * line
    assert page.execute_script("return getSelection().toString()") == code.get_property("textContent")
    page.execute_script("arguments[0].blur(); document.querySelector('#runs details').open = false", code)


def test_a_dot_is_seen_on_its_ground(page):
    dots = page.execute_script(DOTS)
    assert len(dots) >= 10
    for fill, edge, card, shade in dots:
        assert contrast(fill, card) >= 3, (fill, card)
        assert shade is None or contrast(edge, shade) >= 3, (edge, shade)
    assert any(shade for *_, shade in dots)


def test_the_result_is_the_second_column(page, width):
    """On a phone it is seen whole, without scrolling."""
    cells = page.execute_script(
        "return [...document.querySelectorAll('[id^=answer-], [id^=ranking-]')].flatMap((table) =>"
        " [...table.querySelectorAll('tbody tr')].map((row) => [row.cells[1].textContent,"
        " row.cells[1].getBoundingClientRect().right]))"
    )
    assert len(cells) >= 4 and all(text[0].isdigit() and right <= width for text, right in cells)


def contrast(one, other):
    """WCAG's ratio of two colours as the browser names them."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(color):
    numbers = [float(part) for part in color[color.index("(") + 1 : -1].replace(",", " ").split() if part != "srgb"][:3]
    shares = numbers if color.startswith("color(") else [number / 255 for number in numbers]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * share for weight, share in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
