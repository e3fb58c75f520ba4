"""The only home of mlflow: runs, metrics, models."""
