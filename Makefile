# Everything a user or CI runs. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
export LANGGRAPH_STRICT_MSGPACK := true

.DEFAULT_GOAL := help
.PHONY: help demo test test-extras unit check docs studio golden notebooks format clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: $(VENV)/.demo ## Solve a built-in task with the offline engineer and show the result
	@$(BIN)/mlestar demo --model offline

test: unit ## Run all tests; those that need a Docker engine skip when there is none
	@$(BIN)/python -m pytest --ignore=tests/unit --ignore=tests/extras --numprocesses=2 --dist=loadfile

test-extras: $(VENV)/.test ## Run the tests that download large packages; they need a Docker engine
	@MLESTAR_REQUIRE_DOCKER=1 $(BIN)/python -m pytest tests/extras

unit: $(VENV)/.test ## Run the tests that need neither network nor engine, one process per CPU
	@$(BIN)/python -m pytest tests/unit --numprocesses=auto --dist=worksteal

check: $(VENV)/.check ## Lint, format check and strict types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

docs: $(VENV)/.docs ## Build the documentation into site/; any warning is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

studio: $(VENV)/.demo $(VENV)/.studio ## Open the graphs in LangGraph Studio
	@$(BIN)/langgraph dev --no-reload --n-jobs-per-worker 4

golden: $(VENV)/.test ## Render the golden prompts, the drawn graphs and the table of settings anew
	@$(BIN)/python -m tests.unit.golden_prompts
	@$(BIN)/python -m tests.unit.golden_graphs
	@$(BIN)/python -m tests.unit.golden_architecture
	@$(BIN)/python -m tests.unit.golden_settings

notebooks: $(VENV)/.test ## Execute the notebooks and store their outputs
	@$(BIN)/python -m tests.integration.stored_notebooks

format: $(VENV)/.check ## Format and fix what can be fixed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## Remove what the targets made
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "mlestar needs Python 3.11 or later: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# One stamp per extra, so that a target installs only what it needs.
$(VENV)/.%: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing the extra $* into $(VENV) ..."
	@$(PIP) install -c constraints.txt -e '.[$*]'
	@touch $@
