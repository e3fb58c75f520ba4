"""Ways out of confounding: training that cannot read the measurement so easily."""
