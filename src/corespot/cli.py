"""The ``corespot`` command."""


def main() -> None:
    """Run the command line."""
