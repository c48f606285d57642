"""A folder of one's own is found whatever its name, and one that isn't there is named."""

import pytest

from sweeper.config.arms import read_files
from sweeper.config.grid import compose_grid
from sweeper.config.search_path import search_in
from sweeper.system.errors import BadInput


@pytest.mark.parametrize("name", ["plain", "it's mine", "a,b=c", "[x]", "back\\slash", "ü"])
def test_a_folder_of_any_name_is_searched(tmp_path, name):
    folder = tmp_path / name / "optimizer"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("_target_: torch.optim.SGD\n_partial_: true\nlr: 0.3\n")
    (tmp_path / name / "arms").mkdir()
    (tmp_path / name / "arms" / "two.yaml").write_text("a: seed=1\nb: seed=2\n")
    words = ["--config-dir", str(tmp_path / name), "-m", "dataset=digits", "optimizer=mine", "arms=two"]
    assert list(compose_grid(words).arms) == ["a", "b"]
    assert [arm.name for arm in read_files(["two"], [tmp_path / name])] == ["a", "b"]


def test_what_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="is a file; name the folder"):
        search_in(str(tmp_path / "file"))
    with pytest.raises(BadInput, match="there is no such folder"):
        search_in(str(tmp_path / "nowhere"))
