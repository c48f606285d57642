"""`dataset=hub` reads what the library `datasets` returns; a stand-in has the part of its interface that is used."""

import json
import logging
import os
import socket
import sys
from types import ModuleType

import numpy as np
import pytest
from conftest import TINY, run_module

from sweeper.config.grid import compose_grid
from sweeper.datasets import hub
from sweeper.runs.identity import run_name
from sweeper.system.errors import BadInput
from tests.datasets.test_image_folder import read, write_image
from tests.datasets.test_parquet import NAMES, png

NODE = {"name": "someone/pets", "root": None, "image_size": None, "workers": 1}


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (12, 6, 5, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def network(monkeypatch):
    """One that knows the Hub, as far as a look at its name goes; `network["Hub"] = False` is none."""
    known = {"Hub": True}

    def look(host, port):
        if not known[{"huggingface.co": "Hub"}[host]]:
            raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("sweeper.datasets.from_hub.socket.getaddrinfo", look)
    monkeypatch.setattr("sweeper.datasets.from_hub.getproxies", dict)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")  # so that what the test changes is undone
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    return known


@pytest.fixture
def library(monkeypatch):
    """A stand-in for `datasets`; its sets by name, each a dictionary from split to rows."""
    sets: dict[str, dict] = {}

    class Image:
        def __init__(self, decode=True):
            self.decode = decode

    class ClassLabel:
        names = NAMES

    class Dataset:
        features = {"img": Image(), "label": ClassLabel()}  # noqa: RUF012

        def __init__(self, rows, decoded=True):
            self.rows, self.decoded = rows, decoded

        def cast_column(self, column, feature):
            assert column == "img" and not feature.decode
            return Dataset(self.rows, decoded=False)

        def __getitem__(self, column):
            assert not self.decoded
            return [row[column] for row in self.rows]

    class DatasetNotFoundError(FileNotFoundError):
        pass

    def load_dataset(name, configuration, cache_dir=None):
        if name not in sets:
            raise DatasetNotFoundError(f"Dataset '{name}' doesn't exist on the Hub.\nA second line")
        return {split: Dataset(rows) for split, rows in sets[name].items()}

    module = ModuleType("datasets")
    vars(module).update(load_dataset=load_dataset, Image=Image, disable_progress_bars=lambda: None)
    monkeypatch.setitem(sys.modules, "datasets", module)
    return sets


def test_a_set_of_the_hub_is_the_set_of_the_tree_with_the_same_images(library, pixels, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rows = [{"img": {"bytes": png(image), "path": None}, "label": k % 2} for k, image in enumerate(pixels)]
    for k, image in enumerate(pixels):
        write_image(tmp_path / "tree" / ("train" if k < 8 else "test") / NAMES[k % 2] / f"{k:02}.png", image)
    on_disk = tmp_path / "tree" / "train" / "dog" / "00.png"
    rows[0]["img"] = {"bytes": None, "path": str(on_disk)}  # as of a set of image files
    library["someone/pets"] = {"train": rows[:8], "test": rows[8:], "validation": rows[:2]}
    raw, tree = hub(NODE), read(tmp_path / "tree")
    assert raw.classes == tree.classes == ("cat", "dog")
    order = np.argsort(raw.train_labels, kind="stable")
    assert np.array_equal(raw.train_images[order], tree.train_images)
    assert raw.test_labels.tolist() == [1, 0, 1, 0] and raw.files == "8 images in train, 4 in test"
    assert raw.form == "someone/pets of the Hugging Face Hub"
    del library["someone/pets"]["test"], library["someone/pets"]["validation"]
    with pytest.raises(BadInput, match=r"dataset.name=someone/pets: there is no test split; hold some images out by"):
        hub(NODE)
    assert len(hub(NODE | {"test_fraction": 0.5}).train_images) == 8  # the caller holds them out


def test_what_the_library_raises_is_one_line(library):
    with pytest.raises(BadInput, match=r"^dataset.name=someone/pets: DatasetNotFoundError: .* exist on the Hub.$"):
        hub(NODE)


def test_without_the_library_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(BadInput, match=r"dataset=hub: needs datasets; pip install 'optimizer-sweeper\[hub\]'"):
        hub(NODE)


def test_a_folder_of_the_librarys_name_is_not_the_library(monkeypatch, tmp_path):
    (tmp_path / "datasets").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setitem(sys.modules, "datasets", None)
    del sys.modules["datasets"]  # and what is imported here is forgotten again
    with pytest.raises(BadInput, match=r"^dataset=hub: needs datasets; pip install"):
        hub(NODE)


def test_a_set_keeps_its_name_and_each_is_a_task_of_its_own():
    cells = compose_grid(["-m", "dataset=hub", "dataset.name=ylecun/mnist,zalando/fashion", "optimizer=sgd"]).cells
    assert [cell.config["dataset"]["name"] for cell in cells] == ["ylecun/mnist", "zalando/fashion"]
    assert run_name(cells[0].config).startswith("ylecun_mnist-resnet18/sgd-seed1-")
    (cell,) = compose_grid(["dataset=hub", "dataset.name=ylecun/mnist/mnist", "optimizer=sgd"]).cells
    assert run_name(cell.config).startswith("ylecun_mnist_mnist-resnet18/sgd-seed1-")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["dataset=hub"], "dataset.name=null: dataset=hub needs a set's name, such as dataset.name=ylecun/mnist"),
        (["dataset=hub", "dataset.name=../x"], "dataset.name=../x: dataset=hub needs a set's name"),
        (["dataset=hub", "dataset.name=a/b/c/d"], "dataset.name=a/b/c/d: dataset=hub needs a set's name"),
        (["dataset=digits", "dataset.name=x"], "dataset=digits: its name is digits, by its file; take out name: x"),
    ],
)
def test_a_name_that_is_none_is_refused(words, line, refusal):
    assert refusal(*words).startswith(line)


SPLITS = {"train": range(24), "validation": range(24, 30), "test": range(30, 42)}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The real library and a function that writes a set with it, `made(name, folder, without)`."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets.features") and pytest.importorskip("datasets")  # not the tests' own folder
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (42, 6, 6, 3), dtype=np.uint8)
    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)})

    def write(name, folder="data", without=lambda split: ()):
        (tmp_path / name / folder).mkdir(parents=True)
        for split, rows in SPLITS.items():
            columns = {"img": [{"bytes": png(pixels[k]), "path": None} for k in rows], "label": [k % 2 for k in rows]}
            table = datasets.Dataset.from_dict(columns, features=features).remove_columns([*without(split)])
            table.to_parquet(tmp_path / name / folder / f"{split}-00000-of-00001.parquet")

    datasets.disable_progress_bars()
    return write


@pytest.mark.hub
@pytest.mark.slow
def test_the_library_itself_reads_the_set_that_a_folder_of_its_files_is(made, tmp_path):
    """`datasets` reads a folder of the set's name, if there is one, in place of the Hub."""
    made("someone/pets")
    caches = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    records = []
    for words, task in (
        (("dataset=hub", "dataset.name=someone/pets"), "someone_pets-cnn"),
        (("dataset=folder", "dataset.root=someone/pets"), "folder-cnn"),
    ):
        chosen = (*TINY, *words, "dataset.train_limit=null", "model=cnn")
        done = run_module("train", "-m", "optimizer=sgd", *chosen, cwd=tmp_path, **caches)
        assert done.returncode == 0 and "1 run: 1 completed" in done.stdout, done.stderr
        assert "24 images in train, 12 in test" in done.stderr and "arning" not in done.stderr
        (record,) = (tmp_path / "outputs" / task).glob("*/run.json")
        records.append(json.loads(record.read_text(encoding="utf-8")))
    ours, theirs = (
        (record["environment"]["data_digest"], record["result"]["final_test_accuracy"]) for record in records
    )
    assert ours == theirs
    assert records[0]["environment"]["data_form"] == "the folder someone/pets"


@pytest.mark.hub
@pytest.mark.filterwarnings("ignore")  # the library's own
def test_what_the_library_itself_raises_is_one_line(made, tmp_path, capfd):
    node = NODE | {"root": str(tmp_path / "cache")}
    for folder in ("cats", "dogs"):
        made("someone/pets", folder)
    configurations = [
        {"config_name": name, "data_files": [{"split": split, "path": f"{name}/{split}-*"} for split in SPLITS]}
        for name in ("cats", "dogs")
    ]
    (tmp_path / "someone" / "pets" / "README.md").write_text(f"---\nconfigs: {json.dumps(configurations)}\n---\n")
    with pytest.raises(BadInput) as raised:
        hub(node)
    line = "dataset.name=someone/pets: has several configurations, cats, dogs; name one: dataset.name=someone/pets/cats"
    assert str(raised.value) == line
    assert hub(node | {"name": "someone/pets/dogs"}).files == "24 images in train, 12 in test"
    made("someone/half", without=lambda split: ["label"] if split == "train" else [])
    with pytest.raises(BadInput, match=r"^dataset.name=someone/half: CastError: Couldn't cast … because column names"):
        hub(node | {"name": "someone/half"})
    (tmp_path / "someone" / "none").mkdir()
    with pytest.raises(BadInput, match=r"^dataset.name=someone/none: EmptyDatasetError: .*doesn't contain any data fi"):
        hub(node | {"name": "someone/none"})
    assert capfd.readouterr() == ("", "")


def test_without_a_network_what_is_here_is_read_at_once(library, network, monkeypatch):
    """The libraries would try for half a minute, and log each time."""
    network["Hub"] = False

    def load(name, configuration, cache_dir=None):
        assert os.environ["HF_HUB_OFFLINE"] == "1"
        assert not logging.getLogger("huggingface_hub.utils._http").isEnabledFor(logging.ERROR)
        raise ConnectionError("Couldn't reach the Hub")

    monkeypatch.setattr(sys.modules["datasets"], "load_dataset", load)
    with pytest.raises(BadInput) as refused:
        hub(NODE)
    assert str(refused.value) == (
        "dataset.name=someone/pets: huggingface.co can't be found, and the set isn't on this machine; try again with a "
        "network"
    )


def test_what_else_takes_something_from_the_hub_is_not_kept_offline(library, network, monkeypatch):
    """A worker's tracker or model: the variable is set only while the set is read, and only without a network."""
    told, load = [], sys.modules["datasets"].load_dataset

    def remember(*given, **more):
        told.append(os.environ.get("HF_HUB_OFFLINE"))
        return load(*given, **more)

    monkeypatch.setattr(sys.modules["datasets"], "load_dataset", remember)
    for network["Hub"] in (False, True):
        with pytest.raises(BadInput):
            hub(NODE)
        assert "HF_HUB_OFFLINE" not in os.environ
    assert told == ["1", None]


@pytest.mark.parametrize("way", ["known", "proxy", "said"])
def test_the_library_goes_online_unless_the_hub_is_unknown(library, network, monkeypatch, way):
    network["Hub"] = way == "known"
    if way == "proxy":
        monkeypatch.setattr("sweeper.datasets.from_hub.getproxies", lambda: {"https": "http://proxy"})
    if way == "said":
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    with pytest.raises(BadInput, match="doesn't exist on the Hub"):
        hub(NODE)
    assert os.environ.get("HF_HUB_OFFLINE", "0") == "0"
