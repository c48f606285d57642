"""`python -m sweeper.decide --arm … --arm …`: which arm is better, by how much, and when to stop adding seeds.

Each look trains the missing seeds of the arms in play by `sweeper.train` and judges the open pairs. Everything is read
from the runs' records, so the same command goes on from what is on disk.
"""

import sys
import time
from collections.abc import Sequence

from sweeper import __version__
from sweeper.decide.rule import read_rule
from sweeper.system.command import called, exit_code_of, split_own
from sweeper.system.durations import read_duration
from sweeper.system.errors import BadInput
from sweeper.system.terminal import say

HELP = """\
usage: {name} --arm "NAME: OVERRIDES" --arm "NAME: OVERRIDES" … [options] [overrides of sweeper.train]

Trains arms, seed by seed, until each pair of them is decided: different, or equivalent within a margin. The looks are
fixed beforehand, and the chance of any wrong difference, over all looks and pairs, is at most the level.

  --arm "NAME: OVERRIDES"  two or more; or arms=NAME, a file: docs/how-to/arms.md
  --margin POINTS          of equivalence, in percentage points; without it no pair is called equivalent
  --level SHARE            highest chance of any wrong difference (default: 0.05)
  --looks N,N,…            seeds at each look (default: 3,5,8,12,20)
  --most-seeds N           the last look (default: 20)
  --within TIME            begin no look after a time such as 5h or 90min
  --version                print sweeper's version

Exit codes: 0 decided, or the most seeds or the time are used up; 1 a run failed; 2 bad input; 130 by Ctrl-C.
"""
_OWN = ("--margin", "--level", "--looks", "--most-seeds", "--within")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code, see `--help`."""
    return exit_code_of(lambda: _decide(list(sys.argv[1:] if argv is None else argv)))


def _decide(arguments: list[str]) -> int:
    if {"--help", "-h"} & set(arguments):
        say(HELP.replace("{name}", called("decide")), end="")
        return 0
    if "--version" in arguments:
        say(f"sweeper {__version__}")
        return 0
    from sweeper.decide.arms import read_arms
    from sweeper.decide.judge import judge
    from sweeper.decide.record import check_looks, check_recorded, content, write
    from sweeper.decide.words import answer, describe_look
    from sweeper.system.child_process import run

    own, words = split_own(arguments, _OWN)
    words = [word for word in words if word not in ("-m", "--multirun")]
    rule = read_rule(own)
    within = read_duration(own["--within"]) if "--within" in own else None
    began = time.monotonic()
    asked = read_arms(words, rule.looks[-1])
    recorded = check_recorded(asked.outputs, rule, asked.runs())
    names = tuple(asked.cells)
    say(f"rule: {rule.words()}")
    told, code, ended_by = 0, 0, ""
    while True:
        decision = judge(names, asked.results(), rule)
        check_looks(asked.outputs, recorded, decision)
        for look in decision.looks[told:]:
            say("\n".join(describe_look(look, rule)))
        told = len(decision.looks)
        if told:
            write(asked.outputs, content(rule, asked.runs(), decision, answer(decision, rule)))
        if not decision.waits:
            break
        if within is not None and time.monotonic() - began >= within:
            ended_by = "the time is used up"
            break
        ended = run(asked.command(decision.waits, decision.next_seeds))
        if ended not in (0, 1):
            return ended
        code = max(code, ended)
        if missing := asked.missing(decision.waits, decision.next_seeds):
            raise BadInput(f"{missing[0]}: not trained; the same command goes on")
    said = answer(decision, rule, ended_by)
    if told:
        write(asked.outputs, content(rule, asked.runs(), decision, said))
    say(said)
    return code
