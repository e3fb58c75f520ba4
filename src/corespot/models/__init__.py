"""One file a network, its settings in the catalogue; the registry that lists them."""
