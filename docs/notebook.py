"""Executes the notebook in an empty folder and keeps its outputs: `python docs/notebook.py`, a minute on two cores.
Needs nbclient and ipykernel. A test holds the outputs against the cells and README."""

import hashlib
import tempfile
from pathlib import Path

NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "colab.ipynb"


def digest(sources: list[str]) -> str:
    """The digest of all code cells, which the notebook keeps beside the outputs that they gave."""
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def main() -> None:
    import nbclient
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        where = {"metadata": {"path": folder}}
        nbclient.NotebookClient(notebook, record_timing=False, coalesce_streams=True, resources=where).execute()
    notebook.metadata.language_info = {"name": "python"}  # without this machine's versions
    notebook.metadata.executed = digest([cell.source for cell in notebook.cells if cell.cell_type == "code"])
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()
