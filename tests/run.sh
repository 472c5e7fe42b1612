#!/usr/bin/env bash
# The whole test suite. Arguments go to `cargo test`.
#
# ICEHOST_TEST_SQLSERVER=mssql://… runs the SQL Server cases on that server too.
# ICEHOST_CACHE is where the Python and Node packages that tests use are kept. What else is missing on the machine is
# installed first (setup.sh).
#
# After the suites, Microsoft's own T-SQL parser judges every statement that they sent to development servers.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

. ./setup.sh
setup tests

# Assigned first: `export X=$(…)` would hide a failure.
python=$(tests/readers/venv.sh)
node_modules=$(tests/clients/node_modules.sh)
componentize_py=$(tests/readers/venv.sh host/cli/templates/python/all/requirements.txt)
componentize_js=$(tests/clients/node_modules.sh tests/languages)
export ICEHOST_TEST_TOOLS=${componentize_py%/*}:$componentize_js/.bin
export ICEHOST_TEST_PYTHON=$python
export ICEHOST_TEST_NODE_MODULES=$node_modules

statements=$(mktemp -d)
trap 'rm -rf "$statements"' EXIT
export ICEHOST_TEST_STATEMENTS=$statements
# After each run that says that it succeeded, `icehost verify` compares source, lake and target (tests/kit/judge.rs).
unset ICEHOST_TEST_JUDGE

# Warm runs print nothing above; what follows is cargo's own output, summary lines and all.
cargo test --workspace "$@"

# .NET and the parser come for x86-64; elsewhere the cases say the same (tests/cases/judges/main.rs).
if [[ $(uname -m) != x86_64 ]]; then
    echo "not judged: Microsoft's T-SQL parser is for x86-64" >&2
elif (($#)) || [[ -n ${ICEHOST_TEST_SQLSERVER-} ]]; then
    tests/judges/tsql.sh cases "$statements"
else
    # All suites on development servers: fewer statements mean that the recording is broken.
    tests/judges/tsql.sh cases "$statements" 500
fi
