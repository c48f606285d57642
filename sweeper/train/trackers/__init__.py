"""The trackers of the group `tracking`, one file each; `tracking` says what one is."""
