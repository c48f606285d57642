"""The names of the files in a run directory and in a folder of runs."""

PREVIOUS_FOLDER = "previous"
RUN_FILE = "run.json"
METRICS_FILE = "metrics.csv"
CHECKPOINT_FILES = ("checkpoint.pt", "checkpoint.previous.pt")  # the latest, and the one before it
WEIGHTS_FILE = "model.safetensors"
LABELS_FILE = "corrupted_labels.csv"
LOCK_FILE = "run.lock"
TRACKING_FILE = "tracking.key"
HYDRAS_FILES = (".hydra", ".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml", "train.log")
HYDRAS_SWEEP_FILE = "multirun.yaml"
# The files of a result in the order in which they are moved away: the record first, so it is never beside other files.
RESULT_FILES = (RUN_FILE, *CHECKPOINT_FILES, METRICS_FILE, WEIGHTS_FILE, LABELS_FILE, TRACKING_FILE)
RUN_FILES = frozenset({*RESULT_FILES, LOCK_FILE})

RESULTS_FILE = "results.csv"  # one row per run
SUMMARY_FILE = "summary.csv"  # one row per configuration, over its seeds
ARMS_FILE = "arms.json"  # the names that sweeps of arms gave to runs
CONFIRMATIONS_FILE = "confirmations.json"  # the runs by which searches were confirmed
# The values of `aggregate --format`, and the file that each writes.
FORMATS = {"csv": RESULTS_FILE, "parquet": "results.parquet", "markdown": "summary.md", "latex": "summary.tex"}

# What `aggregate --format latex` writes for a paper, beside `summary.tex`.
MAIN_TABLE_FILE = "table.tex"  # optimizers × tasks
PAIRS_FILE = "pairs.csv"
PAIRS_LATEX_FILE = "pairs.tex"
SETUP_FILE = "setup.tex"  # a paragraph
REFERENCES_FILE = "references.bib"
PAPER_FILES = (MAIN_TABLE_FILE, PAIRS_FILE, PAIRS_LATEX_FILE, SETUP_FILE, REFERENCES_FILE)
# All files of each format.
_MORE = {"csv": (SUMMARY_FILE,), "latex": PAPER_FILES}
FILES_OF = {name: (file, *_MORE.get(name, ())) for name, file in FORMATS.items()}
PAGE_FILE = "report.html"
SEARCH_FILE = "search.csv"  # every trial of a search
CHOSEN_FILE = "chosen.yaml"  # the best setting of each optimizer
DECISION_FILE = "decision.json"  # the rule and the looks of sweeper.decide
TUNING_FILE = "tuning.csv"  # how each optimizer was tuned
TABLE_FILES = (
    *FORMATS.values(),
    *PAPER_FILES,
    SUMMARY_FILE,
    PAGE_FILE,
    SEARCH_FILE,
    CHOSEN_FILE,
    TUNING_FILE,
    DECISION_FILE,
)
DRAW_FILE = "draw.key"  # the key by which sweeper.verify has drawn the runs that it trains again
