"""The space of a search: intervals and choices of the optimizers' options, and the options of the search itself."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override
from omegaconf import DictConfig, OmegaConf

from sweeper.config.factors import FACTORS
from sweeper.config.overrides import Groups, parse_overrides, sweep_values
from sweeper.config.resolved import Cell
from sweeper.config.spelling import split_values, written
from sweeper.config.suggestions import known_option
from sweeper.system.errors import BadInput, install, nearest

TARGET = "hydra_plugins.sweeper_optuna_sweeper.OptunaSweeper"
SAMPLERS = ("tpe", "random")


@dataclass(frozen=True)
class Dimension:
    """One searched option: an interval of numbers, or `choices` as they would be typed."""

    name: str
    text: str  # as on the command line, e.g. `interval(0.1,10)`
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    integer: bool = False
    choices: tuple[str, ...] = ()

    def ends(self) -> tuple[str, str]:
        """The first and the last value, as they would be typed."""
        return (self.choices[0], self.choices[-1]) if self.choices else (self.typed(self.low), self.typed(self.high))

    def typed(self, value: Any) -> str:
        """A value as text for a run's override, rounded to four significant digits."""
        if self.choices:
            return str(value)
        return str(int(value)) if self.integer else repr(min(max(float(f"{value:.4g}"), self.low), self.high))

    def value(self, typed: str) -> Any:
        """A typed value as the type that Optuna uses."""
        return typed if self.choices else int(typed) if self.integer else float(typed)

    def usual(self, value: Any) -> str | None:
        """An option's default value as it would be typed; None if it lies outside the dimension."""
        if self.choices:
            values = {text: parse_overrides([f"{self.name}={text}"])[0].value() for text in self.choices}
            return next((text for text in self.choices if values[text] == value), None)
        inside = isinstance(value, (int, float)) and self.low <= value <= self.high
        return self.typed(value) if inside else None

    def at_edge(self, typed: str) -> str:
        """`low` or `high` for a value in the outermost 5 % of the interval; "" otherwise."""
        if self.choices:
            return ""
        scale: Callable[[float], float] = math.log if self.log else float
        low, value, high = map(scale, (self.low, float(typed), self.high))
        place = (value - low) / (high - low)
        return "low" if place <= 0.05 else "high" if place >= 0.95 else ""


@dataclass(frozen=True)
class Search:
    """A requested search.

    Attributes:
        options: the validated options of `hydra.sweeper`.
        bases: for each optimizer the run at its default values, which names its study.
        usual: for each optimizer the default values as they would be typed, which are its first trial; empty if any
            lies outside its dimension.
        corners: the runs at the ends of the space, which are validated before anything starts.
        trial: gives, for an optimizer and values as they would be typed, the run and its overrides.
    """

    dimensions: tuple[Dimension, ...]
    options: dict[str, Any]
    bases: dict[str, Cell]
    usual: dict[str, dict[str, str]]
    corners: list[Cell]
    trial: Callable[[str, Mapping[str, str]], tuple[Cell, list[str]]]

    def rules(self) -> dict[str, Any]:
        """The settings that must not change when a study is continued."""
        names = ("sampler", "seed", "startup_trials", "prune", "warmup_epochs")
        return {d.name: d.text for d in self.dimensions} | {name: self.options[name] for name in names}


def is_search(sweeper: DictConfig) -> bool:
    return sweeper.get("_target_") == TARGET


def check_search(sweeper: DictConfig) -> dict[str, Any]:
    """The validated options of `hydra/sweeper=optuna`.

    Raises:
        BadInput: an option is out of its range, or Optuna 4 isn't installed.
    """
    from importlib.metadata import PackageNotFoundError, version

    options: dict[str, Any] = OmegaConf.to_container(sweeper, resolve=True)  # type: ignore[assignment]  # a dict for a DictConfig
    for name, least in {"trials": 1, "trials_at_once": 1, "startup_trials": 1, "warmup_epochs": 0, "seed": 0}.items():
        if (value := options[name]) is not None and value < least:
            raise BadInput(f"hydra.sweeper.{name}={value}: must be an integer of at least {least}")
    if options["sampler"] not in SAMPLERS:
        raise BadInput(f"hydra.sweeper.sampler={options['sampler']}: {nearest(options['sampler'], SAMPLERS)}")
    try:
        found = version("optuna")
    except PackageNotFoundError:
        found = "none"
    if found == "none" or int(found.split(".")[0]) < 4:
        here = "isn't installed" if found == "none" else f"{found} is too old"
        raise BadInput(f"hydra/sweeper=optuna: needs Optuna 4 or later, which {here}; {install('tune')}")
    return options


def read_dimension(override: Override, groups: Groups) -> Dimension:
    """Turn a sweep override of an optimizer's option into a dimension of the space.

    Raises:
        BadInput: it isn't an option of the optimizer, or the interval is invalid.
    """
    key, line = override.key_or_group, override.input_line
    if key not in FACTORS and not key.startswith("optimizer."):
        if (option := known_option(key) or key).startswith("optimizer."):
            write = written(option, split_values((line or "").partition("=")[2]))
            raise BadInput(f"{line}: there is no option '{key}'; write {write}")
        one = "only options of the optimizer are searched over, such as lr_factor"
        raise BadInput(f"{line}: a search has one value of {key}; {one}")
    if key == "optimizer.name":
        raise BadInput(f"{line}: a search has one class of optimizer=any; search for each by a command of its own")
    swept = override.value()
    text = "".join((line or "").partition("=")[2].split())
    if not isinstance(swept, IntervalSweep):
        return Dimension(key, text, choices=tuple(sweep_values(override, groups)))
    assert swept.start is not None and swept.end is not None
    log = "log" in swept.tags
    if swept.tags - {"log"}:
        raise BadInput(f"{line}: the only tag of an interval is log, as in tag(log, interval(0.1, 10))")
    if not swept.start < swept.end:
        raise BadInput(f"{line}: the lower end comes first and is below the upper one")
    if log and swept.start <= 0:
        raise BadInput(f"{line}: on a log scale the lower end must be above 0")
    return Dimension(key, text, swept.start, swept.end, log, isinstance(swept.start, int))


def check_space(dimensions: Mapping[str, Dimension]) -> None:
    if not dimensions:
        raise BadInput(
            "hydra/sweeper=optuna: nothing to search over; give e.g. 'lr_factor=tag(log, interval(0.1, 10))'"
        )
    for factor, option in FACTORS.items():
        if {factor, option} <= dimensions.keys():
            raise BadInput(f"{option} and {factor} are both searched over; fix one of them, e.g. {factor}=1")


def check_held_out(config: Mapping[str, Any]) -> None:
    if not config["dataset"]["validation_fraction"]:
        held_out = "hold some out, e.g. dataset.validation_fraction=0.1"
        raise BadInput(f"dataset.validation_fraction=0: a search chooses by validation images alone; {held_out}")


def check_base(cell: Cell) -> None:
    check_held_out(cell.config)
    if cell.config["rerun"]:
        raise BadInput("rerun=true: a search continues with the existing runs; start another with outputs=DIR")
