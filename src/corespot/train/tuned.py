"""Settings that a study found for each outer fold, as training takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corespot.cohort.splits import Fold, FoldTable
from corespot.errors import StoreError
from corespot.io.artifacts import read_json, whole_folder, write_json


@dataclass(frozen=True)
class Tuned:
    """Settings by outer fold.

    Parameters
    ----------
    by_fold : mapping
        (repeat, fold) to settings.
    everywhere : mapping
        Settings of all folds, where tuning was not nested.
    kind : {"none", "nested", "hold-in"}
        How they were found.
    note : str
        The same in words, for every report that uses them.
    """

    by_fold: Mapping[tuple[int, int], Mapping[str, Any]] = field(default_factory=dict)
    everywhere: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "none"
    note: str = ""

    def of(self, fold: Fold) -> Mapping[str, Any]:
        """The settings found for a fold; none if nothing was tuned.

        Raises
        ------
        StoreError
            If others were tuned, but not this one.
        """
        if self.kind != "nested":
            return self.everywhere
        key = (fold.repeat, fold.index)
        if key not in self.by_fold:
            raise StoreError(
                f"fold {fold.index} of repeat {fold.repeat} was not tuned, others were; run "
                "`dvc repro` again"
            )
        return self.by_fold[key]


def read_tuned(path: Path, folds: FoldTable) -> Tuned:
    """Read ``settings.json`` as the tuning stage leaves it.

    Parameters
    ----------
    path : Path
        The file.
    folds : FoldTable
        The outer folds that are trained on.

    Raises
    ------
    StoreError
        If it is missing, or was made for other folds: its settings would have seen test spots.
    """
    content = read_json(path)
    if not content["folds"]:
        return Tuned()
    if content["folds_fingerprint"] != folds.fingerprint:
        raise StoreError(
            f"{path} was made for other folds than {folds.task} has now, so that its settings may "
            "have seen test spots; run `dvc repro` to tune again"
        )
    found = {(int(f["repeat"]), int(f["fold"])): f["settings"] for f in content["folds"]}
    if content["nested"]:
        return Tuned(by_fold=found, kind="nested", note=content["note"])
    (everywhere,) = found.values()
    return Tuned(everywhere=everywhere, kind="hold-in", note=content["note"])


def write_settings(folder: Path, outcome: Mapping[str, Any]) -> None:
    """Write what training needs of ``tuned.json``, and no more: it is trained anew if this changes.

    Parameters
    ----------
    folder : Path
        Receives ``settings.json``.
    outcome : mapping
        Content of ``tuned.json``.
    """
    content = {name: outcome.get(name) for name in ("nested", "note", "folds_fingerprint")}
    kept = ("repeat", "fold", "settings")
    content["folds"] = [{name: fold[name] for name in kept} for fold in outcome["folds"]]
    write_json(folder / "settings.json", content)


def write_untuned(folder: Path, task: str, model: str) -> None:
    """Write the tuning stage's output for a model that is not tuned."""
    content: dict[str, Any] = {"task": task, "model": model, "trials": 0, "folds": []}
    with whole_folder(folder) as part:
        write_json(part / "tuned.json", content)
        write_settings(part, content)
