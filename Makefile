# advx: `make` lists the targets. Each does its own set-up in .venv; only python3 and make are needed.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SCALE := chapter

.DEFAULT_GOAL := help
.PHONY: help setup quickstart test smoke reproduce-all report readme docs lint lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | awk -F'|' '{printf "%-22s %s\n", $$1, $$2}'

setup: $(READY) ## create .venv with the locked packages and advx itself

$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.5"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes --compile-bytecode -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	$(BIN)/python -m compileall -q advx conf experiments
	touch $@

quickstart: $(READY) ## Table 1.1 on digits that need no download, two to six minutes on two cores
	$(BIN)/advx run experiment=transfer_table

test: $(READY) ## every test, fifteen to forty minutes on two cores; more of them where ADVX_DATA is set
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadgroup

smoke: SCALE := smoke
smoke: reproduce-all ## every experiment at its smallest size, about two minutes on two cores

reproduce-all: $(READY) ## every experiment at SCALE (chapter: days); run it again to continue
	$(BIN)/advx reproduce scale=$(SCALE)

report: $(READY) ## one table over the latest runs
	$(BIN)/advx report

readme: $(READY) ## the tables of README and docs, from outputs/reference
	$(BIN)/python -m advx.report.readme

docs: $(READY) ## the API reference from the docstrings, in outputs/docs
	$(BIN)/python -W error::UserWarning -m pdoc --docformat google --output-directory outputs/docs \
		advx advx.experiments

lint: $(READY) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy advx experiments

lock: $(READY) ## renew requirements.lock within pyproject.toml's ranges
	$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --python-version 3.11 --extra dev --extra oracles \
		--output-file requirements.lock pyproject.toml
