#!/usr/bin/env bash
# Builds in release and prints the figures: see bench.py. Arguments go to it.
set -euo pipefail
cd "$(dirname "$0")/../.."
. ./setup.sh
setup build
cargo build --release --package icehost --package icehost-devserver --package icehost-sql
baselines=()
if python=$(tests/readers/venv.sh tests/bench/requirements.txt); then
    baselines=(--python "$python")
else
    echo "the baselines are left out: their Python environment could not be made" >&2
fi
exec python3 tests/bench/bench.py --bin "${CARGO_TARGET_DIR:-target}/release" "${baselines[@]}" "$@"
