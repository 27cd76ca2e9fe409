# Sets up and calls; all else is Snakemake's. `make help` lists the targets.

PYTHON ?= python3
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help setup study quick docs test test-all reliability lint bench publish verify audit

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 26

setup: .venv/complete ## build the environment in .venv from envs/requirements.lock

study: setup ## run the whole study: results/tables, results/figures, results/report.html
	snakemake
	snakemake --report results/snakemake-report.html

quick: setup ## run the same study, small, in a few minutes: results/quick
	snakemake --configfile config/quick.yaml

test: lint ## run the linters and the tests that end in minutes
	pytest -q

test-all: lint ## run all tests, in hours: every kill, a cluster, all remotes, simulations at full size
	pytest -q -m ''

docs: setup ## build the documentation: docs/_build/html
	sphinx-build -W --keep-going -E -q -b html docs docs/_build/html

reliability: setup ## write docs/faults.csv, what a study survives, from the tests
	pytest -q --collect-only --reliability

lint: setup ## check style, directions of import and workflow
	ruff check .
	ruff format --check .
	lint-imports
	snakefmt --check .
	snakemake --lint

bench: setup ## measure how fast all is, on a quiet machine: benchmarks/results
	snakemake data
	python -m benchmarks

# Of figures the SVG.
publish: setup ## copy the finished study's tables and figures to docs/results, and its answer into README.md
	@python -m adaptive_sharpness.cli verify --complete || \
	{ echo "publish: got results that do not fit, wanted a finished study: make study" >&2; exit 1; }
	mkdir -p docs/results
	rm -rf docs/results/figures
	find docs/results -maxdepth 1 -type f -delete
	cp results/tables/*.csv results/tables/*.csv.sha256 results/tables/runs.parquet* docs/results/
	cp -r results/figures docs/results/
	find docs/results '(' -name '*.pdf' -o -name '*.pdf.sha256' -o -name '.snakemake_timestamp' ')' -delete
	python docs/readme.py

verify: setup ## hold all results, here and published, against this code and config
	python -m adaptive_sharpness.cli verify

audit: setup ## hold the locked packages against known vulnerabilities
	pip-audit --strict --require-hashes --disable-pip -r envs/requirements.lock

.venv/complete: envs/requirements.lock pyproject.toml
	@$(PYTHON) envs/check.py
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --require-hashes -r envs/requirements.lock
	.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@
