"""What can be found wrong is found before the first run starts, and nothing is left behind."""

from collections import namedtuple

import pytest
from conftest import TINY

from sweeper.config.grid import compose_grid
from sweeper.system.errors import BadInput
from sweeper.train.rehearse import rehearse


def configs(*arguments: str) -> list[dict]:
    return [cell.config for cell in compose_grid([*arguments, *TINY]).cells]


def test_an_outputs_folder_that_can_not_be_made_is_named(call, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = call(*TINY, "outputs=file/outputs")
    reason = "can't be read: Not a directory; choose another folder by outputs=DIR"
    assert (code, err) == (2, f"error: outputs=file/outputs: {reason}\n")


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(1, 1, 2**20)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(BadInput, match=r"only 1 MiB are free there; make room or choose another"):
        rehearse(configs(f"outputs={tmp_path}"))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("optimizer._target_=torch.optim.SGDD", "torch.optim has no 'SGDD'; did you mean 'SGD'"),
        ("+optimizer.lrr=1", "torch.optim.SGD takes no such option; did you mean 'lr'"),
        ("model.width=0", "width=0: must be at least 1"),
        ("schedule.final_fraction=2", "final_fraction=2: must lie in"),
        ("dataset.loader=sweeper.datasets.digit", "has no function 'digit'; did you mean 'digits'"),
        ("dataset.image_size=16", "dataset=digits has a fixed size"),
        ("dataset=folder", "dataset.root is missing; expected train/<class>/"),
        ("noise=asymmetric", "doesn't have the classes of CIFAR-10 or CIFAR-100"),
        ("noise=human", "noise.file is missing"),
        ("device=mps", "device=mps: "),
    ],
)
def test_what_can_not_be_made_stops_everything_before_it_starts(override, words, call, tmp_path):
    code, out, err = call(*TINY[1:3], "dataset=digits", override)
    assert code == 2 and words in err
    assert err.startswith("error: ") and err.count("\n") == 1 and out == ""
    assert list(tmp_path.iterdir()) == []


def test_equal_parts_are_made_once(monkeypatch, tmp_path):
    from sweeper.engine import build

    made: list[str] = []
    original = build.build_model

    def counted(node, *rest, **more):
        made.append(node["name"])
        return original(node, *rest, **more)

    monkeypatch.setattr(build, "build_model", counted)
    rehearse(configs("-m", "optimizer=sgd,adam", "seed=1,2,3", f"outputs={tmp_path}"))
    assert made == ["cnn"] * 3  # one for all optimizers and seeds, and two of which one resumes what the other does
