"""One file a model: its settings, source, search space and size, known without building it."""
