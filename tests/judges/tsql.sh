#!/usr/bin/env bash
# Microsoft's own T-SQL parser over statements: see tsql.py for the arguments. Installs what it needs into
# the cache first: the parser from PyPI's mssql-cli 1.0.0, which carries ScriptDom 15.0.4451.1.
set -euo pipefail

here="$(dirname "$(readlink -f "$0")")"
cache="${ICEHOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/icehost}"
name=Microsoft.SqlServer.TransactSql.ScriptDom.dll
digest=781687b415be45c4ade8041738798f1b01a5e9d2f95e2dd5f989d8772b224d7c

python=$("$here/../readers/venv.sh" "$here/requirements.txt")
parser="$cache/scriptdom-${digest:0:16}/$name"
if [[ ! -e "$parser" ]]; then
    mkdir -p "${parser%/*}"
    # Two runs may start at once; the second waits and finds the first one's work.
    exec 9>"${parser%/*}.lock"
    flock 9
    if [[ ! -e "$parser" ]]; then
        download=$(mktemp -d)
        trap 'rm -rf "$download"' EXIT
        "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
            --platform manylinux1_x86_64 -d "$download" mssql-cli==1.0.0 >&2
        "$python" "$here/unpack.py" "$download" "$name" "$digest" "$parser.new"
        mv "$parser.new" "$parser"
    fi
    exec 9>&-
fi

"$python" "$here/tsql.py" "$parser" "$@"
