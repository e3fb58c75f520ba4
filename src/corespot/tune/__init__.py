"""Hyperparameter studies on inner folds: the only room that knows Optuna."""
