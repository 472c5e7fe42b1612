#!/usr/bin/env bash
# The model at length: 10,000 random interleavings, and a death at every place in every pipeline.
#
#     tests/model.sh                     both, with the seed of the day
#     tests/model.sh --cases N --seed N  so many interleavings of each of the four strategies
#     tests/model.sh --debug             as the suites build it, where that is built already
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

cases=2500 seed=$(date +%Y%m%d) profile=--release
while (($#)); do
    case $1 in
        --cases) cases=$2; shift ;;
        --seed) seed=$2; shift ;;
        --debug) profile= ;;
        *) echo "error: what is '$1'?" >&2; sed -n 's/^#     //p' "$0" >&2; exit 2 ;;
    esac
    shift
done

. ./setup.sh
setup build
export ICEHOST_MODEL_CASES=$cases ICEHOST_MODEL_SEED=$seed ICEHOST_MODEL_KILLS=all
echo "seed $seed, $cases interleavings of each strategy"
# --workspace: with the features that the suites build, so that nothing is built twice
cargo test --workspace $profile --test model -- --nocapture --include-ignored
