"""The image of the Dockerfile builds, and trains as a user who may write nothing but the outputs: `make image-test`.

Not shown: a GPU, for which a builder's machine needs one and NVIDIA's container toolkit.
"""

import json
import os
import re
import urllib.request

import pytest
from conftest import REPOSITORY, TINY
from image_builders import NoBuilder, find_builder

pytestmark = pytest.mark.image

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
WITHOUT_CUDA = re.search(r"TORCH_INDEX=(https://\S+)", DOCKERFILE)[1]  # as its comment tells
COMMIT = "0123456789ab"
SWEEP = ("train", "-m", "optimizer=sgd,lion", *TINY)


@pytest.fixture(scope="module", params=["", WITHOUT_CUDA], ids=["default", "without CUDA"])
def image(request, tmp_path_factory):
    if request.param:
        try:
            urllib.request.urlopen(f"{request.param}/torch/", timeout=30).close()
        except OSError as error:
            pytest.skip(f"{request.param} can't be reached: {error}")
    try:
        with find_builder(tmp_path_factory.mktemp("image"), gigabytes=6 if request.param else 20) as builder:
            builder.build(COMMIT=COMMIT, **({"TORCH_INDEX": request.param} if request.param else {}))
            yield builder
    except NoBuilder as reason:
        pytest.skip(str(reason))


@pytest.fixture
def outputs(tmp_path):
    """A folder that anyone may write."""
    tmp_path.chmod(0o1777)
    return tmp_path


def test_without_words_it_names_the_commands(image):
    done = image.run()
    assert done.returncode == 0 and re.search(r"^ +train ", done.stdout, re.MULTILINE), done.stderr


def test_its_user_may_write_nothing_but_the_working_folder(image):
    places = "~ / /usr/local/bin $(python -c 'import sweeper; print(sweeper.__path__[0])') . outputs"
    script = f"id -u; for place in {places}; do test -w $place && echo $place; done; stat -c %a . outputs"
    done = image.run("-c", script, entrypoint="sh")
    assert done.stdout.split() == ["1000", ".", "outputs", "1777", "1777"], done.stderr


@pytest.mark.parametrize("user", ["", "12345:12345"], ids=["its own user", "a user without a name"])
def test_it_trains_and_then_answers_from_disk(image, outputs, user):
    first = image.run(*SWEEP, outputs=outputs, user=user)
    assert first.returncode == 0 and "2 runs: 2 completed" in first.stdout, first.stdout + first.stderr
    assert "Warning" not in first.stdout + first.stderr
    second = image.run(*SWEEP, outputs=outputs, user=user)
    assert second.returncode == 0 and "2 runs, 2 done already" in second.stdout + second.stderr
    assert (outputs / "report.html").is_file()
    commits = [json.loads(path.read_text())["environment"]["commit"] for path in outputs.glob("*/*/run.json")]
    assert commits == [COMMIT, COMMIT]
    owners = image.run("-c", "stat -c %u:%g outputs/*/*/run.json", outputs=outputs, user=user, entrypoint="sh")
    assert owners.stdout.split() == [user or "1000:1000"] * 2


def test_what_it_compiles_when_it_runs(image, outputs):
    done = image.run("train", *TINY, "device.compile=true", outputs=outputs)
    assert done.returncode == 0 and "completed" in done.stderr, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder that is another user's")
def test_outputs_of_another_user_are_refused_in_a_line(image, outputs):
    """As Docker makes them, as root, where the folder of `--volume` doesn't exist."""
    outputs.chmod(0o755)
    done = image.run(*SWEEP, outputs=outputs)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    assert "outputs" in done.stderr
