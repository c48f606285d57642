"""Findings as lines: one for the same at several places, problems last."""

from sweeper.verify.finding import Finding, lines, note


def test_the_same_at_several_places_is_one_line_and_problems_come_last():
    found = [Finding("is odd", f"runs/{k}", "leave it out") for k in range(5)]
    found += [note("code: sweeper 0.1.0", "runs"), Finding("is odd", "runs/9", "mend it")]
    assert lines(found) == [
        "note: runs: code: sweeper 0.1.0",
        "problem: runs/0, runs/1, runs/2 and 2 more, each: is odd; leave it out",
        "problem: runs/9: is odd; mend it",
    ]


def test_a_records_text_stays_one_printable_line():
    (line,) = lines([Finding("is \x1b[31mred\nand more", "runs")])
    assert line.isprintable()
