"""The runs with which a search's best settings were run again; these alone choose, since the search's own flatter."""

from collections.abc import Iterable, Sequence

from sweeper.runs.rows import Run


def confirmation_seeds(settings: Iterable[Sequence[Run]]) -> frozenset[int]:
    """The seeds of an optimizer's confirmation; none unless two of its settings have finished runs with all of them.

    Args:
        settings: the runs of each setting.
    """
    known = list(settings)
    seeds = frozenset(run.values["seed"] for runs in known for run in runs if run.confirms)
    return seeds if sum(is_confirmed(runs, seeds) for runs in known) >= 2 else frozenset()


def is_confirmed(runs: Sequence[Run], seeds: frozenset[int]) -> bool:
    """Whether a setting has finished runs with all of a confirmation's seeds, of which there is one at least."""
    done = {run.values["seed"] for run in runs if run.confirms and run.status.finished}
    return bool(seeds) and seeds <= done


def judging_runs(runs: Sequence[Run], seeds: frozenset[int]) -> list[Run]:
    """The runs of a setting whose validation accuracy counts: those of the confirmation, else those of the search.

    Args:
        seeds: of its optimizer's confirmation; none without one.
    """
    if is_confirmed(runs, seeds):
        return [run for run in runs if run.confirms]
    return [run for run in runs if not run.confirms] or list(runs)
