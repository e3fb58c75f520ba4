"""Synthetic TMA cohorts with known truth."""
