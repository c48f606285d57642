"""What keeps a page whole; what it shows is tested in test_command.py and tests/browser/."""

import json
import re
from pathlib import Path

from conftest import REPOSITORY
from made_runs import change_record, make_arm, make_run, name_arms

from sweeper.report.command import main
from sweeper.report.looks import KNOWN, MARKS, Look, looks
from sweeper.report.page import FOLDER, SECTIONS, to_script_json


def test_data_cannot_end_their_element():
    text = to_script_json({"</script>": "<!-- & -->"})
    assert not set("<>&") & set(text) and json.loads(text) == {"</script>": "<!-- & -->"}


def test_every_section_has_its_place_in_the_template():
    template = (FOLDER / "report.html").read_text()
    places = [template.index(f'<section id="{name}">') for name in SECTIONS]
    assert places == sorted(places)


def test_the_studys_page_is_small_and_names_no_place_of_its_machine(tmp_path):
    """Data sets stood in a folder of their own on the machine that trained."""
    runs = REPOSITORY / "docs" / "study" / "cifar10" / "runs"
    assert main([str(runs), "--into", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("python -m sweeper.train ") == len([*runs.rglob("run.json")]) >= 25
    assert len(page.encode()) < 500_000
    assert "dataset.root=" not in page and "outputs=" not in page


def test_the_time_of_a_shared_device_is_told_beside_the_training(tmp_path):
    """Two runs side by side: each had the device for half of the time."""
    outputs = tmp_path / "outputs"
    for seed in (1, 2):
        change_record(make_run(outputs, seed=seed, environment={"device_seconds": 11.0}), result__train_seconds=19.0)
    assert main([str(outputs)]) == 0
    share = "of runs at the same time each counts its share, while their own training adds up to 38 s"
    assert f"<dd>22 s, with set-up and evaluation; {share}</dd>" in (outputs / "report.html").read_text("utf-8")


def test_a_page_names_no_folder_of_its_machine(tmp_path, monkeypatch):
    """Whatever its runs were given by absolute paths; a command is run after FOLDER and FILE are filled in."""
    home = tmp_path / "home" / "me"
    (home / "images").mkdir(parents=True)
    (home / "here").mkdir()
    monkeypatch.chdir(home / "here")
    outputs = home / "runs"
    given = [f"dataset.root={home}/images", f"noise.file={home}/labels.txt", f"tracking.uri=sqlite:///{home}/m.db"]
    recorded = {"overrides": ["dataset=digits", *given, "device=cpu"]}
    for seed, root in enumerate(("images", "elsewhere")):
        options = {"dataset__root": f"{home}/{root}", "noise__file": f"{home}/labels", "tracking__uri": f"{home}/m.db"}
        make_run(outputs, seed=seed, environment=recorded, **options)
    make_run(outputs, seed=7, status="failed", error=f"[Errno 2] No such file: '{home}/my images/7.png'")
    (outputs / "decision.json").write_text(json.dumps({"answer": f"{home}/study is better", "rule": [], "looks": []}))
    assert main([str(outputs)]) == 0
    page = (outputs / "report.html").read_text(encoding="utf-8")
    assert str(home) not in page and "home/me" not in page
    assert "[Errno 2] No such file: &#39;…/7.png&#39;" in page
    assert "dataset.root=FOLDER" in page and "noise.file=FILE" in page and "tracking.uri=PATH device=cpu<" in page
    assert (
        " FOLDER stands for the folder of the data, FILE for the file of the labels, PATH for any other path.<" in page
    )


def test_a_page_keeps_a_folder_below_the_current_one(tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "outputs", dataset__root="images", environment={"overrides": ["dataset.root=images"]})
    for outputs in ("outputs", str(tmp_path / "outputs")):
        assert main([outputs]) == 0
        page = (tmp_path / "outputs" / "report.html").read_text(encoding="utf-8")
        assert "dataset.root=images " in page and "stands for" not in page and str(tmp_path) not in page


def test_what_differs_and_the_commands_are_collapsed(tmp_path):
    for seed in (1, 2):
        make_run(tmp_path, seed=seed)
    assert main([str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for name in ("differences", "runs"):
        section = page[page.index(f'<section id="{name}">') :]
        assert section.index("<details>") < section.index("<table")
    assert "<details open" not in page and page.index('id="answer-0"') < page.index("<details")


def test_optimizers_of_one_colour_differ_otherwise_and_the_page_says_so(tmp_path):
    """Those in conf/ have one each; one's own may be more than there are colours."""
    said = "Optimizers of one colour differ in their dashes and marks."
    for name in KNOWN:
        make_run(tmp_path, optimizer=name)
    assert main([str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert said not in page and page.count("--own:var(--hue-0)") == page.count("--own:var(--hue-17)") == 1
    make_run(tmp_path, optimizer="mine")
    assert main([str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    look = looks([*KNOWN, "mine"])["mine"]
    assert said in page and page.count(f"--own:var(--hue-{look.hue})") == 2  # the row of each
    first, second = (MARKS[Look(look.hue, dash).mark][1] for dash in (0, 1))
    assert look.dash == 1 and page.count(f'<path d="{first}"') and page.count(f'<path d="{second}"')


def test_a_margin_is_an_option(tmp_path, capsys):
    for seed, accuracy in enumerate((0.9, 0.91, 0.92)):
        make_run(tmp_path, seed=seed, accuracy=accuracy)
        make_run(tmp_path, seed=seed, accuracy=accuracy + 0.0001 * seed, optimizer="lion")
    assert main([str(tmp_path), "--margin", "1"]) == 0
    assert "Equivalent within ±1 point: lion and sgd." in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert main([str(tmp_path), "--margin", "none"]) == 2
    assert "must be a number of percentage points above 0" in capsys.readouterr().err


NOISE = {"name": "symmetric", "kind": "symmetric", "rate": 0.2, "seed": 0}


def _study(folder: Path) -> None:
    """Three optimizers, with right labels and with wrong ones."""
    for k, optimizer in enumerate(("adam", "lion", "sgd")):
        make_arm(folder, 0.9 - 0.03 * k, optimizer=optimizer)
        make_arm(folder, 0.8 - 0.03 * k, optimizer=optimizer, noise=NOISE)


def _shown(folder: Path) -> tuple[str, dict[str, str]]:
    """What stands above the answers, and the tables' heads and rows as text, by the title above each."""
    assert main([str(folder)]) == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    tables = re.findall(r"<h3>(.*?)</h3>.*?<table[^>]*>(.*?)</table>", page, re.DOTALL)
    head, facts = page.partition("<header>")[2].partition("</header>")[0], re.findall(r"<dl.*?</dl>", page, re.DOTALL)
    plain = [" ".join(re.sub(r"<[^>]*>", " ", text).split()) for text in (head, *facts)]
    return " | ".join(plain), {title: " ".join(re.sub(r"<[^>]*>", " ", text).split()) for title, text in tables}


def test_arms_beside_optimizers_are_counted_apart_and_change_no_other_task(tmp_path):
    _study(tmp_path)
    before, plain = _shown(tmp_path)
    assert before.startswith("Which optimizer is better on digits? 18 runs of 3 optimizers on 2 tasks: ")
    schedules = {
        name: make_arm(tmp_path, 0.9 - place / 20, model__name="net", schedule={"name": name})
        for place, name in enumerate(("cosine", "constant"))
    }
    name_arms(tmp_path, **schedules)
    head, tables = _shown(tmp_path)
    assert head.startswith(
        "Which optimizer or arm is better on digits? 24 runs of 3 optimizers and 2 arms on 3 tasks: "
    )
    assert "| optimizers adam, lion, sgd arms constant, cosine tasks " in head
    assert tables.pop("digits, net, no label noise").startswith("arm final ")
    assert tables == plain and all(table.startswith("optimizer ") for table in plain.values())


def test_an_arm_in_a_task_of_optimizers_is_named_as_one_and_they_as_what_they_are(tmp_path):
    """An arm alone only names: it is compared with the optimizers that are there."""
    _study(tmp_path)
    _, plain = _shown(tmp_path)
    name_arms(tmp_path, mine=make_arm(tmp_path, 0.95, optimizer="muon"))
    head, tables = _shown(tmp_path)
    assert head.startswith("Which optimizer or arm is better on digits? 21 runs of 3 optimizers and 1 arm on 2 tasks: ")
    assert "| optimizers adam, lion, sgd arms mine tasks " in head
    assert tables["digits, cnn, no label noise"].startswith("optimizer or arm final ")
    noisy = "digits, cnn, 20 % symmetric label noise"
    assert tables[noisy] == plain[noisy]
