# Two commands: `make demo` and `make test`. Each sets up all that it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.set_up

.PHONY: demo test lint setup view clean
.DEFAULT_GOAL := demo

demo: $(SETUP)  ## the whole way on rendered heads: corpus, training, a video with landmarks
	$(BIN)/ethos-demo $(ARGS)

test: $(SETUP)  ## all tests; ARGS="-k crop" narrows them
	$(BIN)/python -m pytest $(ARGS)

lint: $(SETUP)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

view: $(SETUP)  ## the window
	$(BIN)/ethos-view $(ARGS)

setup: $(SETUP)  ## the virtual environment alone

# The constraints pin the whole tested set of versions.
$(SETUP): setup.cfg pyproject.toml constraints.txt tools/set_up.sh
	PYTHON="$(PYTHON)" sh tools/set_up.sh "$(VENV)"
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
