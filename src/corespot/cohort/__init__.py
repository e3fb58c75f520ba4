"""Spots, cores, patients and TMAs: tables, tasks and grouped folds; pure, no files."""
