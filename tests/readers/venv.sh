#!/usr/bin/env bash
# Prints the path of a Python that has the pinned readers and SQL Server clients, making its
# virtual environment first if need be. It lives outside the clone, one for each requirements file; another
# file than the readers' may be given.
set -euo pipefail

requirements="$(readlink -f "${1:-$(dirname "$(readlink -f "$0")")/requirements.txt}")"
cache="${ICEHOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/icehost}"
venv="$cache/venv-$(sha256sum "$requirements" | cut -c1-16)"

if [[ ! -e "$venv/complete" ]]; then
    if ! python3 -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "error: no python3 of version 3.11 or later with its venv module" >&2
        echo "hint: on Debian, apt-get install python3-venv" >&2
        exit 1
    fi
    mkdir -p "$cache"
    # Two runs may start at once; the second waits and finds the first one's work.
    exec 9>"$venv.lock"
    flock 9
    if [[ ! -e "$venv/complete" ]]; then
        rm -rf "$venv"
        python3 -m venv "$venv" >&2
        "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" >&2
        touch "$venv/complete"
    fi
fi

echo "$venv/bin/python"
