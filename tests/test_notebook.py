"""The notebook runs from its first cell to its last, and a second time answers from disk."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.notebook

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "colab.ipynb"
SMALL = 'DATASET, EPOCHS, OPTIMIZERS, SEEDS, OUTPUTS = "digits", 1, "sgd,lion", "1,2", "outputs"'


def execute(folder: Path) -> list[str]:
    """Run the notebook there with small values; the text that each code cell printed or showed."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    parameters = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert "DATASET = " in parameters.source
    parameters.source = SMALL
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return [str(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]


def test_it_runs_and_a_second_time_answers_from_disk(tmp_path):
    outputs = execute(tmp_path)
    assert "completed, test" in outputs[2]
    assert "final_test_accuracy" in outputs[3] and "digits-cnn/lion-seed2" in outputs[3]
    assert "<iframe" in outputs[4]
    records = sorted((tmp_path / "outputs").glob("*/*/run.json"))
    before = [record.stat().st_mtime_ns for record in records]
    assert len(before) == 4
    assert "4 done already" in execute(tmp_path)[2]
    assert [record.stat().st_mtime_ns for record in records] == before


def test_it_is_kept_without_outputs():
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)
