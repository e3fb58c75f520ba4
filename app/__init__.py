"""The review app: compare runs, look at the evidence, decide."""
