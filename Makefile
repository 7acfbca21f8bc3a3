# Needs git, make and Python >= 3.11 (`make PYTHON=python3.12 ...` picks one), nothing else.
PYTHON ?= python3
BIN := .venv/bin
PACKAGES := $(wildcard domain runtime connectors aggregator execution account api db perptape sandbox)
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml

.PHONY: run live stop test check bench load fuzz chaos sbom lock install install-dev install-load

run: install
	@$(BIN)/perptape run

# The public feeds of the venues instead of the sandbox's replicas.
live: install
	@PERP_NETWORK=live $(BIN)/perptape run

stop:
	@if [ -x $(BIN)/perptape ]; then $(BIN)/perptape stop; \
	else echo 'perptape is not running, nor installed yet'; fi

check: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES) $(wildcard benchmarks) tools
	$(BIN)/lint-imports

test: check
	@tools/tests.sh

bench: install
	$(BIN)/python benchmarks/feed.py
	$(BIN)/python benchmarks/latency.py
	$(BIN)/python benchmarks/ladder.py
	$(BIN)/python benchmarks/history.py
	$(BIN)/python benchmarks/fanout.py
	$(BIN)/python benchmarks/outages.py
	$(BIN)/python -m benchmarks.api
	$(BIN)/python -m benchmarks.orders

# A running instance under load: `make load SOCKETS=1000 ROOMS=5 SECONDS=60 SLOW=10 STORM=1`.
load: install-load
	@$(BIN)/python -m benchmarks.load $(strip \
		$(if $(URL),--url $(URL)) $(if $(SOCKETS),--sockets $(SOCKETS)) \
		$(if $(ROOMS),--rooms $(ROOMS)) $(if $(NAMES),--names $(NAMES)) \
		$(if $(RATE),--rate $(RATE)) $(if $(RAMP),--ramp $(RAMP)) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(SLOW),--slow $(SLOW)) \
		$(if $(STORM),--storm $(STORM)) $(if $(PROCESSES),--processes $(PROCESSES)) \
		$(if $(K6),--k6-seconds $(K6)) $(if $(OUT),--out $(OUT)))

# Generated requests to a running sandbox: `make fuzz AREA=market EXAMPLES=300 SEED=1`.
fuzz: install-dev
	@$(BIN)/python -m tests.fuzz $(strip $(if $(URL),--url $(URL)) $(if $(AREA),--area $(AREA)) \
		$(if $(EXAMPLES),--examples $(EXAMPLES)) $(if $(SEED),--seed $(SEED)))

# Orders while processes are killed and stopped at every step and nodes lie, then the verdict of a reader
# that shares nothing with the program: `make chaos ORDERS=1000 SEED=1 STEPS=P7:kill,P3:stop SECONDS=500`.
chaos: install-dev
	@$(BIN)/python -m tests.chaos $(strip $(if $(ORDERS),--orders $(ORDERS)) $(if $(SEED),--seed $(SEED)) \
		$(if $(STEPS),--steps $(STEPS)) $(if $(SECONDS),--seconds $(SECONDS)))

# What is installed, as a CycloneDX document.
sbom:
	@$(PYTHON) tools/sbom.py

# After a change of the dependencies in pyproject.toml. Versions that still fit stay.
lock: install
	$(LOCK) -o requirements.lock
	$(LOCK) --group dev -c requirements.lock -o requirements-dev.lock
	$(LOCK) --group load -c requirements.lock -o requirements-load.lock

install:
	@$(PYTHON) tools/bootstrap/setup.py run

install-dev:
	@$(PYTHON) tools/bootstrap/setup.py dev

install-load:
	@$(PYTHON) tools/bootstrap/setup.py load
