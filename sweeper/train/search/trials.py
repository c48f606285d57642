"""A search's trials in Optuna's storage, `search.db` in the outputs folder: a study for each optimizer.

A trial's values depend on random numbers keyed by (the search's seed, the trial's number) and on the trials before it.
So a killed search continues with the same values, and all optimizers start with the same factors. The first trial has
the default values, so the best of a search is never below the result without a search.
"""

import hashlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.config.search_space import Dimension, Search
from sweeper.runs.identity import run_hash, run_name
from sweeper.runs.status import Status
from sweeper.system.errors import BadInput, first_line
from sweeper.system.paths import sqlite_url

if TYPE_CHECKING:
    from optuna.study import Study, StudySummary
    from optuna.trial import FrozenTrial, Trial

SEARCH_DATABASE = "search.db"
RULES = "sweeper.rules"  # attribute of a study: its space and rules
SEARCH = "sweeper.search"  # of a study: its optimizer, and what it shares with the studies of other optimizers
AT_ONCE = "sweeper.at_once"  # of a study: the size of a batch
STATUS = "sweeper.status"  # of a trial: its run's status
EPOCHS = "sweeper.epochs"  # of a trial: the number of trained epochs


class Trials:
    """The trials of a search; each optimizer has a study, named after its run at the default values."""

    def __init__(self, path: Path, search: Search) -> None:
        """Open or create the storage.

        Raises:
            BadInput: the file isn't such a storage, or a study in it has another space, other rules, or more trials.
        """
        self.search = search
        self.studies: dict[str, Study] = {}
        with _quiet():
            self._open(path)
        for optimizer, study in self.studies.items():
            self._check(optimizer, study, path)

    def _open(self, path: Path) -> None:
        import optuna
        from sqlalchemy.pool import NullPool

        try:
            # A connection is closed after each use: Python 3.13 and later warn of one that never is.
            storage = optuna.storages.RDBStorage(sqlite_url(path), engine_kwargs={"poolclass": NullPool})
            for optimizer, base in self.search.bases.items():
                self.studies[optimizer] = optuna.create_study(
                    storage=storage, study_name=run_name(base.config), direction="maximize", load_if_exists=True
                )
        except Exception as error:  # SQLAlchemy may raise anything on a foreign file
            reason = first_line(error)
            mend = "move it away, and the same command makes it again from the runs"
            raise BadInput(f"{path}: can't be used as a search's storage ({reason}); {mend}") from error

    def _check(self, optimizer: str, study: "Study", path: Path) -> None:
        rules = self.search.rules()
        stored = study.user_attrs.get(RULES)
        if stored is None:
            with _quiet():
                study.set_user_attr(SEARCH, [self._search(optimizer), optimizer])
                study.set_user_attr(RULES, rules)
        elif stored != rules:
            again = "ask as before, or begin another search by outputs=DIR"
            raise BadInput(f"{path}: the search of {optimizer} was begun with {_difference(stored, rules)}; {again}")
        there, asked = len(study.get_trials(deepcopy=False)), self.search.options["trials"]
        if there > asked:
            equal = f"equal budgets need {there} or more"
            raise BadInput(f"hydra.sweeper.trials={asked}: {optimizer} has had {there} trials already; {equal}")

    def _search(self, optimizer: str) -> str:
        """What a search's optimizers share: everything except themselves and the schedules that some of them set."""
        config = self.search.bases[optimizer].config
        return run_hash({key: value for key, value in config.items() if key not in ("optimizer", "schedule")})

    def _others(self) -> "Iterator[tuple[str, StudySummary]]":
        """The studies of this search, in the same storage, whose optimizers aren't in this command."""
        import optuna

        known = {self._search(optimizer) for optimizer in self.studies}
        for summary in optuna.get_all_study_summaries(next(iter(self.studies.values()))._storage):
            search, optimizer = summary.user_attrs.get(SEARCH) or (None, None)
            if search in known and optimizer not in self.studies:
                yield str(optimizer), summary

    def at_once(self, usual: Callable[[], int]) -> int:
        """The size of a batch, which affects the results: the requested one, the earlier one, or else `usual()`."""
        attributes = [s.user_attrs for s in self.studies.values()] + [s.user_attrs for _, s in self._others()]
        before = next((found[AT_ONCE] for found in attributes if AT_ONCE in found), None)
        size = int(self.search.options["trials_at_once"] or before or usual())
        for study in self.studies.values():
            study.set_user_attr(AT_ONCE, size)
        return size

    def inequalities(self) -> list[str]:
        """A line for each way in which this search isn't fair to the optimizers of earlier commands."""
        lines = []
        budgets = {optimizer: int(self.search.options["trials"]) for optimizer in self.studies}
        for optimizer, study in self._others():
            budgets[optimizer] = study.n_trials
            if (stored := study.user_attrs.get(RULES)) is not None and stored != self.search.rules():
                lines.append(
                    f"spaces or rules are NOT equal: {optimizer} had {_difference(stored, self.search.rules())}"
                )
        most = max(budgets.values())
        if fewer := sorted(optimizer for optimizer, budget in budgets.items() if budget < most):
            told = ", ".join(f"{optimizer} {budget}" for optimizer, budget in sorted(budgets.items()))
            mend = f"optimizer={','.join(fewer)} hydra.sweeper.trials={most}"
            lines.append(f"budgets are NOT equal: {told} trials; the same command with {mend} makes them so")
        return lines

    def of(self, optimizer: str) -> "list[FrozenTrial]":
        """An optimizer's trials, sorted by number."""
        return self.studies[optimizer].get_trials(deepcopy=False)

    def ask(self, optimizer: str, number: int) -> dict[str, str]:
        """The values, as they would be typed, of a trial that exists or is the study's next one."""
        from optuna.trial import TrialState

        study = self.studies[optimizer]
        with _quiet():
            study.sampler = self._sampler(number, "")
            there = self.of(optimizer)
            if not there and (usual := self.search.usual[optimizer]):
                study.enqueue_trial({d.name: d.value(usual[d.name]) for d in self.search.dimensions})
            # A waiting trial was enqueued, and `ask` starts it.
            begun = number < len(there) and there[number].state != TrialState.WAITING
            trial = self._trial(study, number) if begun else study.ask()
            values = {}
            for dimension in self.search.dimensions:  # if the process was killed while asking, some are missing
                study.sampler = self._sampler(number, dimension.name)
                values[dimension.name] = dimension.typed(_suggest(trial, dimension))
        return values

    def tell(
        self, optimizer: str, number: int, status: Status, curve: dict[int, float], epochs: int, value: float | None
    ) -> None:
        """Record how a trial's run ended: completed, pruned or diverged. A diverged one counts as accuracy 0.

        Args:
            curve: validation accuracy in [0, 1] by epoch; the last epoch of a diverged run is missing.
            value: the final accuracy, for a completed run.
        """
        from optuna.trial import TrialState

        study = self.studies[optimizer]
        with _quiet():
            trial = self._trial(study, number)
            for epoch, accuracy in curve.items():
                trial.report(accuracy, epoch)
            trial.set_user_attr(STATUS, status.value)
            trial.set_user_attr(EPOCHS, epochs)
            if status is Status.PRUNED:
                study.tell(number, state=TrialState.PRUNED)
            else:
                study.tell(number, value if status is Status.COMPLETED else 0.0)

    def _trial(self, study: "Study", number: int) -> "Trial":
        from optuna.trial import Trial

        return Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)

    def _sampler(self, number: int, name: str) -> Any:
        import optuna

        options = self.search.options
        key = f"{options['seed']} {number} {name}"
        seed = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16)
        if options["sampler"] == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        # Both are the defaults of Optuna 5: joint sampling, and running trials count as bad ones.
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=options["startup_trials"], multivariate=True, constant_liar=True
        )


def _suggest(trial: "Trial", dimension: Dimension) -> Any:
    if dimension.choices:
        return trial.suggest_categorical(dimension.name, dimension.choices)
    if dimension.integer:
        return trial.suggest_int(dimension.name, int(dimension.low), int(dimension.high), log=dimension.log)
    return trial.suggest_float(dimension.name, dimension.low, dimension.high, log=dimension.log)


def _difference(then: dict[str, Any], now: dict[str, Any]) -> str:
    """The first rule that differs, e.g. `warmup_epochs 1, not 2`."""
    name = next(k for k in sorted({*then, *now}) if then.get(k) != now.get(k))
    if name not in then:
        return f"{name} not searched over"
    if name not in now:
        return f"{name} searched over, {then[name]}"
    return f"{name} {', not '.join(json.dumps(rules[name]).strip(chr(34)) for rules in (then, now))}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Optuna, which logs every new study and warns of options that are experimental in version 4."""
    import optuna

    optuna.logging.set_verbosity(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
