"""Write a synthetic cohort folder, as ``params.yaml: synth`` describes it."""

import sys
from pathlib import Path

from corespot.errors import told_plainly
from corespot.io.cohort_folder import write_cohort
from corespot.params import load_params
from corespot.synth.request import make_requested


def main(name: str) -> None:
    """Make the cohort called `name`."""
    cohort = make_requested(load_params().synth[name])
    write_cohort(
        Path("data/raw") / name,
        spots=cohort.spots,
        cores=cohort.cores,
        measurements=cohort.measurements(),
        extras={"markers.csv": cohort.markers, "truth.json": cohort.truth},
        overwrite=True,
    )


if __name__ == "__main__":
    with told_plainly():
        main(sys.argv[1])
