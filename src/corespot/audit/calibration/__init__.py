"""Where lines are drawn and how often that errs: synthetic cohorts with known truth."""
