# Sets up and calls; all else is Snakemake's. `make help` lists the targets.

PYTHON ?= python3
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help setup study quick test lint publish audit

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 18

setup: .venv/complete ## build the environment in .venv from envs/requirements.lock

study: setup ## run the whole study: results/tables, results/figures, results/report.html
	snakemake
	snakemake --report results/snakemake-report.html

quick: setup ## run the same study, small, in a few minutes: results/quick
	snakemake --configfile config/quick.yaml

test: lint ## run the linters and all tests
	pytest -q

lint: setup ## check style and workflow
	ruff check .
	ruff format --check .
	snakefmt --check .
	snakemake --lint

publish: setup ## copy the finished study's tables and figures to docs/results
	mkdir -p docs/results
	cp results/tables/*.csv results/tables/runs.parquet docs/results/
	cp -r results/figures/. docs/results/

audit: setup ## hold the locked packages against known vulnerabilities
	pip-audit --strict --require-hashes --disable-pip -r envs/requirements.lock

.venv/complete: envs/requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	{ echo "setup: got $$($(PYTHON) --version), wanted Python 3.11, 3.12 or 3.13: make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --require-hashes -r envs/requirements.lock
	.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@
