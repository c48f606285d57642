"""`python -m sweeper`: lists the commands and what each is for."""

import sys

from sweeper.system.command import exit_code_of
from sweeper.system.terminal import say

COMMANDS = {
    "train": "train a run, or with -m a sweep; answers from disk what is finished",
    "doctor": "what this machine offers, and whether training works on it",
    "plan": "what a sweep will take, before it begins",
    "decide": "seeds until each pair of arms is decided, by a rule fixed beforehand",
    "watch": "a live table of every run",
    "aggregate": "results.csv and summary.csv of folders of runs",
    "report": "one page of a folder of runs, and figures",
    "choose": "each optimizer's best setting of a search",
}

if __name__ == "__main__":
    lines = [f"python -m sweeper.{name:<10} {purpose}" for name, purpose in COMMANDS.items()]
    sys.exit(exit_code_of(lambda: say("\n".join(lines))))
