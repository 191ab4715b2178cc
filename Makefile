# Every target works on a fresh machine that has Python 3.11 (or newer) and make.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin

.PHONY: demo test lint docs bench lock clean

demo: $(VENV)/run.stamp  ## the main job on ten real patients: build/hu-2024/report.html
	$(BIN)/graftline report examples/hu-2024 --out build/hu-2024

test: $(VENV)/dev.stamp  ## the whole test suite
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/dev.stamp  ## ruff and mypy
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

docs: $(VENV)/docs.stamp  ## the documentation into build/site
	$(BIN)/python -m graftline.docs
	$(BIN)/mkdocs build --strict --site-dir build/site

bench: $(VENV)/bench.stamp  ## speed and memory, peers side by side in one run
	$(BIN)/python -m bench

$(VENV)/run.stamp: requirements/run.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/%.stamp: requirements/%.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/$*.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

lock:  ## rewrite requirements/*.txt from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group install pyproject.toml -o requirements/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group dev --extra word --extra sbml --extra flow --extra flowjo --extra genomics --extra cluster pyproject.toml -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group docs -c requirements/dev.txt pyproject.toml -o requirements/docs.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group bench -c requirements/dev.txt pyproject.toml -o requirements/bench.txt

clean:
	rm -rf build $(VENV)
