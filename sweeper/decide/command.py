"""`python -m sweeper.decide --arm … --arm …`: which arm is better, by how much, and when to stop adding seeds.

Each look trains the missing seeds of the arms in play by `sweeper.train` and judges the open pairs. Everything is read
from the runs' records, so the same command goes on from what is on disk.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sweeper.decide.document import Told, answer_in_json
from sweeper.decide.rule import Rule, read_rule
from sweeper.system.child import run, run_steps
from sweeper.system.command import called, exit_code_of, is_about_itself, split_own
from sweeper.system.durations import read_duration
from sweeper.system.errors import BadInput
from sweeper.system.terminal import say, tell

if TYPE_CHECKING:
    from sweeper.decide.arms import Arms
    from sweeper.decide.tuned import Tuning

HELP = """\
usage: {name} --arm "NAME: OVERRIDES" --arm "NAME: OVERRIDES" … [options] [overrides of sweeper.train]
       {name} against=FIELD optimizer=NAME [tune=true] [options] [overrides of sweeper.train]

Trains arms, seed by seed, until each pair of them is decided: different, or equivalent within a margin. The looks are
fixed beforehand, and the chance of any wrong difference, over all looks and pairs, is at most the level. Against a
field of finished runs only the newcomer is trained, as the field was, and compared with each of its optimizers.

  --arm "NAME: OVERRIDES"  two or more; or arms=NAME, a file: docs/how-to/arms.md
  against=FIELD            study, or a folder of runs: its data, recipe and seeds are taken over
  tune=true                first tune the newcomer by experiment=tune, then compare the setting that is chosen
  --margin POINTS          of equivalence, in percentage points; without it no pair is called equivalent
  --level SHARE            highest chance of any wrong difference (default: 0.05)
  --looks N,N,…            seeds at each look (default: 3,5,8,12,20; against a field once, at all of its seeds)
  --most-seeds N           the last look (default: 20)
  --within TIME            begin no look after a time such as 5h or 90min
  --json                   print one JSON document, for programs; all else goes to standard error
  --version                print sweeper's version

Exit codes: 0 decided, or the most seeds or the time are used up; 1 a run failed, or page or
arms.json couldn't be written; 2 bad input; 130 by Ctrl-C.
"""
_JSON = "--json"
_OWN = ("--margin", "--level", "--looks", "--most-seeds", "--within")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code, see `--help`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if _JSON in arguments and not {"--help", "-h", "--version"} & set(arguments):
        words = [word for word in arguments if word != _JSON]
        return answer_in_json(lambda found: run_steps(partial(_decide, words, found)))
    return exit_code_of(lambda: run_steps(partial(_decide, arguments, Told())))


def _decide(arguments: list[str], found: Told) -> int:
    if is_about_itself(arguments, HELP.replace("{name}", called("decide"))):
        return 0
    from sweeper.datasets.here import ImagesHere
    from sweeper.decide.circumstances import check_data, describe_differences
    from sweeper.decide.judge import judge
    from sweeper.decide.newcomer import read_newcomers
    from sweeper.decide.record import check_looks, check_recorded, content, recorded_order, show, write
    from sweeper.decide.tuned import describe_tuning, tune_all
    from sweeper.decide.words import answer, describe_failed, describe_look, describe_scatter

    own, words = split_own(arguments, _OWN, "decide")
    words = [word for word in words if word not in ("-m", "--multirun")]
    within = read_duration(own["--within"]) if "--within" in own else None
    began = time.monotonic()
    asked, rule, tunings, words = _read(own, words)
    found.outputs = asked.outputs
    here = ImagesHere(asked.field.data if asked.field else "")
    field = asked.field.words() if asked.field else None
    tuned = {tuning.name: tuning.plan(asked.outputs) for tuning in tunings}
    recorded = check_recorded(asked.outputs, rule, None if tunings else asked.runs(), field, tuned)
    say(f"rule: {rule.words()}")
    if asked.field:
        say("\n".join(filter(None, [field, asked.field.repeats])))
    if tunings:
        assert asked.field is not None
        if ended := tune_all(tunings, asked, tuned, here):
            return ended
        values = {name: one["values"] for name, one in tuned.items()}
        asked = read_newcomers(words, asked.field, rule.looks[-1], values)
        recorded = check_recorded(asked.outputs, rule, asked.runs(), field, tuned)
    asked = replace(asked, cells={arm: asked.cells[arm] for arm in recorded_order(recorded, asked.cells)})
    told, code, ended_by, trained = 0, 0, "", False
    while True:
        results = asked.results()
        decision = judge(asked.names, results, rule, asked.pairs if asked.field else None, asked.seeds)
        check_data(asked, decision, here if decision.waits and not trained else None)
        check_looks(asked.outputs, recorded, decision)
        for look in decision.looks[told:]:
            code = code if asked.record(look.arms, look.seeds) else 1
            say("\n".join(describe_look(look, rule)))
        told = len(decision.looks)
        if told:
            found.decision = content(rule, asked.runs(), decision, answer(decision, rule), field, tuned)
            write(asked.outputs, found.decision)
        if not decision.waits:
            break
        if within is not None and time.monotonic() - began >= within:
            ended_by = "the time is used up"
            break
        ended = run(asked.command(decision.waits, decision.next_seeds, results))
        if ended != 2:  # else nothing was started
            code = code if asked.record(decision.playing, decision.next_seeds) else 1
        trained = True  # from now on records tell
        if ended not in (0, 1):
            if ended > 128:
                tell("interrupted; the same command goes on")
            return ended
        code = max(code, ended)
        if missing := asked.missing(decision.waits, decision.next_seeds):
            raise BadInput(f"{missing[0]}: not trained; the same command goes on")
    sentences = (
        answer(decision, rule, ended_by),
        describe_failed(decision, {arm: results[arm] for arm in asked.cells}, asked.seeds),
        describe_scatter(decision, rule),
        describe_tuning(tunings, asked),
        describe_differences(asked, decision),
    )
    said = " ".join(filter(None, sentences))
    found.answer = said
    if told:
        found.decision = content(rule, asked.runs(), decision, said, field, tuned)
        write(asked.outputs, found.decision)
        code = code if show(asked.outputs) else 1
    say(said)
    return code


def _read(own: dict[str, str], words: list[str]) -> tuple["Arms", Rule, list["Tuning"], list[str]]:
    """What is decided; the rule, which of a field depends on its seeds; the tunings that come first; the words left."""
    from sweeper.decide.arms import read_arms, read_words
    from sweeper.decide.field import read_field, take_field
    from sweeper.decide.newcomer import read_newcomers
    from sweeper.decide.tuned import plan_tunings, take_tune

    against, words = take_field(words)
    tune, words = take_tune(words)
    if against is None:
        if tune:
            raise BadInput("tune=true: is for a newcomer, with against=FIELD; tune arms before, by experiment=tune")
        rule = read_rule(own)
        return read_arms(words, rule.looks[-1]), rule, [], words
    asked = read_words(words)
    field = read_field(against, asked.overrides, asked.config_dir)
    rule = read_rule(own, len(field.seeds))
    newcomers = read_newcomers(words, field, rule.looks[-1], untuned=tune)
    return newcomers, rule, plan_tunings(newcomers, field) if tune else [], words
