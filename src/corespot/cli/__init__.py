"""The ``corespot`` command: thin, and quick to start because each command imports its own."""

from __future__ import annotations

from corespot.cli import audits, cohorts, project, reports, review, training
from corespot.cli.apps import app
from corespot.errors import told_plainly

#: Files whose commands are registered by importing them.
COMMANDS = (cohorts, training, audits, review, reports, project)


def main() -> None:
    """Run the command line; bad input ends with a message and exit code 2."""
    with told_plainly():
        app()
