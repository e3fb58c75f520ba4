"""Stream the raw spectra through the recipe into the spectra store; write quality tables."""

from pathlib import Path

from corespot.errors import told_plainly
from corespot.io.artifacts import whole_folder, write_table
from corespot.io.cohort_folder import load_cohort
from corespot.io.preprocessed import preprocess_cohort
from corespot.params import load_params


def main() -> None:
    """Preprocess the cohort that ``params.yaml`` names."""
    params = load_params()
    folder = Path(params.cohort)
    quality = preprocess_cohort(
        folder, Path("data/store"), cohort=load_cohort(folder), settings=params.preprocess
    )
    with whole_folder("data/quality") as out:
        for name, table in quality.tables().items():
            write_table(out / f"{name}.parquet", table)


if __name__ == "__main__":
    with told_plainly():
        main()
