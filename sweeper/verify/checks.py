"""All checks of a folder of runs that need no training."""

from collections.abc import Sequence

from sweeper.runs.results import Results
from sweeper.verify.finding import Finding
from sweeper.verify.folder import Found
from sweeper.verify.folder_checks import check_code, check_copies, check_data
from sweeper.verify.run_checks import check_run
from sweeper.verify.selection import check_selection


def check(runs: Sequence[Found], results: Results, outputs: Sequence[str], root: str | None) -> list[Finding]:
    """What was found, in the order of the checks.

    Args:
        results: the same runs as a table.
        root: the folder of data sets here; None for their own place.
    """
    where = ", ".join(outputs)
    found = [finding for one in runs for finding in check_run(one)]
    ended = [one for one in runs if one.record and one.run.status.settled]
    found += check_copies(ended)
    found += check_code(ended, where)
    found += check_data(ended, where, root)
    found += check_selection(results, outputs, where)
    return found
