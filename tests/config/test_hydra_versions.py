"""What differs between Hydra 1.3 and 1.4, tried with the one that is installed."""

import hydra.utils
import pytest
from omegaconf import OmegaConf

from sweeper.config import hydra_versions
from sweeper.config.grid import compose_grid
from sweeper.config.hydra_versions import MAY_BE_BUILT, compose_from, only_ours, register_resolver
from sweeper.system.errors import BadInput
from sweeper.system.files import CONF


def test_a_configuration_is_composed_without_a_warning(recwarn):
    from hydra import compose

    with only_ours(), compose_from(str(CONF)):
        assert compose("config", overrides=["dataset=digits"]).dataset.crop_padding == 1
    assert not [warning for warning in recwarn if "version_base" in str(warning.message)]


def test_what_hydra_may_build_is_what_our_files_name():
    named = set()
    for file in (CONF / "hydra").rglob("*.yaml"):
        if file.parent.name in ("job_logging", "hydra_logging"):
            text = file.read_text(encoding="utf-8")
            named |= {line.split(": ")[1] for line in text.splitlines() if line.strip().startswith(("class: ", "(): "))}
    callbacks = OmegaConf.load(CONF / "config.yaml").hydra.callbacks
    named |= {callback._target_ for callback in callbacks.values()}
    assert named == {name for name in MAY_BE_BUILT if not name.startswith("ext://")}


@pytest.mark.skipif(hydra_versions.WHITELIST is None, reason="Hydra 1.3 has no such check")
def test_nothing_else_is_built():
    with only_ours(), pytest.raises(Exception, match="whitelist"):
        hydra.utils.instantiate({"_target_": "subprocess.run", "args": ["true"]})


def test_a_file_with_another_ending_is_ignored(tmp_path):
    """Hydra 1.4 fails on a folder that has a `.yml`, as many a project's root does."""
    (tmp_path / "optimizer").mkdir()
    for place in ("compose.yml", "optimizer/old.yml", "optimizer/new.yaml"):
        (tmp_path / place).write_text("_target_: torch.optim.SGD\n_partial_: true\nlr: 0.1\n")
    words = ["--config-dir", str(tmp_path), "dataset=digits"]
    assert compose_grid([*words, "optimizer=new"]).cells
    with pytest.raises(BadInput, match="optimizer=old: there is no such optimizer"):
        compose_grid([*words, "optimizer=old"])


def test_a_resolver_may_be_registered_again():
    for value in (1, 2):
        register_resolver("sweeper.tried_here", lambda value=value: value)
        assert OmegaConf.create({"x": "${sweeper.tried_here:}"}).x == value
