"""The command `python -m sweeper.aggregate`: what it writes, says and refuses."""

import csv
import json
import os
import re
import shutil

import pandas
import pytest
from conftest import run_module
from made_runs import make_run

import sweeper
from sweeper.aggregate.command import aggregate as write_tables
from sweeper.aggregate.command import main
from sweeper.aggregate.frame import to_frame
from sweeper.runs.asked import AskedRuns, OwnRuns
from sweeper.runs.layout import PAPER_FILES
from sweeper.runs.results import read_results
from sweeper.system.lock import Lock

EVERY = "csv,parquet,markdown,latex"
FILES = ("results.csv", "summary.csv", "results.parquet", "summary.md", "summary.tex", *PAPER_FILES)


@pytest.fixture
def aggregate(tmp_path, monkeypatch, capsys):
    """`aggregate(*arguments) -> (code, out, err)`, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def outputs(tmp_path):
    """Two optimizers of two seeds each, one of which diverged."""
    folder = tmp_path / "outputs"
    for seed in (1, 2):
        make_run(folder, seed=seed, accuracy=0.9 + seed / 100)
    make_run(folder, optimizer="lion", accuracy=0.8)
    make_run(folder, "diverged", optimizer="lion", seed=2, error="epoch 2, step 31: loss nan")
    return folder


def read(file) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_what_runs_took_and_cost_stands_under_the_table_of_a_sweep_and_of_a_folder(tmp_path):
    runs = [make_run(tmp_path, seed=seed, environment={"cost": 0.5, "energy_kwh": 0.02}) for seed in (1, 2, 3)]
    sweep = OwnRuns.from_json(AskedRuns(runs[:2]).to_json())
    lines = write_tables([str(tmp_path)], None, ["csv"], sweep=sweep).splitlines()
    place = lines.index(f"2 runs: 2 completed; 1 other in {tmp_path}/")
    assert lines[place + 1] == "these runs took 0.04 kWh of their GPU and cost 1.00"
    assert "\nthese runs took 0.06 kWh of their GPU and cost 1.50\n" in write_tables([str(tmp_path)], None, ["csv"])


def tree(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_writes_both_tables_and_prints_the_summary(aggregate, outputs):
    code, out, err = aggregate()
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "digits, cnn, no label noise, lr 0.1, weight decay 0.0005, 3 epochs, batch size 64: test accuracy, "
        "mean ± standard deviation over n seeds",
        "",
        "No order: one seed tells nothing of chance; three or more give intervals; lion diverged in 1 of 2 seeds",
        "optimizer  final                   best epoch (chosen on test)  diverged",
        "sgd        91.50 ± 0.71 % (n = 2)  92.50 ± 0.71 % (n = 2)       0",
        "lion       80.00 % (n = 1)         81.00 % (n = 1)              1",
        "Seeds differ: order by the model's estimates, not by the means shown.",
        "",
        "4 runs: 3 completed, 1 diverged",
        "written: outputs/results.csv, outputs/summary.csv",
    ]
    results = read(outputs / "results.csv")
    assert [(row["optimizer"], row["seed"], row["final_test_accuracy"]) for row in results] == [
        ("lion", "1", "0.8"),
        ("lion", "2", ""),
        ("sgd", "1", "0.91"),
        ("sgd", "2", "0.92"),
    ]
    assert [(row["optimizer"], row["n"], row["n_diverged"]) for row in read(outputs / "summary.csv")] == [
        ("sgd", "2", "0"),
        ("lion", "1", "1"),
    ]


def test_it_may_be_called_while_a_sweep_runs(aggregate, outputs):
    """Running, interrupted and half-written runs are rows as far as they go."""
    interrupted = make_run(outputs, "running", optimizer="muon")
    (interrupted / "run.lock").write_text(json.dumps({"host": "elsewhere", "boot": "", "pid": 1, "beat": 7}))
    os.utime(interrupted / "run.lock", (1, 1))
    half = make_run(outputs, "running", optimizer="nadam")
    (half / "metrics.csv").write_bytes((half / "metrics.csv").read_bytes()[:-5])
    (make_run(outputs, optimizer="radam") / "run.json").write_text('{"schema_version": 1, "sta')
    make_run(outputs, "failed", optimizer="adam", error="RuntimeError: out of memory")
    with Lock(make_run(outputs, "running", optimizer="adamw") / "run.lock"):
        code, out, err = aggregate()
    assert (code, err) == (0, "")
    assert "9 runs: 3 completed, 1 diverged, 1 failed, 2 interrupted, 1 running, 1 damaged\n" in out
    assert "\nfailed: digits-cnn/adam-seed1-" in out and ": RuntimeError: out of memory\n" in out
    assert "\ndamaged: digits-cnn/radam-seed1-" in out and ": run.json: not whole JSON; left out of" in out
    rows = {row["optimizer"] or "damaged": row for row in read(outputs / "results.csv")}
    assert rows["muon"]["status"] == "interrupted" and rows["muon"]["best_test_accuracy"] == "0.91"
    assert rows["nadam"]["error"] == "metrics.csv: cut off after 2 whole rows"
    assert (rows["adamw"]["status"], rows["adamw"]["final_test_accuracy"]) == ("running", "")
    assert rows["damaged"]["error"] == "run.json: not whole JSON"
    assert {row["optimizer"]: row["n"] for row in read(outputs / "summary.csv")}["adamw"] == "0"


def test_many_bad_runs_are_counted_and_all_stand_in_the_table(aggregate, tmp_path):
    for seed in range(13):
        (make_run(tmp_path / "outputs", seed=seed) / "run.json").write_text("")
    _, out, _ = aggregate()
    assert out.splitlines()[0] == "13 runs: 13 damaged"
    assert out.count("damaged: ") == 10 and "\nand 3 more in results.csv\n" in out
    assert len(read(tmp_path / "outputs" / "results.csv")) == 13


def test_what_is_mixed_in_the_table_is_said(aggregate, outputs):
    make_run(outputs, seed=3, environment={"device": "cuda"})
    _, out, _ = aggregate()
    assert "\nthese runs were not all made alike (device: cpu, cuda); summary.csv tells in which rows: mixed\n" in out
    assert [row["mixed"] for row in read(outputs / "summary.csv")] == ["device: cpu, cuda", ""]


def test_several_folders_are_merged_into_the_first(aggregate, outputs, tmp_path):
    shutil.copytree(outputs, tmp_path / "other machine")
    make_run(tmp_path / "other machine", seed=3)
    code, out, _ = aggregate("outputs", "other machine")
    assert code == 0
    assert "\n5 runs: 4 completed, 1 diverged; 4 more were copies of these\n" in out
    assert len(read(outputs / "results.csv")) == 5
    assert not (tmp_path / "other machine" / "results.csv").exists()


def test_one_copy_is_said_in_the_singular(aggregate, tmp_path):
    for folder in ("a", "b"):
        make_run(tmp_path / folder)
    assert "\n1 run: 1 completed; 1 more was a copy of it\n" in aggregate("a", "b")[1]


def test_into_names_the_folder_of_the_tables_and_makes_it(aggregate, outputs, tmp_path):
    before = tree(outputs)
    code, out, _ = aggregate("outputs", "--into", "new/tables")
    assert code == 0
    assert out.endswith("\nwritten: new/tables/results.csv, new/tables/summary.csv\n")
    assert sorted(tree(tmp_path / "new" / "tables")) == ["results.csv", "summary.csv"]
    assert tree(outputs) == before


@pytest.mark.parametrize("formats", ["csv", "parquet", "markdown", "latex", "latex,csv", EVERY])
def test_csv_is_always_written_and_the_rest_as_asked_for(aggregate, outputs, tmp_path, formats):
    assert aggregate("--format", formats, "--into", "tables")[0] == 0
    wanted = {"parquet": "results.parquet", "markdown": "summary.md", "latex": "summary.tex"}
    expected = {"results.csv", "summary.csv", *(wanted[name] for name in formats.split(",") if name in wanted)}
    expected |= set(PAPER_FILES) if "latex" in formats else set()
    assert set(tree(tmp_path / "tables")) == expected


def test_every_format_tells_the_same(aggregate, outputs):
    assert aggregate("--format", EVERY)[0] == 0
    loaded = to_frame(read_results([outputs]))
    pandas.testing.assert_frame_equal(pandas.read_parquet(outputs / "results.parquet"), loaded)
    assert pandas.read_csv(outputs / "results.csv").columns.tolist() == loaded.columns.tolist()
    markdown, latex = (outputs / "summary.md").read_text(), (outputs / "summary.tex").read_text()
    assert "| sgd | 91.50 ± 0.71 % (n = 2) | 92.50 ± 0.71 % (n = 2) | 0 |" in markdown
    assert r"sgd & 91.50 $\pm$ 0.71 \% (n = 2) & 92.50 $\pm$ 0.71 \% (n = 2) & 0 \\" in latex


def test_the_same_runs_give_the_same_bytes(aggregate, outputs, tmp_path):
    """A second time, with its own tables there, and from a copy that was written in another order."""
    aggregate("outputs", "--format", EVERY)
    first = {name: (outputs / name).read_bytes() for name in FILES}
    aggregate("outputs", "--format", EVERY)
    assert {name: (outputs / name).read_bytes() for name in FILES} == first
    for directory in sorted(outputs.glob("*/*/"), reverse=True):
        shutil.copytree(directory, tmp_path / "copy" / directory.relative_to(outputs))
    aggregate("copy", "--format", EVERY)
    assert {name: (tmp_path / "copy" / name).read_bytes() for name in FILES} == first


def test_a_formula_in_a_configuration_is_text_to_a_spreadsheet(aggregate, tmp_path):
    make_run(tmp_path / "outputs", tag='=HYPERLINK("http://x")')
    make_run(tmp_path / "outputs", tag='深層, "quoted"\nü')
    assert aggregate()[0] == 0
    for table in ("results.csv", "summary.csv"):
        tags = {row["tag"] for row in read(tmp_path / "outputs" / table)}
        assert tags == {'\'=HYPERLINK("http://x")', '深層, "quoted" ü'}
    assert set(sweeper.load_results().tag) == {'=HYPERLINK("http://x")', '深層, "quoted" ü'}


ELSEWHERE = "python -m sweeper.aggregate outputs --into DIR writes elsewhere"
FORMATS = "(there are: csv, latex, markdown, parquet)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone"], "gone: there is no such folder; name one that sweeper.train has written runs into"),
        (["outputs", "gone"], "gone: there is no such folder; name one that sweeper.train has written runs into"),
        (["file"], "file: this is no folder; name one that sweeper.train has written runs into"),
        (["empty"], "empty: there are no runs in this folder; sweeper.train makes them"),
        (["--into", "file"], f"file: can't be written: File exists; {ELSEWHERE}"),
        (["--into", "file/x"], f"file/x: can't be written: Not a directory; {ELSEWHERE}"),
        (["--format", "cvs"], f"--format cvs: there is no such format; did you mean 'csv'? {FORMATS}"),
        (["--format", "csv,excel"], f"--format excel: there is no such format; {FORMATS[1:-1]}"),
        (
            ["--frmat", "csv"],
            "unrecognized arguments: --frmat (did you mean --format?); see python -m sweeper.aggregate --help",
        ),
        (["--into"], "--into: nothing is given; give a value, or leave it out; see python -m sweeper.aggregate --help"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(aggregate, outputs, tmp_path, arguments, message):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    before = tree(tmp_path)
    assert aggregate(*arguments) == (2, "", f"error: {message}\n")
    assert tree(tmp_path) == before


def test_without_a_folder_it_looks_for_outputs(aggregate):
    code, _, err = aggregate()
    assert code == 2
    assert err == "error: outputs: there is no such folder; name one that sweeper.train has written runs into\n"


def test_a_folder_that_can_not_be_written_is_named(aggregate, outputs, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    before = tree(outputs)
    monkeypatch.setattr("sweeper.system.files.write_together", refuse)
    assert aggregate() == (2, "", f"error: outputs: can't be written: Permission denied; {ELSEWHERE}\n")
    assert tree(outputs) == before


def test_a_folder_in_a_tables_place_is_named(aggregate, outputs):
    (outputs / "results.csv").mkdir()
    assert aggregate() == (2, "", f"error: outputs/results.csv: can't be written: Is a directory; {ELSEWHERE}\n")
    assert not (outputs / "summary.csv").exists()


def test_parquet_without_pyarrow_says_what_to_install(aggregate, outputs, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    before = tree(outputs)
    message = "--format parquet: needs pyarrow; pip install 'optimizer-sweeper[parquet]', or '.[parquet]' from a clone"
    assert aggregate("--format", "parquet") == (2, "", f"error: {message}\n")
    assert tree(outputs) == before


def test_interrupted_it_ends_quietly(aggregate, outputs, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("sweeper.runs.results.read_results", interrupt)
    assert aggregate() == (130, "", "")


def test_on_a_terminal_no_word_is_lost(aggregate, outputs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    _, out, _ = aggregate()
    table = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(out.split("\n\n")[1:3]))
    assert max(map(len, table.splitlines())) <= 80
    for words in ("sgd", "lion", "91.50 ± 0.71 % (n = 2)", "81.00 % (n = 1)", "diverged"):
        assert words in table


def test_the_real_command(outputs, tmp_path):
    """With no folder named, and on a terminal that knows ASCII alone."""
    done = run_module("aggregate", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nsgd        91.50 ? 0.71 % (n = 2)  92.50 ? 0.71 % (n = 2)       0\n" in done.stdout
    assert len(read(outputs / "results.csv")) == 4


def test_the_real_command_refuses_with_code_2(tmp_path):
    done = run_module("aggregate", "gone", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: gone: there is no such folder; name one that sweeper.train has written runs into\n"


def test_help_and_version_answer(capsys):
    answers = {"--help": "usage: python -m sweeper.aggregate", "--version": f"sweeper {sweeper.__version__}"}
    for flag, words in answers.items():
        with pytest.raises(SystemExit) as ended:
            main([flag])
        assert ended.value.code == 0
        assert words in capsys.readouterr().out
