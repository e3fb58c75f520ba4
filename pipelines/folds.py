"""Make the grouped folds of every task, once, for all models."""

import pandas as pd

from corespot.cohort.splits import make_folds
from corespot.cohort.tasks import select_spots
from corespot.errors import FoldError, told_plainly
from corespot.io.artifacts import whole_folder
from corespot.io.folds import write_folds
from corespot.params import load_params


def main() -> None:
    """Write ``data/folds/<task>`` or refuse every task that cannot be split as asked."""
    params = load_params()
    spots = pd.read_parquet("data/store/spots.parquet")
    refused = []
    with whole_folder("data/folds") as out:
        for name, task in params.plain_tasks().items():
            try:
                write_folds(out / name, make_folds(select_spots(spots, name, task), params.folds))
            except FoldError as error:
                refused.append(f"task {name}: {error}")
        if refused:
            raise FoldError("\n".join(refused))


if __name__ == "__main__":
    with told_plainly():
        main()
