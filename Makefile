# Every command sets itself up in .venv; nothing but python3 (with venv), make and a C++20 compiler is needed.
PYTHON ?= python3
SEED ?= 20261
VENV := .venv
BIN := $(VENV)/bin
# An editable install knows the modules that were there when it was made.
MODULES := $(VENV)/modules.$(shell find src/mixtura -name '*.py' | sort | cksum | cut -d' ' -f1)
BUILD_INPUTS := pyproject.toml CMakeLists.txt $(wildcard src/native/*) $(MODULES)

.DEFAULT_GOAL := help
.PHONY: help demo test lint coverage pictures bench search online kills scale mclust missing classifier neon docs clean imputation images regression

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 10

demo: $(VENV)/demo.stamp ## fit Old Faithful; writes out/model.json, out/labels.csv and out/picture.png
	$(BIN)/python examples/demo.py

test: $(VENV)/test.stamp lint ## linter, types, tests and the examples in docstrings (SEED=20261)
	@echo "random seed: $(SEED)"
	MIXTURA_TEST_SEED=$(SEED) $(BIN)/python -m pytest --numprocesses=auto --hypothesis-seed=$(SEED)
	$(BIN)/python -m pytest --doctest-modules src/mixtura

lint: $(VENV)/test.stamp ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy

coverage: $(VENV)/test.stamp ## coverage of bootstrap intervals on 220 samples (minutes); writes tests/inference/coverage.json
	$(BIN)/python tests/inference/coverage_of_intervals.py

pictures: $(VENV)/demo.stamp ## every kind of picture, from real data, in out/pictures
	$(BIN)/python examples/pictures.py

bench: $(VENV)/test.stamp ## time and compare; --readme puts the table into README.md
	$(BIN)/python benchmarks/run.py

search: $(VENV)/test.stamp ## the search against the best optima known, ten seeds each: some minutes
	$(BIN)/python benchmarks/search.py

online: $(VENV)/test.stamp ## one pass of partial_fit against the batch optimum: some minutes; writes benchmarks/online.json
	$(BIN)/python benchmarks/online.py

imputation: $(VENV)/test.stamp ## missing values filled in, beside scikit-learn's imputers: minutes; writes benchmarks/imputation.json
	$(BIN)/python benchmarks/imputation.py

kills: $(VENV)/test.stamp ## SIGKILL at 50 moments of checkpointed fits, resumed and compared, and of Dask workers at 20
	$(BIN)/python benchmarks/kills.py --store
	$(BIN)/python tests/sources/kill_matrix.py

mclust: $(VENV)/test.stamp ## every cell of mclust's reference sets beside ours; writes docs/mclust_comparison.md
	$(BIN)/python benchmarks/mclust.py

docs: $(VENV)/docs.stamp ## the documentation, with its gallery, in docs/_build/html; warnings are errors
	cd docs && MPLBACKEND=agg ../$(BIN)/python -m sphinx -W --keep-going -b html . _build/html

neon: $(VENV)/test.stamp ## the laws of the kernel on ARM, emulated (Debian, root, minutes)
	tests/emulated/neon.sh

classifier: $(VENV)/test.stamp ## held-out errors beside discriminant analysis; writes benchmarks/classifier.json
	$(BIN)/python benchmarks/classifier.py

images: $(VENV)/test.stamp ## segmentation beside scikit-learn, backgrounds beside OpenCV where installed; writes benchmarks/images.json
	$(BIN)/python benchmarks/images.py

regression: $(VENV)/test.stamp ## held-out errors of the regressor beside others; writes benchmarks/regression.json
	$(BIN)/python benchmarks/regression.py

missing: $(VENV)/test.stamp ## an iteration on rows with missing values against one on complete rows; writes benchmarks/missing.json
	$(BIN)/python benchmarks/missing.py

scale: $(VENV)/test.stamp ## files larger than memory, and Dask, on an idle machine; writes docs/scale.md
	$(BIN)/python benchmarks/scale.py

clean: ## remove what the commands above made
	rm -rf out build dist docs/_build docs/auto_gallery docs/generated $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests examples docs -name __pycache__ -type d -exec rm -rf {} +

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(MODULES): | $(VENV)/bin/python
	@rm -f $(VENV)/modules.*
	@touch $@

# Editable, so that only a new module or a change of the build or of the C++ needs a new install.
$(VENV)/demo.stamp: $(BUILD_INPUTS) | $(VENV)/bin/python
	@echo "installing $(CURDIR) into $(VENV), which compiles the native kernel: a minute or two"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[plot,cli]'
	@touch $@

$(VENV)/test.stamp: $(BUILD_INPUTS) | $(VENV)/bin/python
	@echo "installing $(CURDIR) into $(VENV), which compiles the native kernel: a minute or two"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all,dev]'
	@touch $@ $(VENV)/demo.stamp

$(VENV)/docs.stamp: $(BUILD_INPUTS) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all,dev,docs]'
	@touch $@ $(VENV)/test.stamp $(VENV)/demo.stamp
