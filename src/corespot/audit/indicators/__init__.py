"""What else speaks for or against a model, one indicator a file."""
