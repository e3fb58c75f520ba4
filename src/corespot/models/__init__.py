"""One file a network; the registry that lists them."""
