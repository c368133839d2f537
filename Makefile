# SPDX-License-Identifier: MIT
# The few commands a person needs. Each does its own set-up on a fresh Debian 12 (tools/setup).

export UPCALL_CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/upcall
BUILD := build
UPCALL := $(BUILD)/cli/upcall

.PHONY: help bench bench-raise demo check check-long check-quick fuzz build setup format clean

help:
	@echo 'make demo         boot a stock 4-vCPU Linux guest, show its event channels, compare policies (4 minutes)'
	@echo 'make check        all tests: units, sanitizers, mutants, command line, lab, stock guests'
	@echo 'make check-long   what may change about events changes at random, 10 minutes on each stock kernel; all guests'
	@echo 'make check-quick  unit tests and bad input only, without a guest'
	@echo 'make bench        all comparisons of bench/scenarios, into docs/results.md (6 to 8 minutes each)'
	@echo 'make fuzz         libFuzzer on the library, an hour on each target (FUZZ_SECONDS=N)'
	@echo 'make bench-raise  what one event costs: the library beside draft A, eventfd, a pipe (3 minutes; docs/performance.md)'
	@echo 'make build        build/cli/upcall'
	@echo 'make format       clang-format over the tree'
	@echo 'make clean        remove the build folders (downloads stay in $(UPCALL_CACHE))'

setup:
	@tools/setup packages
	@tools/setup downloads
	@tools/setup build

build: setup
	@ninja -C $(BUILD) --quiet

demo: build
	@tools/demo --upcall $(UPCALL) --kernel $(UPCALL_CACHE)/kernel-6.12/vmlinuz --initrd $(BUILD)/tests/guest/guest.cpio

bench: build
	@bench/scenarios/run --upcall $(UPCALL)

# valgrind is for the second part alone, which is left out without it.
bench-raise: build
	@$(BUILD)/bench/raise/raise --seconds 120 --json $(BUILD)/bench/raise/raise.json --csv $(BUILD)/bench/raise/raise.csv
	@bench/raise/instructions || [ $$? = 77 ]

check: build
	@tests/check

check-long: build
	@tests/check --long

fuzz: setup
	@fuzz/run --seconds $(or $(FUZZ_SECONDS),3600)

check-quick: build
	@tests/check --quick

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	@rm -rf build build-*
