#!/usr/bin/env bash
# Half an hour of writers, kills and another engine's maintenance, judged by `icehost verify` and by
# independent readers. Arguments go to soak.py: --minutes N, --seed N.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

python=$(tests/readers/venv.sh)
cargo build --release --quiet -p icehost -p icehost-devserver
programs="${CARGO_TARGET_DIR:-target}/release"
exec "$python" tests/soak/soak.py --programs "$programs" "$@"
