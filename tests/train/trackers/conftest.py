import pytest

from sweeper.train.trackers import tracking


@pytest.fixture
def warnings(monkeypatch):
    """The lines that runs' logs would have."""
    lines: list[str] = []
    monkeypatch.setattr(tracking.log, "warning", lambda text, *values: lines.append(text % values))
    return lines
