# Two commands do everything on a machine with Python 3.11+ and make: `make run` and `make test`.

PYTHON ?= python3
PORT ?= 8000
DEMO ?= 1
# Many tests wait for servers: one more worker than two cores. Files go out in order: the long ones stand first.
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
MEMBERS := shared services/intake services/dispatch services/sla-monitor services/parts services/feedback .

# An environment may be empty altogether; Python cannot even tell where it is then.
ifeq ($(PATH),)
export PATH := /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
endif
export UV_SYSTEM_CERTS := 1
export UV_PYTHON_DOWNLOADS := never
export UV_COMPILE_BYTECODE := 1
export UV_NO_PROGRESS := 1
# An empty environment has no HOME, and caches belong to the project then.
export UV_CACHE_DIR ?= $(if $(HOME),$(HOME)/.cache/uv,$(CURDIR)/.cache/uv)

.DEFAULT_GOAL := help
.PHONY: help setup servers run up down test lint format lock bench proof pictures map

help:  ## what can be done
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null \
		|| grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST)

setup: $(INSTALLED)  ## the environment, from the hashes in requirements.lock

$(INSTALLED): requirements.lock pyproject.toml shared/pyproject.toml $(wildcard services/*/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
		|| { echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "Preparing the environment in $(VENV); the first time this takes a minute …"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ./,$(MEMBERS))
	$(BIN)/python -m compileall -q shared services deploy
	@touch $@

servers: setup  ## RabbitMQ and Chromium for the tests, installed where that is allowed
	$(BIN)/python -m localservers install

# No shell between: it would end by Ctrl-C, and make call that an error.
run: setup  ## all five services on one port, with an embedded database (PORT=8000 DEMO=1)
	@env PORT=$(PORT) DEMO=$(DEMO) $(BIN)/aftercare run

up: setup  ## the real thing on this machine: five processes, RabbitMQ, PostgreSQL
	PORT=$(PORT) $(BIN)/aftercare up

down: setup  ## stop what `make up` started
	$(BIN)/aftercare down

test: setup  ## lint, then every test, on real servers
	@$(MAKE) --no-print-directory --jobs=2 servers lint
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: setup  ## what a machine can check
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo >/dev/null || $(BIN)/lint-imports --no-logo

format: setup  ## put every file into shape
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

lock: setup  ## resolve requirements.lock anew
	$(BIN)/uv lock --quiet --upgrade
	$(BIN)/uv export --quiet --no-emit-workspace --all-groups --no-header --no-annotate -o requirements.lock

bench: setup servers  ## the figures, each beside its floor, into docs/bench/ (ONLY=intake)
	PYTHONPATH=tests/bench:tests/toy:tests/chaos $(BIN)/python -m bench --into docs/bench $(if $(ONLY),--only $(ONLY))

proof: setup servers  ## the long proofs; result files go to docs/proofs/
	$(BIN)/python -m pytest -m proof --timeout=0

pictures: setup servers  ## take the README's pictures anew, into docs/pictures/
	$(BIN)/python tests/browser/pictures.py

map: setup  ## regenerate what is generated: topology, event map, API descriptions
	PYTHONPATH=tests/contracts $(BIN)/python -m contracts.samples
	$(BIN)/aftercare map
