# Everything a developer or a user types. `make help` lists it.
# Each recipe sources deploy/node.sh first: it finds Node 24 (or brings it) and installs the dependencies when the lock file has changed.
SHELL := /bin/sh
NODE := . ./deploy/node.sh &&
DATA ?= docs
NAME ?= generate

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit test-training e2e e2e-down images charts tools proto check format bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

demo: ## the whole life of a model, real text in, served model out (DATA=docs|shakespeare)
	@./strata demo --data $(DATA)

test: ## type check, lint, unit, parity, architecture and integration tests
	@$(NODE) node tests/run.ts

test-unit: ## the unit tests alone, fast
	@$(NODE) node tests/run.ts unit

test-training: ## slow: tiny Shakespeare to the published loss, three seeds
	@$(NODE) node tests/run.ts training

e2e: ## the stories on a kind cluster: make e2e STORY=… KEEP=1 (needs Docker; kind, helm and kubectl are fetched where missing)
	@$(NODE) STORY='$(STORY)' KEEP='$(KEEP)' node tests/e2e/run.ts

e2e-down: ## delete the cluster that make e2e KEEP=1 left
	@$(NODE) node tests/e2e/run.ts down

images: ## the container images: make images SERVICE=tokenizer TAG=… REGISTRY=… (needs Docker)
	@$(NODE) node deploy/images.ts $(SERVICE)

charts: ## lint the chart, render every preset, check what comes out (against a cluster's own schema where there is one)
	@$(NODE) node tests/run.ts charts

tools: ## fetch outside libraries: make tools TOOL=libtensorflow
	@$(NODE) node deploy/fetch/main.ts tool $(or $(TOOL),libtensorflow)

proto: ## generate lib/contracts/gen from proto/
	@$(NODE) npx buf lint && npx buf format -w && npx buf generate && npx buf build -o lib/contracts/gen/descriptors.binpb

check: ## types, lint and contracts, no tests
	@$(NODE) node tests/run.ts check

format: ## format the code
	@$(NODE) npx biome check --write .

bench: ## one benchmark against its peer: make bench NAME=generate|train-cpu|tokenize|rpc|events|… (tests/bench)
	@$(NODE) node tests/bench/$(NAME).ts $(ARGS)

clean: ## remove what was built and fetched into the checkout (not the cache in the home folder)
	rm -rf node_modules .tools .cache coverage
