# shellcheck shell=bash
# Sourced by the demos: the development SQL Server, in memory, on a random port, for as long as they run.
#
# Takes `programs`, the directory of icehost-devserver and icehost-sql. Gives `work`, a directory that goes with
# the server, `server`, its address, `ICEHOST_DEVSERVER_PASSWORD`, and `sql DATABASE STATEMENT`.

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

work=$(mktemp -d)
export ICEHOST_DEVSERVER_PASSWORD="demo-$RANDOM$RANDOM"
: >"$work/server.out"
"${programs:?}/icehost-devserver" --listen 127.0.0.1:0 >"$work/server.out" 2>"$work/server.log" &
server_process=$!
trap 'kill "$server_process" 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 100); do
  server=$(sed -n 's/^listening on //p' "$work/server.out")
  [ -n "$server" ] && break
  kill -0 "$server_process" 2>/dev/null || fail "the development server did not start: $(cat "$work/server.log")"
  sleep 0.05
done
[ -n "$server" ] || fail "the development server does not listen after 5 seconds"

sql() { "$programs/icehost-sql" "$server" "$1" "$2"; }
