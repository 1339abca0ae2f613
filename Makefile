SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test test-slow check format lock benchmark clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
ifeq ($(HOME),)
export HOME := $(CURDIR)/.venv/home
endif

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

demo: .venv/demo ## train, evaluate and register on the embedded phantom, in a few minutes on two cores
	@run=$$($(BIN)/python train.py experiment=demo | tee /dev/stderr | sed -n 's/^run //p' | tail -n 1); \
	$(BIN)/mammoscope evaluate "$$run" --partition test
	@printf '\nOpen the pages:  %s\n' "$(BIN)/mammoscope ui"

test: .venv/all check ## every check and fast test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow"

test-slow: .venv/all ## the tests that take minutes
	$(BIN)/python -m pytest -q -m slow

check: .venv/all ## style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/all ## write the code as ruff wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: .venv/all ## measure side by side with peers; see benchmarks/README.md
	for file in benchmarks/*.py; do $(BIN)/python "$$file" || echo "$$file: a target is missed, or it failed" >&2; done

lock: .venv/uv ## pin every dependency by hash, anew
	$(BIN)/uv pip compile -q --upgrade $(LOCK) --extra checkout pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --upgrade $(LOCK) --extra checkout --extra dev --extra postgresql --extra slurm -c requirements.lock pyproject.toml -o requirements-all.lock
	echo uv | $(BIN)/uv pip compile -q --upgrade $(LOCK) - -o requirements-uv.lock

clean: ## take away the environment and everything that runs have left
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find mlruns -mindepth 1 ! -name .gitkeep -delete

LOCK := --system-certs --generate-hashes --no-emit-index-url --no-header --python-version 3.11

# Certificates of the system where it has its own (a proxy's), else those that uv brings along.
install = $(BIN)/uv pip install -q --python $(BIN)/python --system-certs $(1) || $(BIN)/uv pip install -q --python $(BIN)/python $(1)

.venv/uv: requirements-uv.lock
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=<python>")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.lock
	touch $@

.venv/demo: .venv/uv requirements.lock pyproject.toml
	@echo "setting up .venv from requirements.lock (about a minute)"
	$(call install,--require-hashes -r requirements.lock)
	$(call install,--no-deps --no-build-isolation -e .)
	touch $@

.venv/all: .venv/demo requirements-all.lock
	$(call install,--require-hashes -r requirements-all.lock)
	touch $@
