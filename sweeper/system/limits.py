"""The largest values and file sizes that are plausible in a folder of runs, which may come from anyone.

A record with a larger value is damaged, and a larger file isn't read. The command line keeps to the same limits.
"""

LARGEST_INTEGER = 2**63  # exclusive, as are the next two: the limit of 64-bit integers in tables and other programs
LARGEST_SEED = 10**100  # a seed is part of a run's name
MOST_EPOCHS = 2**31
MOST_SECONDS = 1000 * 365 * 86_400  # a thousand years, so that a date in as many seconds exists

# Bytes.
RECORD_BYTES = 2**24  # run.json, decision.json
METRICS_BYTES = 2**26  # metrics.csv of some 400,000 epochs
SWEEP_BYTES = 2**26  # the file of a running sweep
LOCK_BYTES = 2**16
NOTE_BYTES = 2**12  # a file of one line
SOURCE_BYTES = 2**22  # a module
SETTINGS_BYTES = 2**20  # YAML
LABELS_BYTES = 2**28  # one label a line
TABLE_BYTES = 2**28  # results.csv of some 400,000 runs
