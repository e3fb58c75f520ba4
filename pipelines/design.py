"""Audit the design of every task before any training: what goes with the label?"""

from corespot.audit.design.all_designs import audit_designs
from corespot.errors import told_plainly
from corespot.io.artifacts import read_table, whole_folder, write_json
from corespot.params import load_params


def main() -> None:
    """Write the design audit of all tasks, as JSON and as text."""
    params = load_params()
    spots = read_table("data/store/spots.parquet")
    tic = read_table("data/quality/spots.parquet")["tic"].to_numpy()
    audits = audit_designs(spots, params.plain_tasks(), tic=tic)
    with whole_folder("data/design") as out:
        write_json(out / "design.json", {name: audit.as_dict() for name, audit in audits.items()})
        text = "\n\n\n".join(audit.text() for audit in audits.values())
        (out / "design.txt").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    with told_plainly():
        main()
