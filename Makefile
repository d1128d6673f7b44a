# make invoices: bill the sample. make test: run every test. make sbom: list what is in it.
# Each installs what it needs.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# What is billed: three months of the sample, each as it would have been closed then.
# Not taken from the environment: nobody bills a sample into a real home by accident.
SAMPLE_HOME := .billing
LANDING := samples
FROM := 2022-01
TO := 2022-03

VENV := .venv
PYTHON := $(VENV)/bin/python
BILLING := $(VENV)/bin/billing
INSTALLED := $(VENV)/.installed
PACKAGES := $(shell grep -c '==' requirements.lock)
# Tools that look at the packages, kept apart from them.
SUPPLY := .venv-supply
SUPPLY_INSTALLED := $(SUPPLY)/.installed
SBOM := sbom.cdx.json

export DO_NOT_TRACK := 1

.PHONY: help invoices test sbom vulnerabilities

help:
	@echo "make invoices   bill the sample ($(FROM) to $(TO)) into $(SAMPLE_HOME)"
	@echo "make test       run all tests"
	@echo "make sbom       list the packages of requirements.lock in $(SBOM) (CycloneDX)"
	@echo "make vulnerabilities   look them up among the known vulnerabilities"

invoices: $(INSTALLED)
	@$(BILLING) replay --from $(FROM) --to $(TO) \
		--landing $(LANDING) --home $(SAMPLE_HOME)
	@echo
	@echo "What to look at next:"
	@echo "  $(BILLING) invoice INV-$(firstword $(subst -, ,$(TO)))-000001" \
		"--home $(SAMPLE_HOME)   an invoice as text"
	@echo "  $(SAMPLE_HOME)/published/billing.duckdb" \
		"  finance and quality tables for any DuckDB client"
	@echo "  samples/README.md, docs/   what was billed, and why it is these amounts"

test: $(INSTALLED)
	@$(PYTHON) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile \
		--no-loadscope-reorder
	@echo
	@echo "All tests pass. What to look at next: tests/test_scenarios.py has the rules"
	@echo "as scenarios worked by hand, tests/reference/ the same rules in plain Python."

sbom: $(SUPPLY_INSTALLED)
	@$(SUPPLY)/bin/python -W ignore -m cyclonedx_py requirements requirements.lock \
		--pyproject pyproject.toml --output-reproducible --of JSON -o $(SBOM)
	@echo "$(SBOM): $(PACKAGES) packages with their hashes, as requirements.lock has them"

# Asks an index of packages and sends it their names and versions. Strict: what can't be
# looked up fails it too.
vulnerabilities: $(SUPPLY_INSTALLED)
	@$(SUPPLY)/bin/python -m pip_audit --strict --require-hashes --disable-pip \
		--progress-spinner off -r requirements.lock

$(SUPPLY_INSTALLED): requirements-supply.lock
	@python=$$(command -v python3.11 || command -v python3); \
	"$$python" -m venv $(SUPPLY)
	@$(SUPPLY)/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
		--require-hashes -r requirements-supply.lock
	@touch $@

# Packages by the hashes of the lock, then the project itself, editable.
$(INSTALLED): requirements.lock pyproject.toml
	@python=$$(command -v python3.11 || command -v python3) || true; \
	if ! "$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then \
		echo "Python 3.11 is needed; put it on the PATH as python3.11" >&2; exit 1; \
	fi; \
	echo "Installing $(PACKAGES) packages into $(VENV) (once, a minute or two)"; \
	"$$python" -m venv $(VENV)
	@$(PYTHON) -m pip install --disable-pip-version-check --no-input \
		--require-hashes -r requirements.lock \
		| awk -v total=$(PACKAGES) ' \
			/^Collecting / { printf "\r  found %d of %d", ++found, total; fflush() } \
			/^Installing collected/ { printf "\n  installing\n"; fflush() }'
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-input \
		--no-deps --no-build-isolation --editable .
	@touch $@
