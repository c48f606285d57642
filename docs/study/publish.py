"""`python docs/study/publish.py [--study FOLDER] [OUTPUTS …]`: finished runs into a study's folder, by default
`docs/study/cifar10/`, and all that is made of them.

Copies `run.json` and `metrics.csv` of each finished run below OUTPUTS: of those with validation images held out into
`tuning/runs/`, with the list of those that confirm a search; of the others into `runs/`, and where `runs/` has the same
run, trained at another time, below `again/`: what was published there is not replaced. Then writes the tables, the
pages, the figures and the choice of the search, and fills what stands between `<!-- name -->` and `<!-- /name -->` in
the study's page and the READMEs: no number there is typed. Without OUTPUTS it does that alone. The same runs give the
same bytes: no page says when it was made.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from cells import shown, table
from control import Failure, describe_control, failure
from headlines import answer, describe_over_studies, headlines
from own_scatter import describe_own_scatter
from repeats import describe_repeats
from robustness import describe_robustness
from searched import describe_search
from timescale import describe_equal_averaging, describe_timescales
from wrong_labels import describe_wrong_labels

from sweeper.aggregate.command import aggregate
from sweeper.aggregate.limits import describe_limits
from sweeper.aggregate.points import points
from sweeper.aggregate.tasks import Task, group_tasks, task_title
from sweeper.aggregate.verdict import describe_task
from sweeper.choose.choice import choose
from sweeper.report.command import report
from sweeper.report.tables import pairs_table, ranking_table
from sweeper.runs.layout import CONFIRMATIONS_FILE, METRICS_FILE, RUN_FILE
from sweeper.runs.record import read_run
from sweeper.runs.results import Results, read_results
from sweeper.runs.rows import Run
from sweeper.system.errors import BadInput
from sweeper.system.text import counted

STUDY = Path(__file__).resolve().parent / "cifar10"
REPOSITORY = STUDY.parents[2]
FIGURES = {
    "curves": "Test accuracy by epoch: mean and standard deviation over seeds; the lowest points lie below the axis",
    "seeds": "Final and best test accuracy of each seed",
    "noise": "Accuracy by the share of wrong labels",
}


def publish(
    outputs: Sequence[str],
    study: Path,
    repository: Path,
    published: Sequence[str] = (),
    equal: Sequence[str] = (),
) -> None:
    """See above. `study` has a README.md with the places to fill; the READMEs of `repository` may have one. The runs
    with published values in the folders `published` go into `published/runs/`: the chosen ones are held against them.
    Those of the folders `equal`, in which all average over the same time, go into `equal/runs/` and are compared there.

    Raises:
        BadInput: a run tells its host, a file has no such place, or there are no runs.
    """
    for folder in outputs:  # each by itself: read together, a run and its repeat would be taken for copies of one
        for run in read_results([folder]).runs:
            take_over(run, study)
        if (confirmations := Path(folder) / CONFIRMATIONS_FILE).is_file():
            shutil.copyfile(confirmations, study / "tuning" / "runs" / CONFIRMATIONS_FILE)
    for part, folders in (("published/runs", published), ("equal/runs", equal)):
        for run in (run for folder in folders for run in read_results([folder]).runs):
            take_over(run, study, part)
    runs, tuning = study / "runs", study / "tuning"
    if tuning.is_dir():
        choose([str(tuning / "runs")], str(tuning))
        aggregate([str(tuning / "runs")], str(tuning), ["csv"])
        report([str(tuning / "runs")], str(tuning), str(tuning / "figures"), dated=False)
    if runs.is_dir():
        print(aggregate([str(runs)], str(study), ["csv"]))
        report([str(runs)], str(study), str(study / "figures"), dated=False)
    fill(study / "README.md", blocks(study))
    tuned, failures = main_tasks(study.parent)
    for name, headline in headlines(tuned, failures).items():
        readme = repository / name
        if readme.is_file() and "<!-- studies -->" in readme.read_text(encoding="utf-8"):
            fill(readme, {"studies": headline})
    if (overview := study.parent / "README.md").is_file():
        fill(overview, {"over_studies": describe_over_studies(tuned)})


def take_over(run: Run, study: Path, part: str | None = None) -> None:
    """Into this part, or that of the run's kind: copy a finished run's record and curve; say which aren't finished."""
    if not run.status.finished:
        print(f"left out: {run.path} ({run.values['status']})", file=sys.stderr)
        return
    if read_run(Path(run.path))["environment"].get("host"):
        raise BadInput(f"{run.path}: its record tells the host's name; train with record_host=false")
    if part is None:
        part = "tuning/runs" if run.values.get("dataset.validation_fraction") else "runs"
    path = Path(run.path)
    to = study / part / path.parent.name / path.name
    if part == "runs" and (to / RUN_FILE).is_file() and _started(to) != _started(path):
        to = study / "again" / re.sub(r"\W", "", _started(path)) / path.parent.name / path.name
    to.mkdir(parents=True, exist_ok=True)
    for name in (RUN_FILE, METRICS_FILE):
        shutil.copyfile(path / name, to / name)


def _started(run: Path) -> str:
    return str(read_run(run)["environment"]["started"])


def blocks(study: Path) -> dict[str, str]:
    """What belongs between the marks of the study's page: Markdown by name."""
    parts = ("runs", "tuning/runs", "published/runs", "equal/runs")
    results, searched, published, equal = (_there(study / part) for part in parts)
    if results is None:
        return {"search": describe_search(searched, study), "cost": _cost({"search": searched})} if searched else {}
    tasks = group_tasks(results.runs)
    return {
        "answer": _answer(_main(tasks), _failure(study)),
        "results": "\n\n".join([*(f"### {task_title(task)}\n\n{_task(task)}" for task in tasks), _figures(study)]),
        "limits": "\n".join(f"- {sentence}" for sentence in describe_limits(tasks, results.runs, results.left_out)),
        "search": describe_search(searched, study) if searched else "",
        "timescale": describe_timescales(_main(tasks)),
        "wrong_labels": describe_wrong_labels(tasks),
        "robustness": describe_robustness(_main(tasks), study),
        "equal": _equal(_main(tasks), group_tasks(equal.runs)) if equal else "",
        "control": describe_control(tasks, group_tasks(published.runs)) if published else "",
        "cost": _cost({"search": searched, "study": results, "published values": published, "equal averaging": equal}),
        "again": describe_repeats(study, tasks),
    }


def main_tasks(studies: Path) -> tuple[list[Task], list[Failure | None]]:
    """Of each study with results the task that was tuned, and where its control failed."""
    folders = sorted(path.parent for path in studies.glob("*/runs"))
    return [_main_of(folder) for folder in folders], [_failure(folder) for folder in folders]


def _main_of(study: Path) -> Task:
    return _main(group_tasks(read_results([study / "runs"]).runs))


def _failure(study: Path) -> Failure | None:
    published = _there(study / "published" / "runs")
    return failure(_main_of(study), group_tasks(published.runs)) if published else None


def _main(tasks: Sequence[Task]) -> Task:
    """The shortest with the fewest wrong labels: it was tuned so."""
    return min(tasks, key=lambda task: (task.config["epochs"], task.config["noise"]["rate"]))


def _answer(task: Task, failed: Failure | None) -> str:
    return "\n\n".join([answer(task), _pairs(task), *([failed.words()] if failed else [])])


def _pairs(task: Task) -> str:
    """Which pairs are separated, and by how much; of the others what remains possible."""
    pairs = [d for d in task.comparison.differences if d.has_interval]
    apart = [abs(d.difference) for d in pairs if d.low > 0 or d.high < 0]
    told = [
        f"{d.a} − {d.b} {points(d.difference)} ({points(d.low)} to {points(d.high)})"
        for d in pairs
        if d.low <= 0 <= d.high
    ]
    said = f"{len(apart)} of {counted(len(pairs), 'pair')} {'is' if len(apart) == 1 else 'are'} separated"
    if apart:
        said += f", by {100 * min(apart):.2f} to {100 * max(apart):.2f} points"
    return f"{said}. Not separated, with the 95 % interval: {'; '.join(told)}." if told else f"{said}."


def _there(folder: Path) -> Results | None:
    return read_results([folder]) if folder.is_dir() else None


def fill(file: Path, places: dict[str, str]) -> None:
    text = file.read_text(encoding="utf-8")
    for name, content in places.items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if content and not place.search(text):
            raise BadInput(f"{file}: has no lines '<!-- {name} -->' and '<!-- /{name} -->' to write between")
        between = f"\n{content}\n\n" if content else ""
        text = place.sub(lambda found, between=between: f"{found[1]}{between}{found[2]}", text)
    file.write_text(text, encoding="utf-8")


def _task(task: Task) -> str:
    """The answer in a line, below it what it stands on, and the tables."""
    pairs = pairs_table(task)
    parts = [answer(task), " ".join(describe_task(task)[1:]), shown(ranking_table(task))]
    return "\n\n".join(filter(None, [*parts, shown(pairs) if pairs.rows else "", describe_own_scatter(task)]))


def _equal(usual: Task, equal: Sequence[Task]) -> str:
    return "\n\n".join(filter(None, [*map(_task, equal), describe_equal_averaging(usual, equal)]))


def _figures(study: Path) -> str:
    there = [name for name in FIGURES if (study / "figures" / f"{name}.png").is_file()]
    words = "Every seed's curve: [report.html](report.html). A row a run: [results.csv](results.csv). "
    words += "A row a configuration: [summary.csv](summary.csv)."
    return "\n\n".join([*(f"![{FIGURES[name]}](figures/{name}.png)" for name in there), words])


def _cost(parts: dict[str, Results | None]) -> str:
    rows = []
    for name, results in parts.items():
        if results is None:
            continue
        seconds = [run.device_seconds for run in results.runs]
        known = [s for s in seconds if s is not None]
        minutes = f"{sum(known) / 60:.1f}" if len(known) == len(seconds) else "not recorded"
        devices = ", ".join(sorted({run.device_name for run in results.runs if run.device_name}))
        epochs = sum(run.epochs_done for run in results.runs)
        rows.append([name, str(len(seconds)), f"{epochs:,}", minutes, devices])
    return table(["part", "runs", "epochs in all", "device minutes", "device"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python docs/study/publish.py", description="Publish finished runs.")
    parser.add_argument("--study", type=Path, default=STUDY, metavar="FOLDER", help="default: docs/study/cifar10")
    parser.add_argument(
        "--published", action="append", default=[], metavar="OUTPUTS", help="runs with published values, the control"
    )
    parser.add_argument(
        "--equal", action="append", default=[], metavar="OUTPUTS", help="runs that all average over the same time"
    )
    parser.add_argument(
        "outputs", nargs="*", metavar="OUTPUTS", help="folders of runs; none: publish again what is there"
    )
    arguments = parser.parse_args()
    study = arguments.study.resolve()
    # A study elsewhere fills no README of this repository.
    repository = REPOSITORY if study.parent == STUDY.parent else study.parent
    publish(arguments.outputs, study, repository, arguments.published, arguments.equal)


if __name__ == "__main__":
    try:
        main()
    except BadInput as error:
        sys.exit(f"error: {error}")
