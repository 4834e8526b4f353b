# What a person does with Cryptons; `make` lists it. Needs Python 3.11 or newer with its venv module, and nothing else.

VENV := .venv
IN := $(VENV)/bin/python
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.DEFAULT_GOAL := help
.PHONY: help run test stack stack-down test-stack test-stack-long test-e2e lint types check format locks messages protos bench

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The locks are installed once, and again when they change.
$(VENV)/runs: requirements.txt
	@$(or $(PYTHON),python3) deploy/environment.py $< $@

$(VENV)/develops: requirements-dev.txt
	@$(or $(PYTHON),python3) deploy/environment.py $< $@

run: $(VENV)/runs ## Start the shop: PORT, HOST, DATA_DIR and the names in .env.example set it
	@exec $(IN) manage.py serve --end-with-parent

DB ?= sqlite
test: $(VENV)/develops ## Run the unit and integration tests (ARGS="-k cart" picks some; DB=postgres, DB=mongodb)
	@exec $(IN) -m tests.servers run $(DB) -- $(IN) -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

stack: $(VENV)/develops ## Start all real servers that this machine can get, and show how to reach them
	@exec $(IN) -m tests.servers up

stack-down: $(VENV)/develops ## Stop them
	@exec $(IN) -m tests.servers down

# Three files at a time, each on servers of its own and the longest first; one where they share those that are there already.
AT_ONCE = $(if $(BITCOIN_RPC_HOST)$(LITECOIN_RPC_HOST)$(LND_HOST)$(DATABASE_URL)$(REDIS_URL)$(ELASTICSEARCH_URL),1,3)
STACK = -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder tests/stack
test-stack: $(VENV)/develops ## Run the tests on real servers: bitcoind (regtest), lnd, databases, Redis, Elasticsearch, nginx
	@exec $(IN) -m pytest $(STACK) $(ARGS)

test-stack-long: $(VENV)/develops ## The same, with the worker killed 50 times
	@STACK_KILLS=50 exec $(IN) -m pytest $(STACK) $(ARGS)

test-e2e: $(VENV)/develops ## Run the tests in a real browser (Chromium)
	@exec $(IN) -m pytest -n 2 tests/e2e $(ARGS)

lint: $(VENV)/develops ## Check style, imports between apps, missing migrations and translations
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/lint-imports
	@$(IN) manage.py makemigrations --check --dry-run
	@$(IN) manage.py messages --check

types: $(VENV)/develops ## Check the types (mypy --strict)
	@$(VENV)/bin/mypy .

check: lint types test ## lint, types and test

format: $(VENV)/develops ## Put the code in shape
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

LOCK = pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make locks"
locks: $(VENV)/develops ## Resolve pyproject.toml into requirements*.txt (UPGRADE=--upgrade takes newer versions), and the API's tools
	@$(VENV)/bin/uv $(LOCK) $(UPGRADE) pyproject.toml -o requirements.txt
	@$(VENV)/bin/uv $(LOCK) $(UPGRADE) pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt
	@$(VENV)/bin/uv --directory tests/stack/tools/api_tools $(LOCK) --no-header $(UPGRADE) requirements.in -o requirements.txt

messages: $(VENV)/develops ## Collect what people read into locale/, and compile it (ARGS="--language fr" begins another language)
	@exec $(IN) manage.py messages $(ARGS)

protos: $(VENV)/develops ## Make the code of LND's messages from payments/networks/lightning/lnd/*.proto
	@$(VENV)/bin/uv tool run --quiet --from grpcio-tools==1.76.0 --with mypy-protobuf==5.1.0 python -m grpc_tools.protoc -I. \
		--python_out=. --mypy_out=. payments/networks/lightning/lnd/*.proto

bench: $(VENV)/develops ## Measure the web server, thousands of connections, Lighthouse's scores, pages, orders and 100,000 open invoices
	@exec $(IN) -m benchmarks
