"""A user's own YAML that is broken is named in one line, with what is wrong in it."""

import doctest

import pytest

from sweeper.config import hydra_versions, yaml_errors

CLASS = b"_target_: torch.optim.SGD\n_partial_: true\n"
BROKEN = {
    b"lr: [0.1\n": "mine.yaml line 3: expected ',' or ']', but got '<stream end>' (while parsing a flow sequence)",
    b"lr: 0.1\n\tmomentum: 0.9\n": "mine.yaml line 4: found character '\\t' that cannot start any token",
    b"lr: 0.1\nlr: 0.2\n": "mine.yaml line 4: found duplicate key lr",
    b"lr: 0.1\n# \xff\xfe\n": "mine.yaml line 4: isn't text in UTF-8; save it as UTF-8",
    b"lr: 0.1\x00\n": "mine.yaml: unacceptable character #x0000: special characters are not allowed",
    b"lr: ${nope}\n": "mine.yaml: optimizer.lr: Interpolation key 'nope' not found",
    b"lr: ${nope:1}\n": "mine.yaml: optimizer.lr: Unsupported interpolation type nope",
    b"lr: '${'\n": "mine.yaml: no viable alternative at input '${'",
    b"defaults: [nope, _self_]\n": "mine.yaml: Could not load 'optimizer/nope'.",
    b"defaults: 3\n": "mine.yaml: Invalid defaults list in 'optimizer/mine', defaults must be a list (got int)",
    b"lr: !!float ''\n": "mine.yaml: a value isn't of the kind that its tag (!!\u2026) says",
    b"lr: !!bool x\n": "mine.yaml: a value isn't of the kind that its tag (!!\u2026) says",
    b"lr: !!timestamp x\n": "mine.yaml: a value isn't of the kind that its tag (!!\u2026) says",
    b"lr: ${nope:2}\nday: 2025-02-30\n": "mine.yaml: optimizer.lr: Unsupported interpolation type nope",
    b"lr: &a [*a]\n": "mine.yaml: a value is a part of itself; write it out",
}


if hydra_versions.WHITELIST is not None:  # with OmegaConf 2.4, which reads YAML by libyaml where it is
    BROKEN |= {
        b"lr: [0.1\n": "mine.yaml line 3: did not find expected ',' or ']' (while parsing a flow sequence)",
        b"lr: 0.1\n\tmomentum: 0.9\n": "mine.yaml line 4: found a tab character that violates indentation",
        b"lr: &a [*a]\n": "mine.yaml line 3: YAML recursive aliases are not supported.",
    }


@pytest.fixture
def refusal_of(refusal, tmp_path):
    """The line that `--config-dir groups` is refused with, where groups/ holds the file `name`."""

    def refuse(name: str, content: bytes, *arguments: str) -> str:
        file = tmp_path / "groups" / name
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        return refusal("--config-dir", "groups", *arguments)

    return refuse


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_yaml_is_named_with_its_line(content, refusal_of):
    line = refusal_of("optimizer/mine.yaml", CLASS + content, "dataset=digits", "optimizer=mine")
    assert line == f"groups/optimizer/{BROKEN[content]}"


@pytest.mark.parametrize(
    ("group", "content", "words"),
    [
        ("optimizer", "- a\n", "optimizer=mine: its YAML is a list; it must be lines `name: value`"),
        ("dataset", "- a\n", "groups/dataset/mine.yaml: must be lines `name: value`, and is one list"),
        ("optimizer", "3\n", "groups/optimizer/mine.yaml: must be lines `name: value`, and is one int"),
        ("dataset", "defaults: [digits, _self_]\nsize: 8\n", "mine.yaml: Key 'size' not in 'DatasetConfig'"),
        ("dataset", "defaults: [digits, _self_]\nepochs: many\n", "mine.yaml: Value 'many' of type 'str' could not"),
        ("dataset", "defaults: [mine, _self_]\n", "dataset=mine: a YAML leads back to itself, by its defaults"),
    ],
)
def test_a_yaml_of_the_wrong_kind(group, content, words, refusal_of):
    assert words in refusal_of(f"{group}/mine.yaml", content.encode(), f"{group}=mine")


def test_a_choice_has_the_name_of_its_file(refusal_of, call):
    content = CLASS + b"lr: 0.1\nname: sgd\n"
    line = refusal_of("optimizer/mine.yaml", content, "dataset=digits", "optimizer=mine")
    assert line == "optimizer=mine: its name is mine, by its file; take out name: sgd"
    code, _, err = call("dataset=digits", "+model.name=resnet18")
    assert (code, err) == (2, "error: model=cnn: its name is cnn, by its file; take out name: resnet18\n")


def test_a_yaml_that_another_one_builds_on_is_named(call, tmp_path):
    (tmp_path / "groups" / "optimizer").mkdir(parents=True)
    (tmp_path / "groups" / "optimizer" / "base.yaml").write_bytes(b"\xff\xfe")
    content = b"defaults: [base, _self_]\n" + CLASS
    code, _, err = call("--config-dir", "groups", "optimizer=base")
    assert (code, err) == (2, "error: groups/optimizer/base.yaml line 1: isn't text in UTF-8; save it as UTF-8\n")
    (tmp_path / "groups" / "optimizer" / "mine.yaml").write_bytes(content)
    assert call("--config-dir", "groups", "optimizer=mine") == (2, "", err)


def test_what_the_command_line_is_to_blame_for_names_no_folder(refusal_of):
    line = refusal_of("optimizer/mine.yaml", CLASS, "dataset=digits", "+optimizer.x=${nope}")
    assert line == "+optimizer.x=${nope}: Interpolation key 'nope' not found"


def test_the_examples_hold():
    assert doctest.testmod(yaml_errors).failed == 0
