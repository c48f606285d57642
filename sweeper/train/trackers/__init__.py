"""The trackers of the group `tracking`, one file each; `tracking.py` has their interface."""
