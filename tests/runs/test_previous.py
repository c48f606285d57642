"""Earlier results are moved out of the way and none is lost, also when a process is killed in between."""

import pytest

from sweeper.runs import previous
from sweeper.runs.previous import finish_keeping, keep_files, keep_together

NAMES = ("run.json", "metrics.csv", "model.safetensors")


def write(folder, content: str, *names: str) -> None:
    for name in names:
        (folder / name).write_text(content)


def held(folder) -> dict[str, str]:
    """What lies where."""
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("keep", [keep_files, keep_together])
def test_results_are_kept_under_a_number_of_their_own(tmp_path, keep):
    assert keep(tmp_path, NAMES) is None and held(tmp_path) == {}
    for number in ("1", "2"):
        write(tmp_path, number, "run.json", "metrics.csv", "other")
        assert keep(tmp_path, NAMES) == tmp_path / "previous" / number
    kept = {f"previous/{n}/{name}": n for n in "12" for name in ("run.json", "metrics.csv")}
    assert held(tmp_path) == {**kept, "other": "2"}


def test_a_number_is_not_given_twice(tmp_path):
    for name in ("previous/7", "previous/.9"):
        (tmp_path / name).mkdir(parents=True)
    write(tmp_path, "x", "run.json")
    assert keep_files(tmp_path, NAMES) == tmp_path / "previous" / "10"


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moves", range(4))
def test_what_a_killed_process_began_to_keep_is_kept_together_in_the_end(tmp_path, monkeypatch, moves):
    """Killed before the first move it has kept nothing, and all lies where it lay."""
    write(tmp_path, "old", *NAMES)
    real, left = previous.move, [None] * moves

    def move_until_killed(source, target):
        if not left:
            raise Killed
        left.pop()
        real(source, target)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(previous, "move", move_until_killed)
        keep_together(tmp_path, NAMES)
    assert not (tmp_path / "previous" / "1").exists()
    finish_keeping(tmp_path, NAMES)
    where = "previous/1/" if moves else ""
    assert held(tmp_path) == {f"{where}{name}": "old" for name in NAMES}
    assert [path.name for path in tmp_path.glob("previous/.*")] == []
