"""Two spellings of one run are one configuration; how a finished run was made is told from what was used."""

from sweeper.config.grid import compose_grid
from sweeper.config.resolved import other_circumstances
from sweeper.runs.identity import run_name


def cell(*words: str):
    (found,) = compose_grid(["dataset=digits", *words]).cells
    return found


def test_values_written_differently_are_one_run():
    lr = [cell("optimizer=sgd", f"optimizer.lr={text}") for text in ("0.05", "5e-2", "0.050")]
    factor = cell("optimizer=sgd", "lr_factor=0.5")
    assert len({one.directory for one in [*lr, factor]}) == 1
    assert factor.config["optimizer"]["lr"] == 0.05


def test_a_factor_is_multiplied_in_and_leaves_no_other_trace():
    plain, halved = cell("optimizer=adamw").config, cell("optimizer=adamw", "weight_decay_factor=0.5").config
    assert halved["optimizer"]["weight_decay"] == plain["optimizer"]["weight_decay"] / 2
    halved["optimizer"]["weight_decay"] *= 2
    assert halved == plain


def test_what_refers_to_a_multiplied_value_sees_the_product(tmp_path):
    """Torch's one-cycle schedule replaces the learning rate by its own `max_lr`: cells of a grid would be one."""
    (tmp_path / "schedule").mkdir()
    text = "_target_: torch.optim.lr_scheduler.OneCycleLR\n_partial_: true\nmax_lr: ${optimizer.lr}\n"
    (tmp_path / "schedule" / "cycle.yaml").write_text(text)
    own = (f"hydra.searchpath=['file://{tmp_path}']", "optimizer=sgd", "schedule=cycle")
    factor, value = cell(*own, "lr_factor=0.5"), cell(*own, "optimizer.lr=0.05")
    assert (factor.config["schedule"]["max_lr"], factor.config["optimizer"]["lr"]) == (0.05, 0.05)
    assert factor == value
    both = cell(*own, "lr_factor=0.5", "decay_factor=2").config["optimizer"]
    assert (both["lr"], both["weight_decay"]) == (0.05, 0.002)


def test_an_option_of_no_group_and_the_optimizer_as_a_whole_see_it_too(tmp_path):
    (tmp_path / "schedule").mkdir()
    (tmp_path / "schedule" / "own.yaml").write_text("_target_: own.schedule\n_partial_: true\nof: ${optimizer}\n")
    found = cell("lr_factor=0.5", "optimizer=sgd", "tag='lr${optimizer.lr}'").config
    assert found["tag"] == f"lr{found['optimizer']['lr']}" == "lr0.05"
    own = (f"hydra.searchpath=['file://{tmp_path}']", "optimizer=sgd", "schedule=own")
    assert cell(*own, "lr_factor=0.5").config["schedule"]["of"]["lr"] == 0.05


def test_a_factor_of_0_is_refused(refusal):
    assert refusal("dataset=digits", "lr_factor=0") == "lr_factor=0.0: must be a number above 0"


RECIPE = ("label_smoothing=0.1", "clip_grad_norm=1", "ema=0.999", "drop_last=true")


def test_an_option_of_the_recipe_that_is_off_leaves_no_trace():
    plain = cell()
    for off in (*(f"{option.partition('=')[0]}=null" for option in RECIPE), "label_smoothing=0", "drop_last=false"):
        assert (cell(off).config, cell(off).directory) == (plain.config, plain.directory)
    earlier = {name: value for name, value in plain.config.items() if name not in dict(map(_split, RECIPE))}
    assert len(earlier) == len(plain.config) - 4
    assert run_name(earlier) == run_name(plain.config)  # a run of before they were options
    assert len({plain.directory, *(cell(option).directory for option in RECIPE)}) == 5
    assert cell("clip_grad_norm=1").directory == cell("clip_grad_norm=1.0").directory


def _split(option: str) -> list[str]:
    return option.split("=")


def test_labels_count_by_what_they_are_and_not_by_where_they_lie(tmp_path):
    for name, labels in {"a": "1\n2\n", "b": "1\n2\n", "other": "2\n1\n"}.items():
        (tmp_path / name).write_text(labels)
    a, b, other = (cell("noise=human", f"noise.file={tmp_path / name}").directory for name in ("a", "b", "other"))
    assert a == b != other


def test_how_a_run_was_made_is_what_was_used_and_not_what_was_asked_for():
    asked = cell().config
    run = {"config": asked, "environment": {"device": "cuda", "precision": "bf16", "threads": 4}}
    assert other_circumstances(asked, run, "cpu") == ["device.kind=cuda"]
    assert other_circumstances(asked, run, "cuda") == []

    def otherwise(*overrides: str) -> list[str]:
        return other_circumstances(cell(*overrides).config, run, "cuda")

    assert otherwise("device.threads=4", "device.kind=cuda") == []
    assert otherwise("device.threads=1") == ["device.threads=4"]
    assert otherwise("device.precision=fp32") == []  # another run altogether
    assert otherwise("device=cpu") == ["device.kind=cuda"]
    assert otherwise("save_model=false") == ["save_model=true"]
    assert otherwise("optimizer=lion", "record_host=false") == []  # another run altogether; and no matter
