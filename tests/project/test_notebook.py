"""The notebook runs whole, a second time answers from disk, and a runtime that is cut loses no run. It is kept with the
outputs of its cells."""

import base64
import json
import re
import threading
import time
from pathlib import Path

import psutil
import pytest
from conftest import REPOSITORY

from docs.notebook import NOTEBOOK, digest

ABSOLUTE = re.compile(r"(?<![\w./<])/(?:home|root|tmp|work|var|Users|private|content)/")


def client(folder: Path, epochs: int):
    """The notebook with small values, to be run there."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    parameters = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert "DATASET = " in parameters.source
    parameters.source = (
        f'DATASET, EPOCHS, OPTIMIZERS, SEEDS, OUTPUTS = "digits", {epochs}, "sgd,lion", "1,2", "outputs"'
    )
    return nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})


def execute(folder: Path, epochs: int = 1) -> list[str]:
    """Run it; the text that each code cell printed or showed."""
    executed = client(folder, epochs).execute()
    return [str(cell.outputs) for cell in executed.cells if cell.cell_type == "code"]


def completed(folder: Path) -> list[Path]:
    records = sorted(folder.glob("outputs/*/*/run.json"))
    return [record for record in records if json.loads(record.read_text())["status"] == "completed"]


@pytest.mark.notebook
def test_it_runs_and_a_second_time_answers_from_disk(tmp_path):
    outputs = execute(tmp_path)
    assert "completed, test" in outputs[2]
    assert "final_test_accuracy" in outputs[3] and "digits-cnn/lion-seed2" in outputs[3]
    assert "<h5>intervals</h5><table" in outputs[4]
    assert "image/png" in outputs[5]
    assert '<a href="outputs/report.html">' in outputs[6] and (tmp_path / "outputs" / "report.html").is_file()
    records = completed(tmp_path)
    before = [record.stat().st_mtime_ns for record in records]
    assert len(before) == 4
    assert "4 done already" in execute(tmp_path)[2]
    assert [record.stat().st_mtime_ns for record in records] == before


@pytest.mark.notebook
def test_a_runtime_that_is_cut_in_the_middle_goes_on(tmp_path):
    """All its processes are killed at once, when a run is done and others aren't."""
    dead = pytest.importorskip("nbclient.exceptions").DeadKernelError

    def cut():
        until = time.monotonic() + 120
        while not completed(tmp_path) and time.monotonic() < until:
            time.sleep(0.05)
        for process in psutil.Process().children(recursive=True):
            process.kill()

    cutting = threading.Thread(target=cut)
    cutting.start()
    with pytest.raises(dead):
        client(tmp_path, epochs=30).execute()
    cutting.join()
    done = completed(tmp_path)
    before = [record.stat().st_mtime_ns for record in done]
    assert 1 <= len(done) < 4
    assert f"{len(done)} done already" in execute(tmp_path, epochs=30)[2]
    assert len(completed(tmp_path)) == 4 and [record.stat().st_mtime_ns for record in done] == before


@pytest.fixture(scope="module")
def kept() -> dict:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def code(kept) -> list[dict]:
    return [cell for cell in kept["cells"] if cell["cell_type"] == "code"]


@pytest.fixture(scope="module")
def shown(code) -> list[dict[str, str]]:
    """What each code cell showed: the text by its kind."""
    return [{kind: text for output in cell["outputs"] for kind, text in by_kind(output)} for cell in code]


def by_kind(output: dict) -> list[tuple[str, str]]:
    if output["output_type"] == "stream":
        return [(output["name"], "".join(output["text"]))]
    return [(kind, "".join(text)) for kind, text in output["data"].items()]


def test_its_outputs_are_those_of_its_cells(kept, code):
    assert [cell["execution_count"] for cell in code] == [*range(1, len(code) + 1)]
    now = digest(["".join(cell["source"]) for cell in code])
    assert kept["metadata"]["executed"] == now, "python docs/notebook.py executes it anew"


def test_its_outputs_are_the_answer_the_tables_and_a_plot(shown):
    """The answer and its table are those that README shows."""
    _, _, trained, table, verdict, plot, page = shown
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"^```text\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    printed = re.sub(r"\x1b\[\d*m", "", trained["stdout"])
    lines = [line.rstrip() for line in printed.splitlines()]
    assert lines[lines.index(said.splitlines()[0]) :][: len(said.splitlines())] == said.splitlines()
    assert table["text/html"].count("<td>completed</td>") == printed.count(": completed, test ") == 15
    assert f"answer='{said.splitlines()[0]}'" in verdict["text/plain"] and "<h5>intervals</h5>" in verdict["text/html"]
    assert base64.b64decode(plot["image/png"]).startswith(b"\x89PNG")
    assert "outputs/report.html" in page["text/html"]


def test_its_outputs_are_small_and_name_no_place_of_a_machine(shown):
    assert NOTEBOOK.stat().st_size < 150_000
    texts = [text for cell in shown for kind, text in cell.items() if kind != "image/png"]
    assert texts and not any(ABSOLUTE.search(text) for text in texts)
    assert not any("stderr" in cell for cell in shown)
