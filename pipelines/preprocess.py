"""Stream the raw spectra through the recipe into the spectra store; write quality tables."""

from pathlib import Path

from corespot.errors import told_plainly
from corespot.io.artifacts import whole_folder, write_table
from corespot.io.cohort_folder import load_cohort
from corespot.io.preprocessed import preprocess_cohort
from corespot.io.store import SpectraStore
from corespot.params import load_params
from corespot.report.quality_page import write_quality_page


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
        store = SpectraStore.open("data/store")
        write_quality_page(out / "quality.html", folder, store, quality.tables())


if __name__ == "__main__":
    with told_plainly():
        main()
