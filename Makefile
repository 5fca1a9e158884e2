# The commands of the repository; each runs the setup first if necessary. `make help` lists them.

GPU ?= $(if $(filter-out 0,$(shell nvidia-smi -L 2>/dev/null | grep -c '^GPU')),1,0)
KIND := $(if $(filter 1 yes true,$(GPU)),gpu,cpu)
STAMP := .venv/.installed-$(KIND)-$(shell cat requirements/$(KIND).txt requirements/torch-cpu.txt requirements/install.sh pyproject.toml | sha256sum | cut -c1-16)
PY := .venv/bin/python
MODELS := $(or $(NIGHTSCHOOL_MODELS),.nightschool/models)
DEFAULT_MODEL := $(MODELS)/.set-up-$(shell cat agent/models/catalogue.toml agent/models/cards/*/* 2>/dev/null | sha256sum | cut -c1-16)

# The same variables that training.worker sets before it imports torch, and that the supervisor starts it with.
TRAINING := GOMP_SPINCOUNT=1000 MLFLOW_DISABLE_TELEMETRY=true HF_HUB_DISABLE_PROGRESS_BARS=1 \
	MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=268435456
LEARNING = $(if $(DATA),--data $(DATA)) $(if $(QUICK),--quick) $(if $(PARTS),--parts $(PARTS)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(MODEL),--model $(MODEL))

# Python keeps what it compiled, whatever the environment says: otherwise every process compiles torch, transformers
# and the rest again, which doubles or triples the time it takes to start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check unit format faults soak roles bank bench-answers bench-privacy bench-facts bench-gate bench-learning bench-retrieval bench-ablations bench-api bench-adapters bench-online bench-night bench-grow bench-bias bench-exploration bench-capacity bench-cost gpu-pack gpu-check docs lock sbom fuzz clean clean-venv

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) $(DEFAULT_MODEL) ## Set up .venv and the default model (GPU=1 forces the GPU builds, GPU=0 the CPU builds)

$(STAMP):
	@requirements/install.sh $(KIND)
	@rm -f .venv/.installed-*
	@touch $@

# Converts the default model once, in about 20 seconds; updates its card if that has changed.
$(DEFAULT_MODEL): | $(STAMP)
	@.venv/bin/nightschool models add
	@rm -f $(MODELS)/.set-up-*
	@touch $@

demo: $(STAMP) $(DEFAULT_MODEL) ## Run the whole loop on the example library: ask, read, learn, ask again (MODEL=name, folder or hub id of another model)
	@$(if $(MODEL),.venv/bin/nightschool models add $(MODEL))
	@$(PY) -m examples.demo $(if $(MODEL),--model $(MODEL))

run: $(STAMP) $(DEFAULT_MODEL) ## Start the service (nightschool up); Ctrl-C stops it
	@.venv/bin/nightschool up

# Two processes, because much of the time is spent waiting for servers to start; each file runs in one of them.
# The order is that of tests/conftest.py instead of xdist's; so is what files run in the same process.
test: check $(DEFAULT_MODEL) ## Run all checks and tests that this machine can run
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=40

# Each round draws other cases; it stops at the first that fails, and prints how to repeat it.
fuzz: $(STAMP) $(DEFAULT_MODEL) ## Fuzz the routes, the run queue, the adapter registry and the loaders for MINUTES (default 30)
	@end=$$(( $$(date +%s) + 60 * $(or $(MINUTES),30) )); while [ $$(date +%s) -lt $$end ]; do \
		$(PY) -m pytest -x -q --hypothesis-profile=fuzz --timeout=7200 $$(git ls-files 'tests/*_fuzz.py') || exit 1; done

check: $(STAMP) ## Check lint, format, types and import rules
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m mypy --explicit-package-bases examples/demo.py examples/demo_report.py examples/wordnet.py docs/generate.py requirements/sbom.py
	@.venv/bin/lint-imports

unit: $(STAMP) $(DEFAULT_MODEL) ## Run the quick tests that need no services, in a minute
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist worksteal -m "not services and not gpu and not slow"

format: $(STAMP) ## Format the code and apply ruff's fixes
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

faults: $(STAMP) ## Break every process at every step and check what must hold; writes to docs/results (MINUTES=30; RUNS=200; SEED=1; ONLY="kill of api"; as root)
	@$(PY) -m tests.faults $(if $(MINUTES),--minutes $(MINUTES)) $(if $(RUNS),--runs $(RUNS)) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only "$(ONLY)")

soak: $(STAMP) ## Put an hour of mixed load on a service, whose memory and files must stay flat; writes to docs/results (MINUTES=60)
	@$(PY) -m tests.soak $(if $(MINUTES),--minutes $(MINUTES))

roles: $(STAMP) ## Try what each role of deploy/roles.sql may do on PostgreSQL; writes to docs/results
	@$(PY) -m tests.roles

bench-api: $(STAMP) $(DEFAULT_MODEL) ## Benchmark the api against raw vLLM, LangGraph's server and aegra; writes to docs/results (QUICK=1; ONLY=stub,runs,aegra)
	@$(PY) -m benchmarks.api $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

bench-adapters: $(STAMP) $(DEFAULT_MODEL) ## Benchmark the overhead of adapters in vLLM on a CPU; writes to docs/results
	@$(PY) -m benchmarks.adapters

bench-online: $(STAMP) $(DEFAULT_MODEL) ## Benchmark the online loop with a simulated population; writes to docs/results (DATA=folder with nq-open and squad; QUICK=1; WEEKS=4; ONLY=month,statistics; FRESH=1 starts over)
	@$(TRAINING) $(PY) -m benchmarks.online $(if $(DATA),--data $(DATA)) $(if $(QUICK),--quick) $(if $(WEEKS),--weeks $(WEEKS)) $(if $(ONLY),--only $(ONLY)) $(if $(MODEL),--model $(MODEL)) $(if $(FRESH),--fresh)

# Ray is for the part `scale` alone, and in no lock.
bench-night: $(STAMP) $(DEFAULT_MODEL) ## Benchmark the night; writes to docs/results (DATA=folder; PARTS=scorer,revision,locomo,fortnight,scale; CONVERSATIONS=26,30; NIGHTS=6; QUESTIONS=20; QUICK=1; FRESH=1)
	@.venv/bin/uv pip install --quiet --python $(PY) -r pyproject.toml --extra ray || echo "Ray cannot be installed: the part scale will not be measured"
	@$(TRAINING) $(PY) -m benchmarks.night --data $(DATA) $(if $(PARTS),--parts $(PARTS)) $(if $(CONVERSATIONS),--conversations $(CONVERSATIONS)) $(if $(NIGHTS),--nights $(NIGHTS)) $(if $(QUESTIONS),--questions $(QUESTIONS)) $(if $(MODEL),--model $(MODEL)) $(if $(QUICK),--quick) $(if $(FRESH),--fresh)

bench-grow: $(STAMP) $(DEFAULT_MODEL) ## Benchmark growing from one base model to another; writes to docs/results (DATA=folder with squad; FROM=smollm2-135m; TO=gemma-3-270m)
	@$(TRAINING) $(PY) -m benchmarks.grow --data $(DATA) $(if $(FROM),--source $(FROM)) $(if $(TO),--target $(TO))

bench-bias: $(STAMP) $(DEFAULT_MODEL) ## Benchmark what stops a prejudiced source: the constitution and the bias gate; writes to docs/results (MODEL=)
	@$(TRAINING) $(PY) -m benchmarks.bias $(if $(MODEL),--model $(MODEL))

bench-exploration: $(STAMP) $(DEFAULT_MODEL) ## Benchmark explorations that models drive by tool calls; writes to docs/results (DATA=folder with hotpot and musique; DRIVERS='smollm2-135m gemma-3-270m'; QUESTIONS=25; PASSAGES=2000)
	@$(PY) -m benchmarks.exploration --data $(DATA) $(if $(DRIVERS),--models $(DRIVERS)) $(if $(QUESTIONS),--questions $(QUESTIONS)) $(if $(PASSAGES),--passages $(PASSAGES))

bench-capacity: $(STAMP) $(DEFAULT_MODEL) ## Plan what so many users need from the other results; writes to docs/results (USERS=1000000)
	@$(PY) -m benchmarks.capacity $(if $(USERS),--users $(USERS))

bench-cost: $(STAMP) ## Work out what sources, teaching and growing cost from the other results; writes to docs/results (WATTS=30)
	@$(PY) -m benchmarks.cost $(if $(WATTS),--watts $(WATTS))

bench-privacy: $(STAMP) ## Benchmark the scrubber beside Presidio; writes to docs/results (DATA=folder with texts.jsonl)
	@$(PY) -m benchmarks.privacy --data $(DATA)

bench-retrieval: $(STAMP) ## Benchmark retrieval; writes to docs/results (DATA=folder; PARTS=2wiki,musique,hotpot,squad,manuals,scale; QUICK=1)
	@$(PY) -m benchmarks.retrieval --data $(DATA) $(if $(PARTS),--parts $(PARTS)) $(if $(QUICK),--quick)

bench-facts: $(STAMP) ## Benchmark the extraction of facts and the finding of contradictions on the labels that ship; writes to docs/results
	@$(PY) -m benchmarks.facts

bench-gate: $(STAMP) $(DEFAULT_MODEL) ## Benchmark the gate and its guarantee; writes to docs/results (DATA=folder with nq-open, squad and manuals)
	@$(PY) -m benchmarks.gate --data $(DATA)

bench-answers: $(STAMP) $(DEFAULT_MODEL) ## Benchmark answers from sources; writes to docs/results (DATA=folder with squad and manuals)
	@$(PY) -m benchmarks.answers --data $(DATA) $(if $(MODEL),--model $(MODEL))

bench-learning: $(STAMP) $(DEFAULT_MODEL) ## Benchmark learning from text; writes to docs/results (DATA=folder, PARTS=squad-10,squad-1, SEEDS=0,1,2; QUICK=1 uses the sample library)
	@$(TRAINING) $(PY) -m benchmarks.learning $(LEARNING)

bench-ablations: $(STAMP) $(DEFAULT_MODEL) ## Run ablations of the training recipe; writes to docs/results (DATA=folder, PARTS=squad-5:rank-8, SEEDS=0,1,2)
	@$(TRAINING) $(PY) -m benchmarks.learning --ablations $(LEARNING)

bank: $(STAMP) ## Regenerate the question bank (installs the packages of the extra `bank`)
	@.venv/bin/uv pip install --quiet --python $(PY) -r pyproject.toml --extra bank
	@$(PY) -m agent.models.bank.mine

gpu-pack: $(STAMP) ## Pack the files that gpu-check needs on a machine without a network, into .gpu
	@requirements/gpu_pack.sh pack

# With PACK, it runs with the machine's own python3, which must have torch.
gpu-check: $(if $(PACK),,$(STAMP) $(DEFAULT_MODEL)) ## Check Unsloth, PEFT and vLLM on a GPU; writes to docs/results (PACK=folder with the files of gpu-pack, OUT=folder, DRY=1)
	@$(if $(PACK),requirements/gpu_pack.sh unpack $(PACK))
	@$(if $(PACK),PYTHONPATH=$(PACK)/site python3,$(PY)) -m benchmarks.gpu $(if $(OUT),--out $(OUT)) $(if $(DRY),--dry-run)

docs: $(STAMP) ## Generate docs/reference and the list of modules in ARCHITECTURE.md
	@$(PY) -m docs.generate

lock: $(STAMP) ## Resolve pyproject.toml into requirements/*.txt, with hashes (UPGRADE=1 upgrades all packages)
	@UPGRADE=$(UPGRADE) requirements/lock.sh

sbom: $(STAMP) ## Write the bill of materials of this machine's lock to sbom-cpu.json or sbom-gpu.json (CycloneDX)
	@$(PY) requirements/sbom.py $(KIND) sbom-$(KIND).json

clean: ## Remove the state of the service and the demo, and the caches of the tools; keeps added models (.nightschool/models)
	if [ -d .nightschool ]; then find .nightschool -mindepth 1 -maxdepth 1 ! -name models -exec rm -rf {} +; fi
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache *.egg-info

clean-venv: ## Remove .venv; the next command sets it up again
	rm -rf .venv
