"""Everything that touches files: imzML, cohort tables, the spectra store, artifacts."""
