# Every task of a developer. `make` alone lists them.

CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

# What `build` makes; scripts/demo.sh starts it.
export GRAPHDB_BIN := $(CARGO_TARGET_DIR)/debug/graphdb

.DEFAULT_GOAL := help
.PHONY: help setup test-servers build demo test test-full check deny bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## install what a build needs and this machine lacks
	@scripts/setup.sh

test-servers: ## install what tests run against and this machine lacks: Ceph's S3 gateway
	@scripts/test-servers.sh

build: setup ## build the graphdb command (optimised, with the profile that test and demo share)
	cargo build --locked --workspace --bin graphdb

demo: build ## load a sample graph, back it up, change it, restore it, and show that all is equal
	@scripts/demo.sh

test: setup test-servers ## run all tests and count them
	@scripts/count-tests.sh

test-full: setup ## run all tests, those too that take long, against every server that can be had; fuzz the decoders
	@scripts/test-servers.sh --full
	@scripts/count-tests.sh -- --include-ignored
	@scripts/fuzz.sh

check: setup test-servers ## formatting, lints, licences, documentation, tests: what a change has to pass
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@$(MAKE) --no-print-directory deny
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
	@scripts/count-tests.sh

deny: setup ## check licences and origin of every dependency
	@if cargo deny --version >/dev/null 2>&1; then \
	  set -x; cargo fetch --locked && cargo deny --offline check --hide-inclusion-graph licenses bans sources; \
	else \
	  printf '\n*** NOT CHECKED: licences and origin of dependencies, because cargo-deny is missing.\n*** Install it with: cargo install --locked cargo-deny\n\n' >&2; \
	fi

bench: setup ## measure backup, restore and loading against the alternatives
	cargo bench --workspace --locked

clean: ## remove everything that was built
	cargo clean
