"""Tables as text: what one writes, the reader of that format reads back."""

import csv
import html
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from made_runs import make_arm, make_run, name_arms
from markdown_it import MarkdownIt

from sweeper.aggregate.labels import text
from sweeper.aggregate.summary import Summary, summarize
from sweeper.aggregate.tables import Shown, ShownBlock, accuracy, show, to_csv, to_latex, to_markdown
from sweeper.runs.results import read_results

PRINTABLE = st.text(st.characters(exclude_categories=("C", "Z")) | st.sampled_from(r"\|*_`<>[]()~&$#%^{}!-+=±–'" + '"'))


def read_csv(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def test_csv_has_all_digits_and_nothing_where_nothing_is_known():
    row = {"a": 0.1 + 0.2, "b": None, "c": True, "d": False, "e": float("inf"), "f": 3}
    assert to_csv([*row, "missing"], [row]) == (
        b"a,b,c,d,e,f,missing\n0.30000000000000004,,true,false,inf,3,\n"  # 0.1 + 0.2 in binary
    )


def test_csv_of_no_rows_has_its_header():
    assert to_csv(["a", "b"], []) == b"a,b\n"


@given(PRINTABLE | st.sampled_from(["a\nb", "a\r\nb", '"', ",", "", " x "]))
def test_csv_gives_back_every_text(cell):
    (got,) = read_csv(to_csv(["a", "b"], [{"a": cell, "b": 1}]))[1:]
    assert got in ([cell, "1"], [f"'{cell}", "1"])


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"])
def test_no_text_is_a_formula_to_a_spreadsheet(start):
    formula = f'{start}HYPERLINK("http://x","y")'
    header, row = read_csv(to_csv(["run", formula], [{"run": formula, formula: formula}]))
    assert header == ["run", f"'{formula}"]
    assert row == [f"'{formula}"] * 2


@pytest.mark.parametrize("cell", ["007", "1e5", ".5", "true", "NO", "NA", "nan", "null", "None", "", "2024-01-01"])
def test_a_text_that_looks_like_something_else_is_in_quotes(cell):
    assert to_csv(["a", "b"], [{"a": cell, "b": 7}, {"b": 1e5}]).decode() == f'a,b\n"{cell}",7\n,100000.0\n'


def test_a_negative_number_stays_a_number():
    assert to_csv(["a"], [{"a": -1.5}]) == b"a\n-1.5\n"


def in_markdown(shown: Shown) -> tuple[str, list[list[str]]]:
    """Title and cells as a reader sees them."""
    page = (
        MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(to_markdown(shown).decode())
    )
    title = re.search(r"<p>(.*)</p>", page)
    lines = [re.findall(r"<t[hd]>(.*?)</t[hd]>", line) for line in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)]
    assert title
    return html.unescape(title[1]), [[html.unescape(cell) for cell in line] for line in lines]


@given(PRINTABLE.filter(bool))
@example("a|b")
@example("~~gone~~ <b>bold</b> &amp; **x** `code` [a](b) ![c](d) \\| $x$")
def test_markdown_shows_every_text_as_it_is(cell):
    shown = Shown(f"x {cell}", [ShownBlock("", ["optimizer", cell], [["sgd", cell], [cell, "lion"]])])
    assert in_markdown(shown) == (f"x {cell}", [["optimizer", cell], ["sgd", cell], [cell, "lion"]])


IN_LATEX = {
    r"\textbackslash{}": "\\",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"$\pm$": "±",
    "--": "–",
    "$-$": "−",
    r"$\times$": "×",
    "{[}": "[",
    "{]}": "]",
    "{*}": "*",
    **{f"\\{c}": c for c in "&%$#_{}"},
}
TOKEN = re.compile("|".join([*map(re.escape, IN_LATEX), r"[^\\~^<>|&%$#_{}\[\]*]"]))


@given(PRINTABLE.filter(lambda cell: "--" not in cell))
@example(r"50% of \alpha_1 & {x} ~ ^ # $5 [a] *")
def test_latex_sets_every_text_as_it_is(cell):
    shown = Shown("title", [ShownBlock("", ["optimizer", "tag"], [[cell, "x"]])])
    line = to_latex(shown).decode().split("\\midrule\n")[1].split("\n\\bottomrule")[0]
    assert line.endswith(r" & x \\")
    written = line.removesuffix(r" & x \\")
    tokens = TOKEN.findall(written)
    assert "".join(tokens) == written
    assert "".join(IN_LATEX.get(token, token) for token in tokens) == cell


def test_latex_is_a_table_of_booktabs_for_each_task():
    header = ["optimizer", "final"]
    blocks = [ShownBlock("a: sgd > lion", header, [["sgd", "1.00 ± 0.10 % (n = 2)"]])]
    blocks += [ShownBlock("b", header, [["lion", "–"]])]
    assert to_latex(Shown("digits: 3 epochs", blocks)).decode() == "\n".join(
        [
            "% digits: 3 epochs",
            r"% \usepackage{booktabs}",
            "",
            r"a: sgd \textgreater{} lion",
            "",
            r"\begin{tabular}{ll}",
            r"\toprule",
            r"optimizer & final \\",
            r"\midrule",
            r"sgd & 1.00 $\pm$ 0.10 \% (n = 2) \\",
            r"\bottomrule",
            r"\end{tabular}",
            "",
            "b",
            "",
            r"\begin{tabular}{ll}",
            r"\toprule",
            r"optimizer & final \\",
            r"\midrule",
            r"lion & -- \\",
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


@pytest.mark.parametrize(
    ("mean", "std", "n", "words"),
    [
        (0.94123, 0.0015, 3, "94.12 ± 0.15 % (n = 3)"),
        (0.5, None, 1, "50.00 % (n = 1)"),
        (None, None, 0, "– (n = 0)"),
    ],
)
def test_an_accuracy_never_stands_without_its_n(mean, std, n, words):
    assert accuracy({"best_mean": mean, "best_std": std, "n": n}, "best") == words


def test_a_value_is_shown_with_all_its_digits():
    shown = {"–": None, "true": True, "0.0001": 1e-4, "0.30000000000000004": 0.1 + 0.2, "x": "x"}
    assert [text(value) for value in shown.values()] == list(shown)


def test_the_title_has_what_all_rows_share_and_columns_what_they_differ_in(tmp_path):
    for seed in (1, 2):
        make_run(tmp_path, seed=seed, accuracy=0.9 + seed / 100)
    make_run(tmp_path, "diverged", optimizer="lion", optimizer__lr=1e-4)
    make_run(tmp_path, "diverged", optimizer="lion", optimizer__lr=1e-4, optimizer__eps=1e-8)
    shown = show(summarize(read_results([tmp_path]).runs), {"digits, cnn, no label noise": "one line"})
    assert shown.title == (
        "digits, cnn, no label noise, weight decay 0.0005, 3 epochs, batch size 64: "
        "test accuracy, mean ± standard deviation over n seeds"
    )
    (block,) = shown.blocks
    assert block.header == ["optimizer", "lr", "optimizer.eps", "final", "best epoch (chosen on test)", "diverged"]
    assert block.title == "one line"
    assert block.rows == [
        ["sgd", "0.1", "–", "91.50 ± 0.71 % (n = 2)", "92.50 ± 0.71 % (n = 2)", "0"],
        ["lion", "0.0001", "1e-08", "– (n = 0)", "– (n = 0)", "1"],
        ["lion", "0.0001", "–", "– (n = 0)", "– (n = 0)", "1"],
    ]


def test_a_rate_of_noise_is_told_where_it_is_known(tmp_path):
    make_run(tmp_path, noise__name="symmetric", noise__kind="symmetric", noise__rate=0.2)
    assert "symmetric label noise, rate 0.2," in show(summarize(read_results([tmp_path]).runs)).title
    make_run(tmp_path / "human", noise__name="human", noise__kind="human")
    title = show(summarize(read_results([tmp_path / "human"]).runs)).title
    assert "human label noise, lr 0.1," in title


def test_a_title_over_several_rates_of_noise_names_none(tmp_path):
    """One of them may be 0, and that task's label says `no label noise`."""
    for rate in (0.0, 0.2):
        noise = {"name": "symmetric", "kind": "symmetric", "rate": rate, "seed": 0, "own_class": False, "file": None}
        make_run(tmp_path, noise=noise)
    assert "noise" not in show(summarize(read_results([tmp_path]).runs)).title


def test_tasks_without_arms_have_no_column_of_theirs(tmp_path):
    for k, optimizer in enumerate(("sgd", "lion")):
        make_arm(tmp_path, 0.9 - k / 20, optimizer=optimizer)
    figures = ["final", "best epoch (chosen on test)"]
    assert [block.header for block in show(summarize(read_results([tmp_path]).runs)).blocks] == [
        ["optimizer", *figures]
    ]
    schedules = {
        name: make_arm(
            tmp_path, 0.9 - place / 20, model__name="net", schedule={"name": name}, optimizer__lr=0.1 * 3**place
        )
        for place, name in enumerate(("cosine", "constant"))
    }
    name_arms(tmp_path, **schedules)
    plain, arms = show(summarize(read_results([tmp_path]).runs)).blocks
    assert (plain.header, plain.rows[0][:2]) == (["optimizer", "lr", *figures], ["sgd", "0.1"])  # not in the title now
    assert arms.header == ["arm", "optimizer", "lr", "schedule.name", *figures]
    name_arms(tmp_path, mine=make_arm(tmp_path, 0.95, optimizer="muon"))
    plain, arms = show(summarize(read_results([tmp_path]).runs)).blocks
    assert plain.header[:2] == ["optimizer or arm", "optimizer"] and plain.rows[0][:2] == ["mine", "muon"]


def test_each_task_is_a_block_and_no_order_goes_across_tasks(tmp_path):
    """Among these: 100 and 200 epochs, and another recipe."""
    make_run(tmp_path, optimizer="sgd", epochs=100, accuracy=0.8)
    make_run(tmp_path, optimizer="lion", epochs=100, accuracy=0.9)
    make_run(tmp_path, optimizer="sgd", epochs=200, accuracy=0.85)
    make_run(tmp_path, optimizer="lion", epochs=200, accuracy=0.95)
    make_run(tmp_path, optimizer="sgd", epochs=200, accuracy=0.99, decay_norms_and_biases=True)
    make_run(tmp_path, noise__name="pair", noise__kind="pair", noise__rate=0.2, epochs=100)
    summary = summarize(read_results([tmp_path]).runs)
    shown = show(summary)
    assert [(block.title, [row[0] for row in block.rows]) for block in shown.blocks] == [
        ("digits, cnn, no label noise, 100 epochs", ["lion", "sgd"]),
        ("digits, cnn, no label noise, 200 epochs, decay_norms_and_biases true", ["sgd"]),
        ("digits, cnn, no label noise, 200 epochs, decay_norms_and_biases –", ["lion", "sgd"]),
        ("digits, cnn, 20 % pair label noise, 100 epochs", ["sgd"]),
    ]
    assert all(block.header[:1] == ["optimizer"] and "epochs" not in block.header for block in shown.blocks)
    assert summary.rows == [row for block in summary.blocks for row in block.rows]
    assert to_markdown(shown).count(b"| optimizer |") == to_latex(shown).count(rb"\begin{tabular}") == 4


def test_data_of_one_name_and_other_content_are_in_no_mean_together(tmp_path):
    make_run(tmp_path, accuracy=0.8)
    make_run(tmp_path, accuracy=0.9, seed=2, environment={"data_digest": "e" * 64})
    shown = show(summarize(read_results([tmp_path]).runs))
    assert [row[1] for block in shown.blocks for row in block.rows] == ["80.00 % (n = 1)", "90.00 % (n = 1)"]
    assert [block.title for block in shown.blocks] == [
        "digits, cnn, no label noise, data dddddddd",
        "digits, cnn, no label noise, data eeeeeeee",
    ]


def test_a_table_of_no_rows_can_be_written():
    shown = show(Summary([], []))
    assert shown.blocks == []
    assert to_markdown(shown) == b"test accuracy, mean \xc2\xb1 standard deviation over n seeds\n"
    assert to_latex(shown).startswith(b"% test accuracy")


def test_every_format_says_that_the_order_is_not_that_of_the_means(tmp_path):
    """Seed 3 is easy, and lion, the better one, lacks it."""
    for seed, final in ((1, 0.8), (2, 0.81), (3, 0.95)):
        make_run(tmp_path, seed=seed, accuracy=final)
        if seed < 3:
            make_run(tmp_path, seed=seed, accuracy=final + 0.01, optimizer="lion")
    shown = show(summarize(read_results([tmp_path]).runs))
    note = "Seeds differ: order by the model's estimates, not by the means shown."
    assert [row[0] for row in shown.blocks[0].rows] == ["lion", "sgd"] and shown.blocks[0].note == note
    assert f"\n\n{note}\n" in to_markdown(shown).decode() and f"\n\n{note}\n" in to_latex(shown).decode()
