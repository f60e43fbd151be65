# The front door. Everything is done by meson and by the scripts.
#   make build      build/magnum-auto-healer
#   make demo       watch a failed worker being healed, on this machine, in under a minute
#   make check      every test that needs no real cluster
#   make soak       simulate until the time is over: MINUTES=60
#   make mutants    take each guard away in turn: the simulation or a test must notice (half an hour)
#   make e2e        the suites with a real API server and a real OpenStack
.POSIX:
MINUTES = 60
.PHONY: all deps build demo check check-crash soak mutants e2e bench clean

all: build

deps:
	@./scripts/deps.sh

build:
	@./scripts/deps.sh build
	@./scripts/build.sh

demo: build
	@python3 sim/demo.py --build build

check: deps
	@./scripts/check.sh

# The leader is killed after every single question and act of a repair (check does a sample of them).
check-crash: build
	@MAH_BUILD="$$PWD/build" MAH_CRASH=all TEST_JOBS=16 python3 tests/run.py tests/functional test_crash.py

mutants:
	@python3 tests/sim/mutants.py

soak: build
	@./scripts/soak.sh $(MINUTES)

e2e: build
	@./scripts/e2e.sh

bench: build
	@meson test -C build --benchmark --verbose

clean:
	rm -rf build build-check
