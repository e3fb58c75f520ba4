"""Errors that a person can act on: what was found, where, what was expected, what to do."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from difflib import get_close_matches

#: What the system says when a disk is full or may not be written: no fault of the program.
_DISK_ERRORS = {
    getattr(errno, name)
    for name in ("EACCES", "EDQUOT", "EFBIG", "ENOSPC", "EPERM", "EROFS")
    if hasattr(errno, name)
}


class CorespotError(Exception):
    """Base of every error caused by input; the command line prints it and exits with code 2."""

    exit_code = 2


class ParamsError(CorespotError):
    """A parameter is unknown, misspelt, of the wrong type or out of range."""


class RecipeError(CorespotError):
    """A preprocessing recipe cannot work on the data it was given."""


class FoldError(CorespotError):
    """Folds cannot be made as requested, or a fold breaks the leakage rule."""


class ModelError(CorespotError):
    """A network or classifier cannot be built or fitted on this input."""


class StoreError(CorespotError):
    """A stage output is missing, incomplete or does not belong to the others."""


class TrackingError(CorespotError):
    """The tracking store cannot be used."""


class TuneError(CorespotError):
    """A study cannot be made, opened or finished."""


class AuditError(CorespotError):
    """An audit cannot be made, or its calibration cannot be read."""


class ReviewError(CorespotError):
    """A decision on a run cannot be taken as it was given."""


class RefusedError(ReviewError):
    """What the rules of review forbid; the command line exits with code 1."""

    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a cohort.

    Parameters
    ----------
    code : str
        Stable kebab-case name of the kind of problem (``"missing-ibd"``).
    where : str
        File, and row, spot or column where it applies (``"spots.csv, row 17"``).
    found : str
        What was found.
    expected : str
        What was expected instead.
    remedy : str
        What the user can do about it.
    """

    code: str
    where: str
    found: str
    expected: str
    remedy: str

    def as_dict(self) -> dict[str, str]:
        """Plain mapping for JSON output."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"[{self.code}] {self.where}: {self.found}. "
            f"Expected: {self.expected}. What to do: {self.remedy}."
        )


class CohortError(CorespotError):
    """A cohort folder or an imzML file breaks the format; carries every problem found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def suggestion(word: str, known: Sequence[str]) -> str:
    """Say which known word was probably meant, or list them all.

    Parameters
    ----------
    word : str
        What the user wrote.
    known : sequence of str
        What could have been written.

    Returns
    -------
    str
        A clause to append to an error message.
    """
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + ", ".join(sorted(known)) if known else "none are known"


@contextmanager
def told_plainly() -> Iterator[None]:
    """End the program with the error's text and exit code instead of a traceback."""
    try:
        yield
    except CorespotError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        where = f": {error.filename}" if error.filename else ""
        print(
            f"error: {error.strerror}{where}; check free space (df -h .) and permissions (ls -la), "
            "then run again",
            file=sys.stderr,
        )
        raise SystemExit(CorespotError.exit_code) from None
    except KeyboardInterrupt:
        print("interrupted; run again to go on", file=sys.stderr)
        raise SystemExit(130) from None
