"""Fitting networks and classifiers: estimators, the training loop, checkpoints."""
