"""A folder of runs: names, writes and reads runs. The one owner of file names, statuses and columns."""
