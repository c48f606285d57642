"""Names of the files that commands write into a folder of runs, beside the runs' own directories."""

RESULTS_FILE = "results.csv"  # one row a run
SUMMARY_FILE = "summary.csv"  # one row a configuration, over its seeds
# What `aggregate --format` takes, and the file that each is.
FORMATS = {"csv": RESULTS_FILE, "parquet": "results.parquet", "markdown": "summary.md", "latex": "summary.tex"}
PAGE_FILE = "report.html"
SEARCH_FILE = "search.csv"  # every trial of a search
CHOSEN_FILE = "chosen.yaml"  # and the best of each optimizer
TABLE_FILES = (*FORMATS.values(), SUMMARY_FILE, PAGE_FILE, SEARCH_FILE, CHOSEN_FILE)
