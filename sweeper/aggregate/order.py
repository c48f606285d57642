"""What a partial order shows: blocks, letters and ranges of ranks. Pure functions of names."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from string import ascii_lowercase


@dataclass(frozen=True)
class Order:
    """Methods and the pairs (better, worse) that intervals support.

    Attributes:
        methods: in the order of display.
    """

    methods: tuple[str, ...]
    better: frozenset[tuple[str, str]]

    def is_better(self, a: str, b: str) -> bool:
        return (a, b) in self.better

    @cached_property
    def blocks(self) -> list[list[str]]:
        """The methods in blocks, the best first: each method is better than all those of every later block."""
        losses = {m: sum(worse == m for _, worse in self.better) for m in self.methods}
        ordered = sorted(self.methods, key=losses.__getitem__)
        blocks: list[list[str]] = []
        start = 0
        for end in range(1, len(ordered) + 1):
            if all(self.is_better(a, b) for a in ordered[start:end] for b in ordered[end:]):
                blocks.append(ordered[start:end])
                start = end
        return blocks

    @cached_property
    def ranks(self) -> dict[str, tuple[int, int]]:
        """For each method its lowest and highest rank: 1 + those better, and all but those worse.

        From simultaneous intervals these ranges hold together, too (Al Mohamad, Goeman & van Zwet 2022).
        """
        above = {m: sum(worse == m for _, worse in self.better) for m in self.methods}
        below = {m: sum(a == m for a, _ in self.better) for m in self.methods}
        return {m: (1 + above[m], len(self.methods) - below[m]) for m in self.methods}

    @cached_property
    def letters(self) -> dict[str, str]:
        """The compact letter display: two methods share a letter exactly if neither is better (Piepho 2004)."""
        groups = [frozenset(self.methods)] if self.methods else []
        for a, b in sorted(self.better):
            split = [part for group in groups for part in _without_pair(group, a, b)]
            groups = [g for k, g in enumerate(split) if not any(_absorbs(split, j, k) for j in range(len(split)))]
        place = {m: k for k, m in enumerate(self.methods)}
        groups.sort(key=lambda group: sorted(place[m] for m in group))
        return {m: "".join(_letter(k) for k, group in enumerate(groups) if m in group) for m in self.methods}


def _without_pair(group: frozenset[str], a: str, b: str) -> Iterator[frozenset[str]]:
    if a in group and b in group:
        yield group - {a}
        yield group - {b}
    else:
        yield group


def _absorbs(groups: list[frozenset[str]], j: int, k: int) -> bool:
    """Whether the group at k is part of the one at j; of equal groups the first stays."""
    return groups[k] < groups[j] or (groups[k] == groups[j] and j < k)


def _letter(k: int) -> str:
    """a, b, …, z, then a1, b1, …"""
    return ascii_lowercase[k % 26] + (str(k // 26) if k >= 26 else "")
