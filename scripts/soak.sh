#!/bin/bash
# Simulates new seeds, all laws checked after every event, until the time is over; the last lines say how many years that
# were. Each violation is printed with its trace and its seed; then it goes on.
#   soak.sh [MINUTES]      default 60
# Environment: JOBS (number of processors), FIRST (the first seed; default: a random one)
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-60}
exec build/sim-run --minutes "$minutes" --jobs "${JOBS:-$(nproc)}" ${FIRST:+--first "$FIRST"}
