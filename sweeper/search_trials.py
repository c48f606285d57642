"""A search's trials in Optuna's storage, `search.db` in the outputs folder: a study for each optimizer.

A trial's values come from random numbers keyed by (the search's seed, its number), and from the trials before it; so a
search that was killed goes on with the values that it would have had, and optimizers begin at the same factors.
"""

import hashlib
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.errors import BadInput
from sweeper.identity import run_name
from sweeper.search_space import Dimension, Search

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

SEARCH_DATABASE = "search.db"
RULES = "sweeper.rules"  # the names under which a study keeps its space and rules, and a trial its run's status
STATUS = "sweeper.status"


class Trials:
    """Trials asked for and told, each optimizer's in a study named by its run at the usual values."""

    def __init__(self, path: Path, search: Search) -> None:
        """
        Raises:
            BadInput: the file is no such storage, or a study in it has another space, other rules, or more trials.
        """
        self.search = search
        self.studies: dict[str, Study] = {}
        with _quiet():
            self._open(path)
        for optimizer, study in self.studies.items():
            self._check(optimizer, study, path)

    def _open(self, path: Path) -> None:
        import optuna

        try:
            storage = optuna.storages.RDBStorage(f"sqlite:///{path.resolve()}")
            for optimizer, base in self.search.bases.items():
                self.studies[optimizer] = optuna.create_study(
                    storage=storage, study_name=run_name(base.config), direction="maximize", load_if_exists=True
                )
        except Exception as error:  # whatever a foreign file makes SQLAlchemy raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            mend = "move it away, and the same command makes it again from the runs"
            raise BadInput(f"{path}: can't be used as a search's storage ({reason}); {mend}") from error

    def _check(self, optimizer: str, study: "Study", path: Path) -> None:
        rules = self.search.rules()
        stored = study.user_attrs.get(RULES)
        if stored is None:
            study.set_user_attr(RULES, rules)
        elif stored != rules:
            name = next(k for k in sorted({*stored, *rules}) if stored.get(k) != rules.get(k))
            then, now = (json.dumps(r.get(name, "not searched")).strip('"') for r in (stored, rules))
            again = "ask as before, or begin another search by tag=NAME or outputs=DIR"
            raise BadInput(f"{path}: the search of {optimizer} was begun with {name} {then}, not {now}; {again}")
        there, asked = len(study.get_trials(deepcopy=False)), self.search.options["trials"]
        if there > asked:
            equal = f"equal budgets need {there} or more"
            raise BadInput(f"hydra.sweeper.trials={asked}: {optimizer} has had {there} trials already; {equal}")

    def of(self, optimizer: str) -> "list[FrozenTrial]":
        """In the order of their numbers."""
        return self.studies[optimizer].get_trials(deepcopy=False)

    def ask(self, optimizer: str, number: int) -> dict[str, str]:
        """The values, as they would be typed, of a trial that is there already or is the study's next one."""
        study = self.studies[optimizer]
        with _quiet():
            study.sampler = self._sampler(number, "")
            trial = self._trial(study, number) if number < len(self.of(optimizer)) else study.ask()
            values = {}
            for dimension in self.search.dimensions:  # a trial that was being asked for when all was killed lacks some
                study.sampler = self._sampler(number, dimension.name)
                values[dimension.name] = dimension.typed(_suggest(trial, dimension))
        return values

    def tell(self, optimizer: str, number: int, status: str, curve: dict[int, float], value: float | None) -> None:
        """How a trial's run ended: completed, pruned or diverged. A diverged one counts as of accuracy 0.

        Args:
            curve: validation accuracy in [0, 1] by epoch.
            value: the final one, of a completed run.
        """
        from optuna.trial import TrialState

        study = self.studies[optimizer]
        with _quiet():
            trial = self._trial(study, number)
            for epoch, accuracy in curve.items():
                trial.report(accuracy, epoch)
            trial.set_user_attr(STATUS, status)
            if status == "pruned":
                study.tell(number, state=TrialState.PRUNED)
            else:
                study.tell(number, value if status == "completed" else 0.0)

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
        # Both are the default of Optuna 5: values drawn together, and trials that still run held for bad ones.
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=options["startup_trials"], multivariate=True, constant_liar=True
        )


def _suggest(trial: "Trial", dimension: Dimension) -> Any:
    if dimension.choices:
        return trial.suggest_categorical(dimension.name, dimension.choices)
    if dimension.integer:
        return trial.suggest_int(dimension.name, int(dimension.low), int(dimension.high), log=dimension.log)
    return trial.suggest_float(dimension.name, dimension.low, dimension.high, log=dimension.log)


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna tells of every study it makes, and that some options are experimental in version 4."""
    import optuna

    optuna.logging.set_verbosity(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
