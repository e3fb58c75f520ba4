"""Arrays in, arrays out: per-spectrum steps and the recipe that orders them."""
