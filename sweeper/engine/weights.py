"""Loads the trained model of a run from its directory."""

from os import PathLike
from pathlib import Path

from torch import nn

from sweeper.engine.build import build_model
from sweeper.runs.agreement import weights_disagreement
from sweeper.runs.layout import WEIGHTS_FILE
from sweeper.runs.record import Damaged, read_run
from sweeper.system.errors import BadInput, first_line


def load_model(run_directory: str | PathLike[str], device: str = "cpu") -> nn.Module:
    """See `sweeper.load_model`."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    directory = Path(run_directory)
    try:
        run = read_run(directory)
    except Damaged as error:
        raise BadInput(str(error)) from error
    path = directory / WEIGHTS_FILE
    if not path.is_file():
        raise BadInput(f"{path}: no weights; the run is {run['status']}, or was trained with save_model=false")
    if (wrong := weights_disagreement(directory, run, whole=True)) is not None:
        raise BadInput(f"{directory}: {wrong}; put it back, or train the run again by rerun=true")
    shape = run["environment"]["image_shape"]
    model = build_model(run["config"]["model"], tuple(shape), run["environment"]["num_classes"], seed=0)
    try:
        model.load_state_dict(load_file(path, device="cpu"))
    except (SafetensorError, RuntimeError) as error:
        raise BadInput(f"{path}: not this model's weights ({first_line(error)})") from error
    return model.to(device).eval()
