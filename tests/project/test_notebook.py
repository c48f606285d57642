"""The notebook runs whole, a second time answers from disk, and a runtime that is cut loses no run."""

import json
import threading
import time
from pathlib import Path

import psutil
import pytest
from conftest import REPOSITORY

pytestmark = pytest.mark.notebook

NOTEBOOK = REPOSITORY / "notebooks" / "colab.ipynb"


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


def test_it_runs_and_a_second_time_answers_from_disk(tmp_path):
    outputs = execute(tmp_path)
    assert "completed, test" in outputs[2]
    assert "final_test_accuracy" in outputs[3] and "digits-cnn/lion-seed2" in outputs[3]
    assert "<h5>intervals</h5><table" in outputs[4]
    assert "<iframe" in outputs[5]
    records = completed(tmp_path)
    before = [record.stat().st_mtime_ns for record in records]
    assert len(before) == 4
    assert "4 done already" in execute(tmp_path)[2]
    assert [record.stat().st_mtime_ns for record in records] == before


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


def test_it_is_kept_without_outputs():
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)
