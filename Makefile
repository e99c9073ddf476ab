# Everything that one does here. `make` alone prints the targets.
SHELL := /usr/bin/env bash
.DEFAULT_GOAL := help
.PHONY: help install run build test test-race lint fmt bench bench-compare bench-proxy chaos mutants e2e playbooks up down logs migrate add-migration add-module release clean

local := deploy/local
PKG ?= ./...
BENCH ?= .

help: ## print this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build and serve with sample data on an embedded database in ./data
	bin/banyan serve --sample-data --data-dir ./data $(ARGS)

build: ## build bin/banyan, bin/banyan-flights and bin/banyan-reservations
	@mkdir -p bin
	go build -o bin/banyan ./app
	go build -o bin/banyan-flights ./extracted/flights
	go build -o bin/banyan-reservations ./extracted/reservations

install: ## install MariaDB and Redis where they are missing; the others do it themselves
	@$(local)/install.sh

test: ## run all tests on a private MariaDB and Redis (one part: PKG=./modules/flights/...)
	@$(local)/test.sh $(PKG)

test-race: ## the same with the race detector
	@$(local)/test.sh -race $(PKG)

lint: ## look for mistakes and for breaches of the house's rules
	@$$($(local)/tool.sh golangci-lint) run $(PKG)

fmt: ## format the sources
	@$$($(local)/tool.sh golangci-lint) fmt

bench: install ## measure what is promised as ratios (one: BENCH=Hold)
	go test -run '^$$' -bench '$(BENCH)' -p 1 -timeout 60m ./deploy/bench/...

bench-compare: ## run benchmarks of another revision and of this tree in turns: BASE=HEAD~1 BENCH=Hold TURNS=6
	@BASE=$(BASE) BENCH='$(filter-out .,$(BENCH))' TURNS=$(TURNS) $(local)/bench-compare.sh

bench-proxy: ## CPU per proxied request beside nginx, HAProxy, Caddy and ReverseProxy (ARGS: such as -rounds 5 -only Banyan,Caddy)
	@deploy/bench/proxyhop/run.sh $(ARGS)

chaos: install ## move flights and break everything while customers book (ARGS: such as --duration 10m --seed 7 --faults kill,net)
	go run ./deploy/chaos $(ARGS)

mutants: install ## break the rules of the handover one by one; the tests must notice each (one: ARGS="-only NAME")
	go run ./deploy/mutants $(ARGS)

e2e: ## test the programs as wholes: started, killed, asked over HTTP
	@$(local)/test.sh ./app/... ./extracted/...

playbooks: ## run every page of docs/playbooks from start to end against real programs (one: ARGS="-run ExtractFlights")
	@$(local)/test.sh -run '^TestPlaybook' $(ARGS) ./app

up: build ## start everything as processes of its own (one service: S=flights; stores of their own: STORES=own)
	@STORES=$(STORES) $(local)/up.sh $(S)

down: ## stop what up started (one service: S=flights)
	@$(local)/down.sh $(S)

logs: ## follow the logs of what up started (one service: S=flights)
	@$(local)/logs.sh $(S)

migrate: build ## bring the schemas up to date (ARGS: such as --data-dir ./data)
	bin/banyan migrate up $(ARGS)

add-migration: ## begin a migration: CONTEXT=flights NAME=add_gate
	@$(local)/add-migration.sh "$(CONTEXT)" "$(NAME)"

add-module: ## make a new context that builds and passes its tests: NAME=loyalty
	@$(local)/add-module.sh "$(NAME)"

release: ## archives of the programs in dist/, with checksums (PLATFORMS: such as "linux/amd64 darwin/arm64")
	@PLATFORMS='$(PLATFORMS)' $(local)/release.sh

clean: ## remove what was built, but no data
	rm -rf bin dist .tools
