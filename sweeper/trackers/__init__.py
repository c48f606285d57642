"""The trackers of the group `tracking`, one file each; `sweeper.tracking` says what one is."""
