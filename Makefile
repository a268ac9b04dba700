# Two commands do everything on a fresh Debian 12: make run, make test. The rest is for work on the code.
.POSIX:
.PHONY: help run test chaos bench fuzz fuzz-contract lint fmt clean build

help: ## Says what there is
	@grep -hE '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 15

run: ## Sets up, builds, starts Harkara with sandbox carriers and a demo workspace
	@scripts/bootstrap run
	@scripts/build build/run -Dtests=false
	@exec scripts/run build/run

test: ## Sets up, runs every test
	@scripts/bootstrap test
	@scripts/test

chaos: ## Storms for MINUTES (default 20): kills, broken networks, a full disk; HARKARA_CHAOS_SEED repeats one
	@scripts/bootstrap test
	@scripts/build build/test
	@HARKARA_CHAOS_MINUTES=$${MINUTES:-20} HARKARA_BUILD=$$PWD/build/test PATH="$$PWD/.tools/bin:$$PATH" \
	    node --test --test-reporter=spec tests/chaos/*.test.js

build: ## Sets up and builds into build/run
	@scripts/bootstrap run
	@scripts/build build/run -Dtests=false

bench: ## Measures against a bare server, the database alone and others' stacks; SOAK=60: an hour of mixed load
	@scripts/bootstrap bench
	@scripts/bench $${SOAK:+--soak $$SOAK}

fuzz: ## Fuzzes every target for SECONDS each (default 30)
	@scripts/bootstrap test
	@scripts/fuzz $${SECONDS_EACH:-30}

fuzz-contract: ## Asks every operation of the API REQUESTS times (default 10000) at random
	@scripts/bootstrap test
	@HARKARA_FUZZ_REQUESTS=$${REQUESTS:-10000} scripts/test fuzz-contract

lint: ## clang-tidy, the contract, the format
	@scripts/bootstrap test
	@scripts/lint

fmt: ## Lays the C source out as .clang-format says
	@git ls-files 'src/*.[ch]' 'bench/*.[ch]' | xargs clang-format-14 -i

clean: ## Removes what was built; data and downloads stay
	@rm -rf build
