#!/usr/bin/env bash
# Makes sure that something on this machine can compile a strategy to wasm32-unknown-unknown.
# It only installs; host/componentize finds what is there and does the building.
set -euo pipefail

target=wasm32-unknown-unknown

fail() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

has_target() {
    [[ -d "$(rustc --print target-libdir --target "$target")" ]]
}

# Debian ships no standard library for this target, but its compiler (which accepts
# RUSTC_BOOTSTRAP) can build one from the packaged source with -Zbuild-std.
has_debian_toolchain() {
    [[ -x /usr/bin/rustc && -d /usr/lib/rustlib/src/rust/library/std ]] &&
        compgen -c wasm-ld | grep -E '^wasm-ld(-[0-9]+)?$' >/dev/null
}

command -v rustc >/dev/null || fail "no rustc on the PATH" "install Rust from https://rustup.rs"

if has_target || has_debian_toolchain; then
    exit 0
fi

if command -v rustup >/dev/null && rustup target add "$target" && has_target; then
    exit 0
fi

if command -v apt-get >/dev/null && [[ $EUID -eq 0 ]]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        rustc-web rust-web-src lld-19 >&2
    has_debian_toolchain && exit 0
fi

fail "no toolchain for $target" \
    "run 'rustup target add $target', or on Debian as root 'apt-get install rustc-web rust-web-src lld-19'"
