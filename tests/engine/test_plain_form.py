"""Values of many types go through a checkpoint, which holds plain ones alone."""

import io
import random
from collections import OrderedDict, defaultdict, deque

import numpy as np
import pytest
import torch

from sweeper.engine.checkpoint_form import Unfit
from sweeper.engine.difference import first_difference
from sweeper.engine.plain_form import Encoder, Restorer

PARAMETERS = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(3))]
NAN = float("nan")

VALUES = {
    "plain": [None, True, 3, 2.5, NAN, 1j, "text", (1, (2, "a")), {"a": [1]}, {1: 2}],
    "torch": [torch.tensor([1.0, NAN]), torch.float16, torch.Size([2]), torch.zeros(0)],
    "scalars": [np.float64(0.1), np.float32(0.1), np.int64(-1), np.uint16(7), np.bool_(True), np.complex128(1j)],
    "arrays": [np.arange(6, dtype=np.uint32).reshape(2, 3)[:, ::2], np.zeros((0, 3)), np.array(NAN)],
    "containers": [deque([1, deque([2])], maxlen=3), {1, 2}, frozenset("ab"), OrderedDict(b=1, a=2)],
    "dictionaries": [defaultdict(list, a=[1]), {(1, "a"): 2}, {"__form__": "own"}, {PARAMETERS[0]: 1}],
    "parameters": [PARAMETERS[1], [PARAMETERS[0]], {id(PARAMETERS[1]): 4}],
}


def through_a_file(value):
    file = io.BytesIO()
    torch.save(Encoder(PARAMETERS).encode(value), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def types(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple, deque)) else ()
    return type(value), [types(item) for item in inner]


@pytest.mark.parametrize("kind", VALUES)
def test_a_value_comes_back_with_its_type(kind):
    for value in VALUES[kind]:
        again = Restorer(PARAMETERS).restore(through_a_file(value))
        assert types(again) == types(value)
        encoded = (Encoder(PARAMETERS).encode(one) for one in (value, again))
        assert first_difference(*encoded) is None
        if isinstance(value, deque):
            assert again.maxlen == value.maxlen
        if isinstance(value, defaultdict):
            assert again["new"] == []
        if isinstance(value, np.ndarray):
            assert (again.dtype, again.shape) == (value.dtype, value.shape) and again.flags.writeable


@pytest.mark.parametrize(
    ("make", "draw"),
    [
        (lambda: random.Random(1), lambda g: g.gauss(0, 1)),
        (lambda: np.random.default_rng(1), lambda g: g.random()),
        (lambda: np.random.RandomState(1), lambda g: g.normal()),
        (lambda: torch.Generator().manual_seed(1), lambda g: torch.rand(1, generator=g).item()),
    ],
    ids=["random.Random", "numpy.Generator", "numpy.RandomState", "torch.Generator"],
)
def test_a_generator_goes_on(make, draw):
    one, other = make(), make()
    draw(one)
    assert Restorer([]).restore(through_a_file(one), other) is other
    assert draw(one) == draw(other)


def test_containers_are_restored_in_place_and_functions_kept():
    shared = {"rate": 1.0, "decay": len}
    own = {"groups": [shared], "first": shared}
    saved = through_a_file({"groups": [{"rate": 2.0, "decay": max, "step": 3}], "first": {"rate": 2.0, "decay": max}})
    again = Restorer([]).restore(saved, own)
    assert again is own and own["groups"][0] is shared and shared["rate"] == 2.0 and shared["decay"] is len


NO_COUNTERPART = {"function": len, "object": object(), "list": [lambda: 1], "dictionary": {"a": io.BytesIO()}}


@pytest.mark.parametrize("value", NO_COUNTERPART.values(), ids=NO_COUNTERPART)
def test_what_has_no_fresh_counterpart_is_refused(value):
    with pytest.raises(Unfit, match=r"it holds a .*, which a checkpoint can't"):
        Restorer([]).restore(through_a_file(value))
