"""Look at runs, decide on them, and keep what is not fit from being promoted."""
