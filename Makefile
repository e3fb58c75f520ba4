# Everything a laptop or CI does. `make help` lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
TORCH  ?= torch==2.13.0
PORT   ?= 5000
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION := false

.DEFAULT_GOAL := help
.PHONY: help run test check bench app mlflow studies clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

run: $(VENV)/.ready  ## set up, then run every stage over the cohort that params.yaml names
	@$(BIN)/corespot init
	@$(BIN)/corespot validate
	@$(BIN)/dvc repro report
	@$(BIN)/corespot results

test: $(VENV)/.ready-dev  ## set up, then run the whole test suite
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.ready-dev  ## lint, format, types and import floors
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/.ready-dev  ## quick benchmarks beside the last recorded ratios (ONLY=name for some, RECORD=1 to record)
	@$(BIN)/python -m benchmarks $(ONLY) $(if $(RECORD),--record)

mlflow: $(VENV)/.ready  ## open the MLflow UI on the runs (http://127.0.0.1:5000, PORT=… for another)
	@$(BIN)/corespot init
	@echo "runs: http://127.0.0.1:$(PORT)/#/experiments/1/runs?workflowType=machine_learning"
	@$(BIN)/mlflow ui --host 127.0.0.1 --port $(PORT) --workers 1 \
	    --backend-store-uri "sqlite:///$(CURDIR)/mlruns/mlflow.db"

app: $(VENV)/.ready  ## open the review app on the runs (http://127.0.0.1:8501, PORT=… for another)
	@$(BIN)/corespot app --port $(if $(filter file,$(origin PORT)),8501,$(PORT))

studies: $(VENV)/.ready  ## open optuna-dashboard on the studies (http://127.0.0.1:8080, PORT=… for another)
	@$(BIN)/corespot studies --port $(if $(filter file,$(origin PORT)),8080,$(PORT))

clean:  ## remove the environment and caches, keep data and runs
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# A torch build that is already there, in the environment or in the interpreter it is made from,
# is left alone: only its owner knows which GPU it was built for.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "error: corespot needs Python 3.11 or newer; try: make PYTHON=python3.12 run"; exit 2; }
	@if $(PYTHON) -c 'import torch' 2>/dev/null; \
	    then $(PYTHON) -m venv --system-site-packages $(VENV); \
	    else $(PYTHON) -m venv $(VENV); fi

$(VENV)/.ready: pyproject.toml .constraints.txt | $(VENV)/bin/python
	@echo "setting up $(VENV) with the locked versions (once, a few minutes)"
	@$(BIN)/python -c 'import torch' 2>/dev/null || $(PIP) $(TORCH)
	@$(PIP) --constraint .constraints.txt --editable .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@$(PIP) --constraint .constraints.txt --editable '.[dev]'
	@touch $@
