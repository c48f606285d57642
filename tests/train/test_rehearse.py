"""What can be found wrong is found before the first run starts, and nothing is left behind."""

from collections import namedtuple

import pytest
from conftest import TINY, merged
from PIL import Image

from sweeper.config.arms import Arm
from sweeper.config.grid import compose_grid
from sweeper.system.errors import BadInput
from sweeper.train.rehearse import rehearse


def configs(*arguments: str) -> list[dict]:
    return [cell.config for cell in compose_grid(merged(*TINY, *arguments)).cells]


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
    digits = () if override.startswith("dataset=") else ("dataset=digits",)
    code, out, err = call(*TINY[1:3], *digits, override)
    assert code == 2 and words in err
    assert err.startswith("error: ") and err.count("\n") == 1 and out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["optimizer", "model", "schedule"])
def test_what_is_not_installed_is_told_before_data_are_read(target, tmp_path, monkeypatch):
    """Of any of the runs: data may be downloaded, and may be large."""
    monkeypatch.setattr("sweeper.train.rehearse.load_run_data", lambda config: pytest.fail("data were read"))
    asked = configs("-m", "seed=1,2", f"outputs={tmp_path}")
    asked[1][target] |= {"_target_": "schedule_free_too.New"}
    with pytest.raises(BadInput, match=f"{target}._target_=schedule_free_too.New: no package 'schedule_free_too'; "):
        rehearse(asked)


def test_a_sweep_with_a_run_without_batches_is_refused(call, tmp_path):
    code, _, err = call("-m", *TINY, "drop_last=null,true", "batch_size=300,301")
    assert "done already" not in err, "nothing is counted where nothing begins"
    assert code == 2 and "error: drop_last=true: no batch is left, since batch_size=301 is more than the 300 " in err
    assert list(tmp_path.iterdir()) == []


def test_an_average_of_an_average_is_refused(call, tmp_path):
    pytest.importorskip("schedulefree")
    code, _, err = call("-m", *TINY, "ema=0.999", "optimizer=sgd,schedule_free_adamw", "seed=1,2")
    assert code == 2 and "error: ema=0.999: AdamWScheduleFree averages its weights already" in err
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


def test_what_was_read_of_a_folder_is_told_once(monkeypatch, tmp_path, capsys):
    """Not for each run; and on standard error."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = (
        "dataset=folder",
        f"dataset.root={tmp_path}/tree",
        "dataset.test_fraction=0.25",
        "model=cnn",
        "device=cpu",
    )
    for name in ("cat", "dog"):
        (tmp_path / "tree" / name).mkdir(parents=True)
        (tmp_path / "tree" / name / "0.heic").touch()
        for k in range(4):
            Image.new("RGB", (8, 8), (k, 0, len(name))).save(tmp_path / "tree" / name / f"{k}.png")
    grid = compose_grid(["-m", "optimizer=sgd,adam", "noise=none,pair", "seed=1,2", *folder, f"outputs={tmp_path}/o"])
    rehearse([cell.config for cell in grid.cells])
    assert len(grid.cells) == 8
    line = "dataset=folder: 8 images, 2 of them held out for testing; not taken: 2 .heic\n"
    out, error = capsys.readouterr()
    assert out == "" and error.startswith(f"{line}dataset=folder: of 6 training images an epoch is 1 step of ")
    assert "\ndataset=folder: 2 test images: one is 50.0 points of accuracy, " in error and error.count("\n") == 3


def test_an_error_about_what_an_arm_sets_names_the_arm():
    arms = (Arm("usual", ("optimizer=sgd",)), Arm("mine", ("optimizer=sgd", "+optimizer.lrr=1")))
    both = [config for arm in arms for config in configs(*arm.overrides)]
    with pytest.raises(BadInput, match=r"^arm 'mine': optimizer.*takes no such option"):
        rehearse(both, arms=arms)
