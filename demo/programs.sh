# shellcheck shell=bash
# Sourced by the demos: gives `programs`, the directory of icehost, icehost-devserver and icehost-sql. That is
# ICEHOST_BIN where it is set; else they are built, and what that needs is installed before.

if [ -z "${ICEHOST_BIN:-}" ]; then
  . ./setup.sh
  setup build
  cargo build --release --package icehost --package icehost-devserver --package icehost-sql
  programs="${CARGO_TARGET_DIR:-target}/release"
else
  programs=$ICEHOST_BIN
fi
for program in icehost icehost-devserver icehost-sql; do
  if [ ! -x "$programs/$program" ]; then
    printf 'error: there is no %s in %s\n' "$program" "$programs" >&2
    printf 'hint: ICEHOST_BIN is the directory of all three; without it they are built\n' >&2
    exit 1
  fi
done
programs=$(cd "$programs" && pwd)
