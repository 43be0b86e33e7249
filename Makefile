# `make demo` and `make test` set up everything that they need in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A file of tests runs in one process, because its tests share slow fixtures.
PARALLEL := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
SETUP := $(VENV)/.set_up

.PHONY: demo test lint docs view setup clean
.DEFAULT_GOAL := demo

demo: $(SETUP)  ## run the complete workflow on rendered heads; results in demo_output
	$(BIN)/ethos-demo $(ARGS)

test: $(SETUP)  ## run all tests; ARGS="-k crop" selects some, ARGS="-n 0 --pdb" debugs
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

lint: $(SETUP)  ## run ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(SETUP)  ## build the documentation site in build/site
	$(BIN)/python -m tools.reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

view: $(SETUP)  ## open the viewer
	$(BIN)/ethos-view $(ARGS)

setup: $(SETUP)  ## create the virtual environment only

# constraints.txt pins the complete set of versions that is tested.
$(SETUP): setup.cfg pyproject.toml constraints.txt tools/set_up.sh
	PYTHON="$(PYTHON)" sh tools/set_up.sh "$(VENV)"
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
