"""The seeds with which a search's best settings were run again; these alone choose, since the search's own flatters."""

from collections.abc import Sequence


def confirmation_seeds(settings: Sequence[frozenset[int]]) -> frozenset[int]:
    """The seeds that at least two settings of an optimizer have beyond those that all have; none without confirmation.

    At most half of the settings have them, of three two: a seed that most have is one of the search, which lacks runs.

    Args:
        settings: the seeds of each setting's finished runs.

    >>> sorted(confirmation_seeds([frozenset({101}), frozenset({101, 102, 103}), frozenset({101, 102, 103})] * 2))
    [102, 103]
    """
    if len(settings) < 2:
        return frozenset()
    of_all = frozenset.intersection(*settings)
    more = [seeds - of_all for seeds in settings if seeds - of_all]
    if not of_all or len(more) < 2:
        return frozenset()
    extra = frozenset.union(*more)
    complete = [seeds for seeds in more if seeds == extra]
    few = 2 * len(more) <= len(settings) or len(more) < len(settings) <= 3
    return extra if few and len(complete) >= 2 else frozenset()
