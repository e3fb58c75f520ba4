"""One file a view; each picks runs, asks the data door, and draws."""
