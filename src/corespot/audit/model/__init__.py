"""The audit of one model: its folds, what they come to, and the files that keep it."""
