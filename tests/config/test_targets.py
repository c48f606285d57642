"""A dotted path is the object that it names, or a line says where it ends and what was probably meant."""

import pytest

from sweeper.config.targets import MOST_LISTED, load_target
from sweeper.system.errors import BadInput


def test_a_path_is_the_object_that_it_names():
    from collections import OrderedDict
    from email.message import Message

    assert load_target("x", "collections.OrderedDict") is OrderedDict
    assert load_target("x", "email.message.Message.add_header") is Message.add_header


def test_a_name_of_an_old_record_is_the_object_of_today():
    from sweeper.datasets import folder

    assert load_target("dataset.loader", "sweeper.folder.folder") is folder


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("json", "must be a dotted path of a class or function, e.g. torch.optim.SGD"),
        ("json.", "must be a dotted path of a class or function, e.g. torch.optim.SGD"),
        ("json.decoder", "is no class or function"),
        ("json.dump_s", "json has no 'dump_s'; did you mean 'dumps'?"),
        ("json.decode.JSONDecoder", "json has no 'decode'; did you mean 'decoder'?"),
        ("nopackage.Net", "no package 'nopackage'; install it, or start from the folder it lies in"),
    ],
)
def test_what_a_path_does_not_name_is_told_with_the_option(path, words):
    with pytest.raises(BadInput) as caught:
        load_target("model._target_", path)
    assert str(caught.value).startswith(f"model._target_={path}: {words}") and "\n" not in str(caught.value)


def test_a_package_that_an_extra_installs_is_told_with_it(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "schedulefree", None)
    with pytest.raises(BadInput, match=r"pip install 'optimizer-sweeper\[optimizers\]'"):
        load_target("optimizer._target_", "schedulefree.AdamWScheduleFree")


def test_of_a_large_module_only_what_is_near_is_listed():
    with pytest.raises(BadInput, match="did you mean 'getenv'") as caught:
        load_target("x", "os.getenw")
    assert 1 <= len(str(caught.value).partition("there are: ")[2].split(", ")) <= MOST_LISTED
