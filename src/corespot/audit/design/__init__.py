"""What a design allows to be said, before any training."""
