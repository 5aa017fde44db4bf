# `make demo` and `make test` are all that a newcomer needs. Both set up what they need, and say so.
PYTHON ?= python3
UV_VERSION := 0.13.8
ENV ?= local
VENV := .venv
BIN := $(VENV)/bin
# Programs start by the hundred here: whoever's shell says otherwise, compile each module once.
unexport PYTHONDONTWRITEBYTECODE
# One mark per lock: a changed lock installs again, an unchanged one costs nothing.
INSTALLED := $(VENV)/.installed

.PHONY: demo coordination-demo test test-long check stop format docs lock clean install

demo: $(INSTALLED) ## Deploy the sample system on this machine, and prove that it works.
	@$(BIN)/conductor up testdata/architectures/tracer.yaml --env $(ENV)
	@$(BIN)/python testdata/prove_tracer.py --env $(ENV)

coordination-demo: $(INSTALLED) ## Have plans change the deployed sample system, and take it back.
	@$(BIN)/conductor up testdata/architectures/tracer.yaml --env $(ENV)
	@$(BIN)/python testdata/coordination_demo.py --env $(ENV)

stop: $(INSTALLED) ## End everything that `make demo` left running.
	@$(BIN)/conductor cloud stop --env $(ENV)

test: $(INSTALLED) ## Run the tests.
	@$(BIN)/pytest -n auto --dist worksteal

test-long: $(INSTALLED) ## Run the big enumerations that `make test` leaves out.
	@$(BIN)/pytest -n auto --dist worksteal -m long

check: $(INSTALLED) ## Lint, types and import rules.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(INSTALLED) ## Format the code.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(INSTALLED) ## Write the reference pages anew from the code.
	@$(BIN)/python docs/reference/regenerate.py
	@$(BIN)/python -m architecture.reference

lock: $(BIN)/uv ## Pin the newest versions that fit pyproject.toml.
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header \
		--python-version 3.11 --group dev pyproject.toml --output-file requirements.lock

install: $(INSTALLED) ## Set up without running anything.

clean: ## Remove the environment and caches; deployed environments under .conductor stay.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/uv:
	@echo "==> creating $(VENV) with uv $(UV_VERSION) in it"
	@$(PYTHON) -c 'import sys; sys.exit("conductor needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(INSTALLED): $(BIN)/uv requirements.lock pyproject.toml
	@echo "==> installing what requirements.lock pins (hashes checked)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@# All but the provider's SDK, of whose 135 MB little is ever imported.
	@$(BIN)/python -m compileall -q -j 0 -x pulumi_gcp/ $(VENV)/lib || true
	@touch $(INSTALLED)
