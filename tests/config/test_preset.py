"""A preset of values: its files, its name, and what is refused."""

import pytest
import yaml
from omegaconf import OmegaConf

from sweeper.config.grid import compose_grid
from sweeper.config.preset import Places, check_name, check_values, files_to_remove, preset_files
from sweeper.system.errors import BadInput


def add(folder, name, text):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def write(folder, values, name="mine", replace=False):
    """As `choose` does."""
    files = preset_files(Places(folder), name, values, {}, {}, ["a search"])
    old = files_to_remove(folder, name, files, replace)
    for file, content in files.items():
        add(folder, file.relative_to(folder), content.decode())
    for file in old:
        file.unlink()


def contents(folder):
    return {file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*.yaml")}


def optimizers(*words):
    return {cell.config["optimizer"]["name"]: cell.config["optimizer"] for cell in compose_grid(list(words)).cells}


def test_a_preset_is_taken_by_its_name_and_a_word_counts_more(tmp_path):
    write(tmp_path, {"sgd": {"lr": 0.4, "momentum": 0.5}, "adam": {"betas": [0.8, 0.9]}})
    words = ("--config-dir", str(tmp_path), "-m", "experiment=[quick,mine]", "optimizer=sgd,adam,lion", "seed=1")
    usual = optimizers("-m", "optimizer=sgd,adam,lion")
    chosen = {
        **usual,
        "sgd": usual["sgd"] | {"lr": 0.4, "momentum": 0.5},
        "adam": usual["adam"] | {"betas": [0.8, 0.9]},
    }
    assert optimizers(*words) == chosen
    typed = optimizers(*words, "optimizer.lr=0.7")
    assert typed == {name: values | {"lr": 0.7} for name, values in chosen.items()}


@pytest.mark.parametrize("text", ["12345678", "01234567", "1234e567", "0x123456"])
def test_a_hash_that_looks_like_a_number_is_read_as_the_text_that_it_is(tmp_path, text):
    write(tmp_path, {"sgd": {"lr": 0.4, "tuned": {"recipe": text}}})
    assert OmegaConf.load(tmp_path / "settings" / "mine" / "sgd.yaml").tuned.recipe == text


def test_a_file_of_somebody_else_is_never_replaced(tmp_path):
    for name in ("settings/mine/adam.yaml", "settings/mine/sgd.yaml", "experiment/mine.yaml"):
        add(tmp_path, name, "lr: 1.0\n")
        for replace in (False, True):
            with pytest.raises(BadInput, match=f"{name}: was not written by sweeper.choose and isn't replaced"):
                write(tmp_path, {"sgd": {"lr": 0.4}}, replace=replace)
        assert contents(tmp_path) == {name: "lr: 1.0\n"}
        (tmp_path / name).unlink()


@pytest.mark.parametrize(
    "other", [{"sgd": {"lr": 0.5}}, {"adam": {"lr": 0.4}}, {"sgd": {"lr": 0.4}, "adam": {"lr": 1}}]
)
def test_another_choice_is_replaced_whole_and_only_if_asked(tmp_path, other):
    write(tmp_path, other)
    before = contents(tmp_path)
    with pytest.raises(
        BadInput, match="is of another choice; keep it by another --name NAME, or take this by --replace"
    ):
        write(tmp_path, {"sgd": {"lr": 0.4}})
    assert contents(tmp_path) == before
    write(tmp_path, {"sgd": {"lr": 0.4}}, name="another")
    write(tmp_path, {"sgd": {"lr": 0.4}}, replace=True)
    names = ("experiment/another", "experiment/mine", "settings/another/sgd", "settings/mine/sgd")
    assert sorted(contents(tmp_path)) == [f"{name}.yaml" for name in names]
    assert yaml.safe_load(contents(tmp_path)["settings/mine/sgd.yaml"]) == {"lr": 0.4}


def test_the_same_choice_from_elsewhere_is_no_other(tmp_path):
    write(tmp_path, {"sgd": {"lr": 0.4}})
    files = preset_files(Places(tmp_path), "mine", {"sgd": {"lr": 0.4}}, {}, {}, ["another folder"])
    assert files_to_remove(tmp_path, "mine", files, replace=False) == []


LETTERS = "a name begins with a letter, a to z or A to Z, and has such letters, digits, _ and - alone; choose another"
VALUE = "is read as a value, not as a text, in YAML or in experiment=NAME; choose another"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        *(
            (name, f"{name}: {LETTERS}")
            for name in ("../x", "a/b", "a b", "a.b", "it's", '"a"', "1e5", "1", "-m", "a,b")
        ),
        *((name, f"{name}: {LETTERS}") for name in ("${dataset}", "größe", "2026")),
        *((name, f"a b: {LETTERS}") for name in ("a\nb", "a\tb")),
        *((name, f"{name}: {VALUE}") for name in ("null", "True", "none", "nan", "On")),
        ("", "'': is empty; choose another"),
        ("x" * 41, f"{'x' * 39}…: has 41 characters, and a name has 40 at most; choose another"),
    ],
)
def test_a_name_is_a_word_and_what_it_is_instead_is_told(tmp_path, name, told):
    with pytest.raises(BadInput) as refused:
        check_name(Places(tmp_path), name)
    assert str(refused.value) == f"--name {told}"


@pytest.mark.parametrize("name", ["digits", "final", "Final", "pictures"])
def test_a_name_means_nothing_else(tmp_path, name):
    """The settings of a data set's name are taken with it, unasked."""
    add(tmp_path, "dataset/pictures.yaml", "loader: pictures.read\n")
    check_name(Places(tmp_path), "tuned-2")
    with pytest.raises(BadInput, match=f"--name {name}: there is a data set or a preset of this name"):
        check_name(Places(tmp_path), name)


def test_what_the_optimizers_own_yaml_has_already_is_not_repeated(tmp_path):
    own = optimizers("optimizer=sgd")["sgd"]
    assert check_values(Places(tmp_path), "sgd", own, {}) == {}
    assert check_values(Places(tmp_path), "sgd", own | {"momentum": 0.5}, {}) == {"momentum": 0.5}
    assert check_values(Places(tmp_path), "sgd", own, {"lr": own["lr"]}) == {"lr": own["lr"]}
    with pytest.raises(BadInput, match="nesterov: false was chosen, but only numbers are written"):
        check_values(Places(tmp_path), "sgd", own | {"nesterov": False}, {})


@pytest.mark.parametrize("name", ["evil", "_target_", "name", "defaults"])
def test_no_option_but_the_yamls_own_is_written(tmp_path, name):
    add(tmp_path, "optimizer/mine.yaml", "defaults: 1\n_target_: 1\nname: 1\nlr: 0.1\n")
    with pytest.raises(BadInput, match=f"mine.yaml: has no option '{name}', which the chosen run has; add it there"):
        check_values(Places(tmp_path), "mine", {"lr": 0.1}, {name: 2.0})


def test_a_users_optimizer_counts_more_and_is_read_as_hydra_reads_it(tmp_path):
    add(tmp_path, "optimizer/sgd.yaml", "lr: 1e-8\nboost: 3\n")
    assert check_values(Places(tmp_path), "sgd", {"lr": 1e-8, "boost": 4}, {}) == {"boost": 4}
    assert {"sgd", "lion"} <= set(Places(tmp_path).names("optimizer"))


OWN = {"dataset/pictures.yaml": "loader: pictures.read\n", "experiment/study.yaml": "epochs: 3\n"}
OWN |= {"settings/former/sgd.yaml": "lr: 0.1\n"}


@pytest.mark.parametrize("name", ["pictures", "study", "Study", "former"])
def test_a_name_that_is_taken_in_another_folder_of_the_search_is_seen(tmp_path, name):
    for file, text in OWN.items():
        add(tmp_path, f"own/{file}", text)
    places = Places(tmp_path / "new", tmp_path / "own")
    check_name(places, "tuned")
    with pytest.raises(BadInput, match=f"--name {name}: there is a data set or a preset of this name in .*own; choose"):
        check_name(places, name)
    if name != "pictures":  # the preset that the folder itself has is compared, not refused
        check_name(Places(tmp_path / "own", tmp_path / "own"), name)


def test_an_optimizer_of_another_folder_of_the_search_comes_first(tmp_path):
    """As it did for the search's own runs."""
    add(tmp_path, "own/optimizer/sgd.yaml", "lr: 0.3\nboost: 3\n")
    add(tmp_path, "new/optimizer/sgd.yaml", "lr: 0.4\n")
    places = Places(tmp_path / "new", tmp_path / "own")
    assert check_values(places, "sgd", {"lr": 0.4, "boost": 3}, {}) == {"lr": 0.4}
    with pytest.raises(
        BadInput, match=r"has no file of the optimizer 'mine'.*; if it has one elsewhere, name the folder"
    ):
        check_values(Places(tmp_path / "new"), "mine", {"lr": 0.4}, {})


@pytest.mark.parametrize("text", ["- lr", "lr: [", "\0"])
def test_a_yaml_that_is_none_is_named(tmp_path, text):
    add(tmp_path, "optimizer/lion.yaml", text)
    with pytest.raises(BadInput, match=r"lion\.yaml: can't be read as YAML of names and values; mend it"):
        check_values(Places(tmp_path), "lion", {"lr": 0.1}, {})


def test_a_yaml_that_can_not_be_read_is_not_to_be_mended(tmp_path):
    def broken(file):
        raise OSError(5, "Input/output error", str(file))

    add(tmp_path, "optimizer/lion.yaml", "lr: 0.4\n")
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(BadInput, match=r"lion\.yaml: can't be read: Input/output error$"),
    ):
        patch.setattr("sweeper.config.preset.OmegaConf.load", broken)
        check_values(Places(tmp_path), "lion", {"lr": 0.1}, {})
