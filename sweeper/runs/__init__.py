"""A folder of runs: how a run is named, written and read back. The one owner of file names, statuses and columns."""
