"""Makes `comparisons.json` beside it: what statsmodels finds for a balanced and an unbalanced study.

Run once, with statsmodels 0.15 in a folder of its own on PYTHONPATH:

    pip install --target FOLDER --no-deps statsmodels patsy
    PYTHONPATH=FOLDER python tests/golden/comparisons.py

The differences, their standard errors and the degrees of freedom are those of `ols("score ~ C(method) + C(seed)")`; the
quantile is libqsturng's, which shares nothing with scipy's. `pairwise_tukeyhsd` is given the scores without their
seeds' means: it doesn't know that these were estimated, so it counts N - k degrees of freedom and its deviation is
smaller. Both are recorded, so that the test can convert one into the other.
"""

import itertools
import json
from pathlib import Path

import pandas
from statsmodels.formula.api import ols
from statsmodels.stats.libqsturng import qsturng
from statsmodels.stats.multicomp import pairwise_tukeyhsd

BALANCED = {  # final test accuracies of five optimizers, CIFAR-10, 100 epochs
    "muon": {"1": 0.9460, "2": 0.9488, "3": 0.9492},
    "sgd": {"1": 0.9443, "2": 0.9449, "3": 0.9438},
    "adamw": {"1": 0.9389, "2": 0.9418, "3": 0.9426},
    "adam": {"1": 0.9365, "2": 0.9366, "3": 0.9404},
    "lion": {"1": 0.9372, "2": 0.9375, "3": 0.9360},
}
UNBALANCED = {
    "muon": {"1": 0.951, "2": 0.948, "3": 0.955, "4": 0.950},
    "sgd": {"2": 0.944, "3": 0.949, "4": 0.943, "5": 0.941},
    "adam": {"1": 0.939, "4": 0.931},
}


def main() -> None:
    found = {}
    for name, scores in (("balanced", BALANCED), ("unbalanced", UNBALANCED)):
        rows = [(m, s, v) for m, by_seed in scores.items() for s, v in by_seed.items()]
        frame = pandas.DataFrame(rows, columns=["method", "seed", "score"])
        fit = ols("score ~ C(method) + C(seed)", frame).fit()
        q = float(qsturng(0.95, len(scores), fit.df_resid))
        pairs = []
        for a, b in itertools.combinations(scores, 2):
            words = [f"C(method)[T.{m}]" for m in (a, b)]
            contrast = [(name == words[0]) - (name == words[1]) for name in fit.params.index]
            test = fit.t_test([float(c) for c in contrast])
            pairs.append({"a": a, "b": b, "difference": float(test.effect[0]), "error": float(test.sd[0, 0])})
        found[name] = {"scores": scores, "df": fit.df_resid, "deviation": fit.mse_resid**0.5, "q": q, "pairs": pairs}
        if name == "balanced":
            frame["score"] -= frame.groupby("seed").score.transform("mean")
            tukey = pairwise_tukeyhsd(frame.score, frame.method)
            names = list(tukey.groupsunique)
            ends = zip(itertools.combinations(names, 2), tukey.meandiffs, tukey.confint, strict=True)
            found[name]["tukeyhsd"] = [
                {"a": b, "b": a, "difference": float(d), "low": float(low), "high": float(high)}
                for (a, b), d, (low, high) in ends
            ]
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
