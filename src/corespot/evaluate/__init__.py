"""From spot probabilities to cores, patients, metrics and intervals."""
