# make demo   the whole way once: synthetic photos, protection, figures, App
# make test   lint, types and tests
# Everything runs in .venv, which is made when it is missing.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := app,benchmark,bench,open_clip,release,test,umap,vlm

.DEFAULT_GOAL := help
.PHONY: help venv demo test soak lint format figures screenshots clean

help:
	@sed -n '1,3s/^# //p' Makefile

venv: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools wheel
	$(BIN)/python -m pip install --quiet -e ".[$(EXTRAS)]"
	$(BIN)/python -m fiftyone_dp2vl.doctor || \
		$(BIN)/python -m pip install --quiet -e ".[mongod]"
	touch $@

demo: venv
	$(BIN)/dp2vl demo

lint: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: venv
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup

# The long fault campaign; its figures go to docs/faults.md by hand.
soak: venv
	mkdir -p .cache && rm -f .cache/soak.txt
	DP2VL_SOAK=$(CURDIR)/.cache/soak.txt OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/faults \
		tests/attack/test_killed.py
	cat .cache/soak.txt

# README and docs take their numbers from the cards under docs/results/.
figures: venv
	$(BIN)/dp2vl study --render

# The panels' pictures need Chromium.
screenshots: venv
	$(BIN)/python tests/panels/screenshots.py

clean:
	rm -rf .demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
