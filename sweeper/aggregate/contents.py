"""What the tables of some runs have in each format, as bytes."""

from dataclasses import dataclass
from functools import cached_property

from sweeper.aggregate.frame import to_frame
from sweeper.aggregate.paper import paper_files
from sweeper.aggregate.summary import Summary, summarize
from sweeper.aggregate.tables import show, to_csv, to_latex, to_markdown
from sweeper.aggregate.tasks import Task, group_tasks
from sweeper.aggregate.verdict import answer_task
from sweeper.runs.layout import FORMATS, RESULTS_FILE, SUMMARY_FILE
from sweeper.runs.results import Results


@dataclass(frozen=True)
class Contents:
    """Of these runs."""

    results: Results

    @cached_property
    def summary(self) -> Summary:
        return summarize(self.results.runs)

    @cached_property
    def tasks(self) -> list[Task]:
        return group_tasks(self.results.runs)

    def files(self, form: str, margin: float | None = None) -> dict[str, bytes]:
        """The content of each of `FILES_OF` a format.

        Args:
            margin: of equivalence, as a share.
        """
        results, summary = self.results, self.summary
        if form == "csv":
            return {
                RESULTS_FILE: to_csv(results.columns(), (run.values for run in results.runs)),
                SUMMARY_FILE: to_csv(summary.columns(), summary.rows),
            }
        if form == "parquet":
            return {FORMATS[form]: to_frame(results).to_parquet(index=False)}
        shown = show(summary, {task.label: answer_task(task, margin) for task in self.tasks})
        if form == "markdown":
            return {FORMATS[form]: to_markdown(shown)}
        return {FORMATS[form]: to_latex(shown), **paper_files(self.tasks, margin)}
