# The two commands are `make demo` and `make test`; each sets up what it needs. The work is done in tools/.
.PHONY: help demo test setup lint docs formal fuzz soak mutate bench synth clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile

demo: ## play a capture and guests on the whole adapter in Verilator and print the result
	@tools/demo.sh

test: ## every check: format, clippy, tests, export, linters, documentation
	@tools/test.sh

setup: ## install what the other targets need: Debian packages, Python tools in .venv
	@tools/setup.sh test

lint: setup ## export every part of the three configurations and run every Verilog linter over them
	@tools/lint.sh --release

docs: setup ## check the documentation: rustdoc without warnings, no dead links
	@tools/docs.sh

formal: setup ## prove what rtl/src/formal claims of the hardware; options in ARGS
	@cargo run --quiet --locked --package testbench --bin formal -- $(ARGS)

fuzz: setup ## random hardware in native, Verilator, Icarus and plain Rust; options in ARGS
	@cargo run --release --locked --package testbench --bin fuzz -- $(ARGS)

soak: setup ## the fuzzer with ever new seeds for MINUTES (default: 60)
	@tools/soak.sh

mutate: setup ## single faults in the bridge: does a test notice each? Options in ARGS
	@cargo run --release --locked --package testbench --bin mutate -- $(ARGS)

bench: ## simulated cycles and frames per second, cycles per frame of each block
	@tools/setup.sh simulate
	@cargo run --quiet --release --locked --bin hematite -- bench $(ARGS)

synth: ## area and clock rate on ECP5, for docs/src/blocks.md; other options in ARGS
	@tools/setup.sh python
	@cargo run --quiet --release --locked --bin hematite -- synth $(or $(ARGS),--write docs/src/blocks.md)

clean: ## remove everything that is made; .venv stays
	@rm -rf target out docs/book
