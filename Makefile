# The front door. `make help` lists what there is.
CARGO ?= cargo
# The C library and the bridge are workspaces of their own, with the target directory of this one.
IN_C = CARGO_TARGET_DIR="$${CARGO_TARGET_DIR:-$(CURDIR)/target}"

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | awk -F '\t' '{printf "make %-12s %s\n", $$1, $$2}'

.PHONY: build
build: programs library ## the programs and the C library, optimised: target/release/feed-publisher, feed-subscriber, ringctl, libfeed_ring_c

.PHONY: programs
programs:
	$(CARGO) build --release --locked -p feed-publisher -p feed-subscriber -p ringctl

.PHONY: library
library:
	$(IN_C) $(CARGO) build --release --locked --manifest-path bindings/c/Cargo.toml --lib

.PHONY: manuals
manuals: ## the programs' manual pages and completions: target/manuals
	$(CARGO) run --quiet --release --locked -p feed-manuals -- "$${CARGO_TARGET_DIR:-target}/manuals"

# As root without cargo (sudo), what `make build manuals` built is installed.
.PHONY: install
install: ## programs, the C library with its headers, manual pages, completions, systemd units, alerts, into PREFIX (/usr/local); DESTDIR= for a package
	@if command -v $(CARGO) >/dev/null; then $(MAKE) --no-print-directory build manuals; fi
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" sh install/install.sh install

.PHONY: uninstall
uninstall: ## removes what install put there, and nothing else; PREFIX and DESTDIR as for install
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" sh install/install.sh uninstall

.PHONY: demo
demo: programs ## a publisher and two subscribers as separate processes, ten seconds once it is compiled (a minute or two the first time); INPUT=file for real data, VERBOSE=1 for every figure
	@INPUT="$(INPUT)" VERBOSE="$(VERBOSE)" sh demo/demo.sh

.PHONY: test
test: ## every test
	$(CARGO) test --workspace --locked --no-fail-fast
	$(MAKE) --no-print-directory faults
	$(MAKE) --no-print-directory loom

.PHONY: c
c: ## the C library: its header, its tests in C and C++, digests beside Rust's, 100,000 random calls (needs cc; c++ and valgrind where they are)
	@command -v cc >/dev/null || { echo "make c: cc is missing: install a C compiler (apt-get install gcc)"; exit 1; }
	$(CARGO) fmt --all --check --manifest-path bindings/c/Cargo.toml
	$(IN_C) $(CARGO) clippy --manifest-path bindings/c/Cargo.toml --workspace --all-targets --locked -- -D warnings
	$(IN_C) $(CARGO) test --manifest-path bindings/c/Cargo.toml --locked --no-fail-fast

.PHONY: bridge
bridge: ## the bridge to other machines, over zenoh: lint and tests (minutes the first time: 250 crates)
	$(CARGO) fmt --all --check --manifest-path bridge/Cargo.toml
	$(IN_C) $(CARGO) clippy --manifest-path bridge/Cargo.toml --all-targets --locked -- -D warnings
	$(IN_C) $(CARGO) test --manifest-path bridge/Cargo.toml --locked --no-fail-fast --tests

.PHONY: bridge-program
bridge-program: ## feed-bridge, optimised: target/release/feed-bridge (minutes the first time); make install then installs it, too
	$(IN_C) $(CARGO) build --release --locked --manifest-path bridge/Cargo.toml

.PHONY: bridge-chaos
bridge-chaos: ## both ends of a bridge and the router killed fifty times, in network namespaces if root, the link cut for up to 10 s; counts as JSON (KILLS=n)
	$(IN_C) FEED_BRIDGE_NAMESPACES=1 FEED_BRIDGE_KILLS="$${KILLS:-50}" $(CARGO) test --locked --manifest-path bridge/Cargo.toml --test chaos -- --nocapture --test-threads=1

.PHONY: bridge-bench
bridge-bench: ## how fast the bridge is on loopback, beside bare zenoh in the same run
	$(IN_C) $(CARGO) build --release --locked --manifest-path bridge/Cargo.toml --bin feed-bridge
	$(IN_C) $(CARGO) run --release --locked --manifest-path bridge/Cargo.toml --example speed

.PHONY: c-header
c-header: ## writes bindings/c/include/feed_ring.h of its source
	$(IN_C) FEED_RING_WRITE_HEADER=1 $(CARGO) test --quiet --manifest-path bindings/c/Cargo.toml --locked --test header

.PHONY: c-bench
c-bench: ## publishing and receiving from C beside Rust, in one process
	$(IN_C) $(CARGO) build --release --locked --manifest-path bindings/c/Cargo.toml --lib -p feed-ring-c -p feed-ring-c-loops
	$(IN_C) sh bindings/c/benches/bench.sh

.PHONY: faults
faults: ## a publisher killed at each of its stores
	RUSTFLAGS="--cfg feed_ring_faults" $(CARGO) test -p feed-ring --test faults --test faults_keyed --test faults_records --test wakes --locked --target-dir target/faults -- --nocapture

.PHONY: loom
loom: ## the models and their mutants; red if an ordering is missing (loom-deep: longer models)
	@echo "loom: compiles the models (a minute the first time), tests the explorer, then runs the models"
	RUSTFLAGS="--cfg loom" $(CARGO) test --locked --target-dir target/loom --profile loom -p loom-tests --lib --test explorer -- --quiet
	RUSTFLAGS="--cfg loom" $(CARGO) run --locked --target-dir target/loom --profile loom -p loom-tests --bin models

.PHONY: loom-deep
loom-deep: ## the same with longer models
	@echo "loom-deep: compiles the models (a minute the first time), then runs them"
	RUSTFLAGS="--cfg loom" $(CARGO) run --locked --target-dir target/loom --profile loom -p loom-tests --bin models -- --deep

.PHONY: torn-read
torn-read: ## the incident on this processor, then the same traffic through the ring
	$(CARGO) run --quiet --release --locked -p loom-tests --bin torn-read

.PHONY: litmus
litmus: ## the litmus tests, through herd7 where it is installed
	@sh loom-tests/litmus/run.sh

.PHONY: miri
miri: ## the ring's unit tests that touch no files, under Miri where it is installed
	@if $(CARGO) +nightly miri --version >/dev/null 2>&1; then $(CARGO) +nightly miri test --locked -p feed-ring --lib; else echo "miri: NOT RUN: it is not installed (rustup +nightly component add miri)"; fi

.PHONY: chaos
chaos: SECONDS ?= 120
chaos: ## everything killed and stopped at random for 2 minutes: messages, tables, records (SECONDS=, SEED=)
	$(CARGO) build --release --locked -p feed-chaos
	target/release/feed-chaos --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

.PHONY: compat
compat: BASE ?= 3783555
compat: ## a ring of another commit is read, taken over and verified by this build, and the reverse (BASE=)
	@CARGO="$(CARGO)" BASE="$(BASE)" sh testing/compat.sh

.PHONY: report
report: ## this ring beside every other way to move a message: target/report (QUICK=1 within a minute once it is compiled; PEERS=0 without other rings)
	@echo "report: compiles first (minutes the first time; QUICK=1's minute begins after that)" >&2
	$(CARGO) run --release --locked -p feed-ring-benches $(if $(filter 0,$(PEERS)),,--features peers) --bin report -- $(if $(QUICK),--quick)

.PHONY: hostile
hostile: ## how long a publish, or a store into a table, takes beside hostile readers and users, and without them (3 minutes)
	$(CARGO) run --quiet --release --locked -p feed-ring-benches --bin hostile

.PHONY: bench
bench: ## benches of single operations
	$(CARGO) bench --locked -p feed-ring-benches --features peers

.PHONY: fuzz
fuzz: SECONDS ?= 600
fuzz: TARGETS ?= segment table records dbn itch csv
fuzz: ## each decoder and the segment under cargo-fuzz, 10 minutes each (SECONDS=, TARGETS=); needs nightly and cargo-fuzz
	$(CARGO) +nightly run --quiet --release --locked --manifest-path fuzz/Cargo.toml --bin seeds
	for target in $(TARGETS); do \
		$(CARGO) +nightly fuzz run $$target -- -max_total_time=$(SECONDS) -rss_limit_mb=1024 -malloc_limit_mb=256 -timeout=10 || exit 1; \
	done

.PHONY: python
python: ## the Python package: builds its wheel in an environment of its own (target/python), tests it, lints it; needs Python 3.9 or later
	@CARGO="$(CARGO)" sh bindings/python/make.sh test

.PHONY: python-bench
python-bench: ## how fast Python receives and publishes, beside Rust
	@CARGO="$(CARGO)" sh bindings/python/make.sh bench

.PHONY: lint
lint: ## rustfmt, clippy and rustdoc; warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	CARGO_TARGET_DIR="$${CARGO_TARGET_DIR:-target}" CUSTOM_LIBFUZZER_PATH=./unlinked $(CARGO) clippy --manifest-path fuzz/Cargo.toml --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

.PHONY: doc
doc: ## the documentation of the crates: target/doc/feed_ring/index.html
	$(CARGO) doc --workspace --no-deps --locked
