"""The whole of ``params.yaml``, typed and frozen."""
