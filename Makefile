# Every target does its own set-up: a fresh machine needs Python >= 3.11 and make, nothing else.
PYTHON ?= $(shell command -v python3.12 >/dev/null 2>&1 && python3.12 -c '' 2>/dev/null && echo python3.12 || \
	{ command -v python3.11 >/dev/null 2>&1 && python3.11 -c '' 2>/dev/null && echo python3.11 || echo python3; })
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PEERS := var/peers
MUTMUT := var/mutmut
PROJECTS := $(sort $(dir $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)))
EDITABLE := $(foreach p,$(PROJECTS),-e $(p:/=))

N ?= 20
SEED ?= 1

.DEFAULT_GOAL := help
.PHONY: help accounts audit setup run up test prove check format bench mutants images test-containers compose-up compose-down chaos schemas dashboards features pictures metal metal-off lock clean

help: ## show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) ## create .venv with everything pinned in constraints.txt

$(STAMP): constraints.txt pyproject.toml $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 12) else f"make: Python 3.11 or 3.12 is needed, {sys.executable} is {v[0]}.{v[1]}; set PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt pip uv
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode -c constraints.txt --group dev $(EDITABLE)
	@touch $@

run: $(STAMP) ## one complete pass over the simulated market
	@$(BIN)/cbi run $(ARGS)

up: $(STAMP) ## the embedded stack, staying, with the page on 127.0.0.1:8050
	@$(BIN)/cbi up $(ARGS)

test: check ## lint, types, architecture and every test that takes no minutes
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

prove: $(STAMP) ## the tests that take minutes: poisoning, kills, replay, services left out, fits that are resumed
	@$(BIN)/pytest -m proof -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(STAMP) ## ruff, mypy, the import contracts, and what is installed
	@$(BIN)/python deploy/audit.py
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo || $(BIN)/lint-imports

audit: $(STAMP) ## ask the advisory service what is known to be vulnerable: needs the network, and fails without it
	@$(BIN)/python deploy/audit.py
	@mkdir -p var && $(BIN)/uv pip freeze --quiet --exclude-editable --python $(BIN)/python >var/installed.txt
	@$(BIN)/pip-audit --strict --no-deps --disable-pip --progress-spinner off --timeout 20 -r var/installed.txt || \
		{ echo "make audit: something is vulnerable, or nobody could be asked about all of it (see above)" >&2; exit 1; }

format: $(STAMP) ## rewrite the code in the project's format
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

bench: $(STAMP) $(PEERS)/.ready ## measured figures, as ratios in one run, beside what others would pick (docs/benchmarks.md)
	@$(BIN)/python -m pytest -m benchmark tests/benchmarks tests/e2e -s $(ARGS)

$(PEERS)/.ready: tests/benchmarks/peers/requirements.txt
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

mutants: $(STAMP) $(MUTMUT)/.ready ## which small faults in the timeseries core and the gates do tests notice (docs/mutation.md)
	@PYTHONPATH=$(CURDIR)/$(MUTMUT) nice $(BIN)/python tests/mutation/run.py $(ARGS)

$(MUTMUT)/.ready: tests/mutation/requirements.txt | $(STAMP)
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --target $(MUTMUT) -c constraints.txt -r $<
	@touch $@

images: $(STAMP) ## every image of compose.yaml, with stand-ins where no image registry answers (docs/containers.md)
	@deploy/images.sh

test-containers: $(STAMP) ## the tests of images and compose.yaml; needs Docker and `make images`
	@$(BIN)/pytest -m containers tests/containers --durations=8 $(ARGS)

compose-up: $(STAMP) ## the whole stack in containers, from images made here
	@$(MAKE) --no-print-directory images
	@deploy/compose.sh up

compose-down: ## stop the stack in containers; its volumes stay
	@deploy/compose.sh down

chaos: $(STAMP) ## do harm to the real stack N times from SEED on (docs/chaos.md)
	@$(BIN)/python -m cbi_common.testing.chaos --n $(N) --seed $(SEED) $(ARGS)

schemas: $(STAMP) ## rewrite the golden event schemas after an intended change
	@$(BIN)/python -m cbi_common.runtime.schemas tests/contracts/schemas

accounts: $(STAMP) ## rewrite the accounts of the bus after a service listens to or says something else
	@$(BIN)/python -m cbi_common.runtime.accounts >deploy/nats/accounts.conf

dashboards: $(STAMP) ## rewrite Grafana's dashboards after an edit of deploy/grafana/boards
	@$(BIN)/python deploy/grafana/generate.py deploy/grafana/dashboards

features: $(STAMP) ## rewrite the page of features after an edit of a market file
	@$(BIN)/python -m ingest.features_page docs/features.md

pictures: $(STAMP) ## take the pictures of docs/buyer.md anew, from the simulated market
	@for day in 2025-05-02 2025-05-09 2025-05-16; do $(BIN)/cbi run --as-of $$day --lake var/lake-pictures >/dev/null; done
	@$(BIN)/python docs/pictures.py var/lake-pictures docs/img

metal: ## on a Mac: trainer-metal natively, kept running by launchd (docs/metal.md); `make metal-off` removes it
	@test "$$(uname -sm)" = "Darwin arm64" || { echo "make metal: this is for macOS on Apple silicon, here is $$(uname -sm)" >&2; exit 2; }
	@$(MAKE) --no-print-directory setup
	@services/trainer-metal/macos/install.sh

metal-off:
	@services/trainer-metal/macos/install.sh remove

lock: $(STAMP) ## add what the pyproject files newly need to constraints.txt (all anew: delete it first)
	@touch constraints.txt
	@printf -- '-e %s\n' $(PROJECTS:/=) | $(BIN)/uv pip compile --quiet --universal --no-emit-index-url --no-header --no-annotate \
		--python-version 3.11 --group dev -c constraints.txt - | grep -v '^-e' >constraints.new && mv constraints.new constraints.txt

clean: ## remove the environment, caches and var/
	@rm -rf $(VENV) .bqemulator .bqemulator.lock var .mypy_cache .ruff_cache .pytest_cache
