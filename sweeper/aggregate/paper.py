"""The files for a paper: main table, pairs, a paragraph on the setup, references."""

from collections.abc import Sequence

from sweeper.aggregate import pairs
from sweeper.aggregate.critical_difference import compare_tasks
from sweeper.aggregate.experimental_setup import describe_setup
from sweeper.aggregate.main_table import main_table
from sweeper.aggregate.references import STATISTICS, key_of, to_bibtex
from sweeper.aggregate.search import searches
from sweeper.aggregate.tables import to_csv
from sweeper.aggregate.tasks import Task
from sweeper.runs.layout import MAIN_TABLE_FILE, PAIRS_FILE, PAIRS_LATEX_FILE, REFERENCES_FILE, SETUP_FILE

HEAD = rf"% Written by sweeper. Needs \usepackage{{booktabs}}; the citations are in {REFERENCES_FILE}."


def paper_files(tasks: Sequence[Task], margin: float | None = None) -> dict[str, bytes]:
    """The content of each of `PAPER_FILES`. Without completed runs its tables are empty.

    Args:
        margin: of equivalence, as a share, for the verdicts of `pairs.csv`.
    """
    shown = shown_tasks(tasks)
    names = sorted({setting.row["optimizer"] for task in shown for setting in task.compared})
    keys = [*STATISTICS, *(key for key in map(key_of, names) if key)]
    keys += ["dodge2019"] if searches(tasks) else []
    keys += ["demsar2006"] if compare_tasks(shown) else []
    texts = {
        MAIN_TABLE_FILE: main_table(shown),
        PAIRS_LATEX_FILE: pairs.pairs_in_latex(shown),
        SETUP_FILE: describe_setup(shown, tasks),
    }
    return {
        **{name: f"{HEAD}\n{content}\n".encode() for name, content in texts.items()},
        PAIRS_FILE: to_csv(pairs.COLUMNS, pairs.pair_rows(shown, margin)),
        REFERENCES_FILE: to_bibtex(keys),
    }


def shown_tasks(tasks: Sequence[Task]) -> list[Task]:
    """The tasks whose results are a paper's: if there are others, no search of one seed or with confirming runs."""
    one = [t for t in searches(tasks) if t.confirmed_by or max(t.comparison.seeds.values(), default=0) < 2]
    others = [task for task in tasks if task not in one and task.compared]
    return others or [task for task in tasks if task.compared]
