# The commands of the repository; each sets the machine up first if that is needed.
# make help lists them.

GPU ?= $(if $(filter-out 0,$(shell nvidia-smi -L 2>/dev/null | grep -c '^GPU')),1,0)
KIND := $(if $(filter 1 yes true,$(GPU)),gpu,cpu)
STAMP := .venv/.installed-$(KIND)-$(shell cat requirements/$(KIND).txt requirements/torch-cpu.txt requirements/install.sh pyproject.toml | sha256sum | cut -c1-16)
PY := .venv/bin/python
MODELS := $(or $(NIGHTSCHOOL_MODELS),.nightschool/models)
DEFAULT_MODEL := $(MODELS)/.set-up-$(shell cat agent/models/catalogue.toml agent/models/cards/*/* 2>/dev/null | sha256sum | cut -c1-16)

# As training.worker sets them before it imports torch.
TRAINING := GOMP_SPINCOUNT=1000 MLFLOW_DISABLE_TELEMETRY=true HF_HUB_DISABLE_PROGRESS_BARS=1
LEARNING = $(if $(DATA),--data $(DATA)) $(if $(QUICK),--quick) $(if $(PARTS),--parts $(PARTS)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(MODEL),--model $(MODEL))

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check unit format bank bench-answers bench-gate bench-learning bench-ablations bench-api bench-adapters bench-online gpu-pack gpu-check docs lock clean clean-venv

help: ## Lists these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) $(DEFAULT_MODEL) ## Sets up .venv and the default model (GPU=1 forces the GPU builds, GPU=0 the CPU builds)

$(STAMP):
	@requirements/install.sh $(KIND)
	@rm -f .venv/.installed-*
	@touch $@

# Converts the default model once, in about 20 seconds, and takes over its card when that has changed.
$(DEFAULT_MODEL): | $(STAMP)
	@.venv/bin/nightschool models add
	@rm -f $(MODELS)/.set-up-*
	@touch $@

demo: $(STAMP) $(DEFAULT_MODEL) ## Runs the whole loop on the example library: asks, reads, learns, asks again (MODEL=name, folder or hub name: another model)
	@$(if $(MODEL),.venv/bin/nightschool models add $(MODEL))
	@$(PY) -m examples.demo $(if $(MODEL),--model $(MODEL))

run: $(STAMP) $(DEFAULT_MODEL) ## Starts the service (nightschool up); Ctrl-C stops it
	@.venv/bin/nightschool up

# Two processes, each file in one of them: much of the time goes into waiting for servers to start.
# In the order of tests/conftest.py, not the one by number of tests that xdist would make of it.
test: check $(DEFAULT_MODEL) ## Checks and tests everything that runs on this machine
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(STAMP) ## Lint, format, types and the import rule
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m mypy --explicit-package-bases examples/demo.py examples/demo_report.py docs/generate.py
	@.venv/bin/lint-imports

unit: $(STAMP) $(DEFAULT_MODEL) ## The tests that need no services, in seconds
	@$(PY) -m pytest -m "not services and not gpu"

format: $(STAMP) ## Formats and mends what ruff can
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

bench-api: $(STAMP) $(DEFAULT_MODEL) ## Measures the api beside raw vLLM, the official server and aegra, into docs/results (QUICK=1; ONLY=stub,runs,aegra)
	@$(PY) -m benchmarks.api $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

bench-adapters: $(STAMP) $(DEFAULT_MODEL) ## Measures what an adapter costs vLLM on a CPU, into docs/results
	@$(PY) -m benchmarks.adapters

bench-online: $(STAMP) $(DEFAULT_MODEL) ## Proves the online loop on a simulated population, into docs/results (DATA=folder with nq-open and squad; QUICK=1; ONLY=month,statistics; FRESH=1: begins anew)
	@MLFLOW_DISABLE_TELEMETRY=true $(PY) -m benchmarks.online $(if $(DATA),--data $(DATA)) $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) $(if $(MODEL),--model $(MODEL)) $(if $(FRESH),--fresh)

bench-gate: $(STAMP) $(DEFAULT_MODEL) ## Measures the gate and its promise, into docs/results (DATA=folder with nq-open, squad and manuals)
	@$(PY) -m benchmarks.gate --data $(DATA)

bench-answers: $(STAMP) $(DEFAULT_MODEL) ## Measures answers from sources, into docs/results (DATA=folder with squad and manuals)
	@$(PY) -m benchmarks.answers --data $(DATA) $(if $(MODEL),--model $(MODEL))

bench-learning: $(STAMP) $(DEFAULT_MODEL) ## Measures learning from prose, into docs/results (DATA=folder, PARTS=squad-10,squad-1, SEEDS=0,1,2; QUICK=1: our own text)
	@$(TRAINING) $(PY) -m benchmarks.learning $(LEARNING)

bench-ablations: $(STAMP) $(DEFAULT_MODEL) ## Measures what each part of a lesson is worth, into docs/results (DATA=folder, PARTS=squad-5:rank-8, SEEDS=0,1,2)
	@$(TRAINING) $(PY) -m benchmarks.learning --ablations $(LEARNING)

bank: $(STAMP) ## Mines the question bank anew (installs the packages of the extra `bank`)
	@.venv/bin/uv pip install --quiet --python $(PY) -r pyproject.toml --extra bank
	@$(PY) -m agent.models.bank.mine

gpu-pack: $(STAMP) ## Packs for gpu-check what a GPU machine without a network lacks, into .gpu
	@requirements/gpu_pack.sh pack

# With PACK the machine's own python3 runs it, which has to have torch.
gpu-check: $(if $(PACK),,$(STAMP) $(DEFAULT_MODEL)) ## Checks Unsloth, PEFT and vLLM on a GPU, into docs/results (PACK=folder with the pieces of gpu-pack, OUT=folder, DRY=1)
	@$(if $(PACK),requirements/gpu_pack.sh unpack $(PACK))
	@$(if $(PACK),PYTHONPATH=$(PACK)/site python3,$(PY)) -m benchmarks.gpu $(if $(OUT),--out $(OUT)) $(if $(DRY),--dry-run)

docs: $(STAMP) ## Writes ARCHITECTURE.md's list of modules and docs/reference from the code
	@$(PY) -m docs.generate

lock: $(STAMP) ## Resolves pyproject.toml into requirements/*.txt, with hashes (UPGRADE=1: the newest versions)
	@UPGRADE=$(UPGRADE) requirements/lock.sh

clean: ## Removes all state of the service and the demo and the tools' caches; adopted models (.nightschool/models) stay
	if [ -d .nightschool ]; then find .nightschool -mindepth 1 -maxdepth 1 ! -name models -exec rm -rf {} +; fi
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache *.egg-info

clean-venv: ## Removes .venv, so that the next command sets it up anew
	rm -rf .venv
