"""Times as people write them."""

import pytest

from sweeper.system.durations import read_duration
from sweeper.system.errors import BadInput


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5h", 18_000), ("90min", 5400), ("90 m", 5400), ("1h30m", 5400), ("1.5h", 5400), ("2d", 172_800), ("45", 45)],
)
def test_times_are_read_as_people_write_them(text, seconds):
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "5x", "0h", "-3h", "5h later", "nan", "1e5"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(BadInput, match=r"--within .*: must be a time above 0, such as 5h"):
        read_duration(text)
