"""An option that there isn't, or a value of another kind, is refused with what to type: of a sweep with all values."""

import pytest

from sweeper.config.grid import compose_grid
from sweeper.system.errors import BadInput

BAD = {
    "optimzer=adam": "there is no option 'optimzer'; did you mean 'optimizer'?",
    "epoch=10": "did you mean 'epochs'?",
    "save_modl=false": "did you mean 'save_model'? (others like it: model; python -m sweeper.train --help lists all)",
    "zzz=1": "there is no option 'zzz'; python -m sweeper.train --help lists all",
    "optimizr.learning_rate=1": "did you mean 'optimizer.lr'? (there are: optimizer.",
    "optimizer.learning_rate=1": "there is no option 'optimizer.learning_rate'; did you mean 'optimizer.lr'?",
    "schedule.foo=1": "there is no option 'schedule.foo'; there are: schedule.final_fraction, ",
    "optimizer.lr=fast": "optimizer.lr=fast: must be a number, such as 0.",
    "optimizer.lrr=0.1": "there is no option 'optimizer.lrr'; did you mean 'optimizer.lr'?",
    "lr=0.1": "lr=0.1: there is no option 'lr'; write optimizer.lr=0.1",
    "learning_rate=0.1": "there is no option 'learning_rate'; write optimizer.lr=0.1",
    "weight_decay=1e-3": "there is no option 'weight_decay'; write optimizer.weight_decay=1e-3",
    "momentum=0.9": "there is no option 'momentum'; write optimizer.momentum=0.9",
    "betas=[0.9,0.99]": "this optimizer has no option 'optimizer.betas'; there are: optimizer.",
    "threads=2": "there is no option 'threads'; write device.threads=2",
    "launcher=joblib": "there is no option 'launcher'; write hydra/launcher=joblib",
    "patience=5": "patience=5: there is no such option: no run ends early; its length is epochs=N, "
    "and the page has each run's best epoch",
    "rerun=maybe": "rerun=maybe: must be true or false",
    "optimizer=adam optimizer.momentum=0.9": "there are: optimizer.amsgrad, optimizer.betas, ",
    "optimizer.nesterov=Flase": "optimizer.nesterov=Flase: must be true or false",
    "optimizer.lr=[0.1]": "optimizer.lr=[0.1]: must be a number, such as 0.1; write optimizer.lr=0.1",
    "optimizer=adam optimizer.betas=0.9": "must be a list, such as [0.9, 0.999]; write 'optimizer.betas=[0.9]'",
    "optimizer.lr=1" + "0" * 400: "…: too large a number; a float goes up to 1.8e308",
}
SWEEPS = {
    "optimizer.lrr=0.1,0.2": "optimizer.lrr=0.1,0.2: there is no option 'optimizer.lrr'; did you mean 'optimizer.lr'?",
    "optimizer.lr=0.1,fast": "optimizer.lr=fast: must be a number, such as 0.1",
    "epochs=10,ten": "epochs=ten: must be an integer",
    "lr=range(1,3)": "lr=range(1,3): there is no option 'lr'; write -m 'optimizer.lr=range(1,3)'",
    "experiment=search lr=interval(0.1,1)": "there is no option 'lr'; write -m 'optimizer.lr=interval(0.1,1)'",
}


@pytest.mark.parametrize("words", BAD)
def test_an_option_that_there_isnt_is_refused_with_what_was_probably_meant(words, refusal):
    assert BAD[words] in refusal("dataset=digits", *words.split())


@pytest.mark.parametrize("words", SWEEPS)
def test_a_sweep_is_shown_as_it_was_typed(words):
    with pytest.raises(BadInput) as refused:
        compose_grid(["-m", "dataset=digits", *words.split()])
    assert SWEEPS[words] in str(refused.value)


def test_without_m_every_option_with_several_values_is_checked():
    with pytest.raises(BadInput, match=r"^lr=1,2: there is no option 'lr'; write -m optimizer\.lr=1,2$"):
        compose_grid(["dataset=digits", "optimizer=adam,sgd", "seed=1,2", "lr=1,2"])


def test_of_arms_each_shows_its_own_values():
    grid = ["--arm", "a: optimizer=adam lr=0.1", "--arm", "b: optimizer=sgd lr=0.1,1", "-m", "dataset=digits"]
    with pytest.raises(BadInput, match=r"^arm 'a': lr=0.1: there is no option 'lr'; write optimizer\.lr=0\.1$"):
        compose_grid(grid)


def test_a_sweep_without_m_is_one_of_right_values():
    of_any = ["optimizer=any", "optimizer.name=SGD", "optimizer.lr=0.1,0.2"]
    for words in (["optimizer=adam,sgd", "seed=1,2"], of_any):
        with pytest.raises(BadInput, match=r"^[^ ]*,[^ ]*: several values are a sweep; add -m$"):
            compose_grid(["dataset=digits", *words])
