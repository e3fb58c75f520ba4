"""Names of the user attributes by which trials tell what became of them."""

from __future__ import annotations

from optuna.trial import TrialState

#: ``published`` or ``configured``: a setting that was enqueued, not proposed.
ROLE = "role"
#: Settings that differ from the published ones, with the published values.
ADAPTED = "adapted"
#: Why a trial ended before its time.
REASON = "reason"
#: A fault of the program ended the trial.
CRASHED = "crashed"
#: Stopped between inner folds.
PRUNED_EARLY = "pruned_early"
#: The complete trial of the same setting whose values were taken over.
SAME_AS = "same_as"
#: The trial whose worker died, that was interrupted, or whose batch did not fit into memory.
RETRY_OF, AGAIN_OF, SMALLER_BATCH_OF = "retry_of", "again_of", "smaller_batch_of"

#: States of a trial that counts.
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
