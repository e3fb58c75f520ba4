"""Is a model confounded? Indicators, one a file, and the verdict."""
