"""Which m/z a model reads: sensitivity analysis and ranked m/z windows."""
