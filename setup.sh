# shellcheck shell=bash
# What a machine needs, for whoever sources this from a bash script of this repository, at its root, with one of
#
#   build   the programs: Rust, a wasm32 target for the strategies, a C compiler
#   tests   that, and what the suites run: clang, lld, FreeTDS, Node, Python, OpenSSL, docker-registry
#   ci      that, rustfmt, clippy and what cargo-deny is built with
#
# What is there is used. What is missing is said, and installed where that goes without a question: with apt-get as root
# or by sudo, and with rustup. Elsewhere, and with ICEHOST_NO_INSTALL=1, everything that is missing is named at once, as
# one command. Where packages come from is the machine's to say.

setup_target=wasm32-unknown-unknown
# Packages of the system's package manager, and steps of rustup, that are still to be installed
setup_packages=()
setup_rustup=()
# What no package brings, in words
setup_wanting=()

setup_say() { printf '%s\n' "$*" >&2; }

# PROGRAM, or a PROGRAM-N
setup_has() {
    command -v "$1" >/dev/null || compgen -c "$1-" | grep -qE "^$1-[0-9]+$"
}

setup_wants() { # package…
    local package
    for package; do
        [[ " ${setup_packages[*]-} " == *" $package "* ]] || setup_packages+=("$package")
    done
}

setup_version_of_rust() { # command…
    "$@" --version 2>/dev/null | sed -nE 's/^(rustc|cargo) ([0-9]+)\.([0-9]+).*/\2 \3/p'
}

# The version that Cargo.toml asks for, as "1 95"
setup_rust_wanted=$(sed -nE 's/^rust-version = "([0-9]+)\.([0-9]+).*/\1 \2/p' Cargo.toml)

setup_is_new_enough() { # "MAJOR MINOR"
    local major minor wanted_major wanted_minor
    read -r major minor <<<"$1"
    read -r wanted_major wanted_minor <<<"$setup_rust_wanted"
    [[ -n ${minor-} ]] && ((major > wanted_major || (major == wanted_major && minor >= wanted_minor)))
}

setup_has_rust() {
    setup_is_new_enough "$(setup_version_of_rust rustc)" && setup_is_new_enough "$(setup_version_of_rust cargo)"
}

setup_has_target() {
    [[ -d "$(rustc --print target-libdir --target "$setup_target" 2>/dev/null)" ]]
}

# Debian has no standard library for the target, but its compiler, which accepts RUSTC_BOOTSTRAP, builds one from the
# packaged source; host/componentize does that.
setup_has_debian_target() {
    [[ -x /usr/bin/rustc && -d /usr/lib/rustlib/src/rust/library/std ]] && setup_has wasm-ld &&
        setup_is_new_enough "$(setup_version_of_rust /usr/bin/rustc)"
}

# The version of a Debian package that would be installed, as "1 96"; nothing where there is none
setup_candidate() {
    apt-cache policy "$1" 2>/dev/null | sed -nE 's/^ *Candidate: ([0-9]+:)?([0-9]+)\.([0-9]+).*/\2 \3/p'
}

setup_find_rustup() {
    command -v rustup >/dev/null || [[ ! -x "$HOME/.cargo/bin/rustup" ]] || PATH="$HOME/.cargo/bin:$PATH"
    command -v rustup >/dev/null
}

setup_look_for_rust() {
    local wanted="${setup_rust_wanted/ /.}"
    setup_find_rustup || true
    if ! setup_has_rust && setup_find_rustup; then
        # For this run only: the user's own choice stays the default.
        export RUSTUP_TOOLCHAIN=stable
        setup_has_rust || setup_rustup+=("rustup toolchain install stable --profile minimal --no-self-update")
    elif ! setup_has_rust; then
        if setup_is_new_enough "$(setup_candidate rustc-web)"; then
            setup_wants rustc-web cargo-web rust-web-src
            setup_has wasm-ld || setup_wants lld
            return
        elif [[ -n $(setup_candidate rustup) ]]; then
            setup_wants rustup
            export RUSTUP_TOOLCHAIN=stable
            setup_rustup+=("rustup toolchain install stable --profile minimal --no-self-update")
        else
            setup_wanting+=("Rust $wanted or later (https://rustup.rs)")
            return
        fi
    fi
    if ! setup_has_target && ! setup_has_debian_target; then
        if setup_find_rustup || [[ " ${setup_packages[*]-} " == *" rustup "* ]]; then
            setup_rustup+=("rustup target add $setup_target")
        else
            setup_wants rust-web-src
            setup_has wasm-ld || setup_wants lld
        fi
    fi
}

setup_look_for_components() {
    local component
    for component in fmt clippy; do
        command -v "cargo-$component" >/dev/null && cargo "$component" --version >/dev/null 2>&1 && continue
        case $component-$(setup_find_rustup && echo rustup) in
            fmt-rustup) setup_rustup+=("rustup component add rustfmt") ;;
            clippy-rustup) setup_rustup+=("rustup component add clippy") ;;
            fmt-*) setup_wants rustfmt-web ;;
            *) setup_wants rust-web-clippy ;;
        esac
    done
}

setup_has_library() {
    { PATH="$PATH:/sbin:/usr/sbin" ldconfig -p || true; } 2>/dev/null | grep -q "$1"
}

setup_python='import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))'

setup_look() { # purpose
    # rust-toolchain.toml has rustup install what is missing whenever it is asked anything: not before it is said.
    local -x RUSTUP_AUTO_INSTALL=0
    setup_packages=() setup_rustup=() setup_wanting=()
    if [[ ! -e /etc/ssl/certs/ca-certificates.crt ]] && command -v apt-get >/dev/null; then
        setup_wants ca-certificates
    fi
    command -v cc >/dev/null || setup_wants build-essential
    if [[ $1 != build ]]; then
        setup_has clang || setup_wants clang
        setup_has wasm-ld || setup_wants lld
        command -v tsql >/dev/null || setup_wants freetds-bin
        command -v openssl >/dev/null || setup_wants openssl
        command -v npm >/dev/null || setup_wants nodejs npm
        python3 -c "$setup_python" 2>/dev/null || setup_wants python3 python3-venv
        if [[ $(uname) == Linux ]]; then
            # There is none for macOS; its case says that it is skipped.
            command -v docker-registry >/dev/null || setup_wants docker-registry
            # What the ODBC driver inside mssql-python links against
            setup_has_library libgssapi_krb5 || setup_wants libgssapi-krb5-2
            setup_has_library libltdl || setup_wants libltdl7
        fi
    fi
    if [[ $1 == ci ]]; then
        command -v cmake >/dev/null || setup_wants cmake
        command -v pkg-config >/dev/null || setup_wants pkg-config
    fi
    setup_look_for_rust
    [[ $1 != ci ]] || setup_look_for_components
}

# sudo where it asks nothing, or somebody is there to answer
setup_root() {
    if [[ $EUID -eq 0 ]]; then
        return
    fi
    command -v sudo >/dev/null || return 1
    if [[ -t 0 && -t 2 && -z ${CI-} ]]; then
        printf 'sudo '
    elif sudo -n true 2>/dev/null; then
        printf 'sudo -n '
    else
        return 1
    fi
}

# Everything that is missing as one command
setup_command() {
    local command="" step as=""
    [[ $EUID -eq 0 ]] || as="sudo "
    if ((${#setup_packages[@]})); then
        if command -v apt-get >/dev/null; then
            command="${as}apt-get update && ${as}apt-get install -y --no-install-recommends ${setup_packages[*]}"
        elif [[ $(uname) == Darwin ]]; then
            command="brew install $(setup_brew)"
        else
            command="install what Debian calls ${setup_packages[*]}"
        fi
    fi
    for step in "${setup_rustup[@]+"${setup_rustup[@]}"}"; do
        command="${command:+$command && }$step"
    done
    printf '%s' "$command"
}

# The names that Homebrew has for Debian's packages
setup_brew() {
    printf '%s\n' "${setup_packages[@]}" | sed -E 's/^clang$/llvm/; s/^freetds-bin$/freetds/; s/^openssl$/openssl@3/
        s/^(nodejs|npm)$/node/; s/^python3(-venv)?$/python/; s/^(rustc|cargo)-web$/rust/; /^rust-web/d' | sort -u | tr '\n' ' '
}

setup_fail() { # purpose
    local command wanting=""
    command=$(setup_command)
    ((${#setup_wanting[@]} == 0)) || wanting=$(printf '%s, ' "${setup_wanting[@]}")
    setup_say "error: this machine lacks what '$1' needs: ${wanting}${setup_packages[*]-}${setup_rustup[*]+ ${setup_rustup[*]}}"
    if [[ -n $wanting ]]; then
        if command -v apt-get >/dev/null && [[ -z $(setup_candidate bash) ]]; then
            setup_say "hint: run 'apt-get update' first: it may be a package, and the index of packages is empty"
        else
            setup_say "hint: first install ${wanting%, }"
        fi
    fi
    [[ -z $command ]] || setup_say "hint: $command"
    exit 1
}

setup_is_complete() {
    ((${#setup_packages[@]} + ${#setup_rustup[@]} + ${#setup_wanting[@]} == 0))
}

setup() { # purpose
    local root="" step
    setup_look "$1"
    if setup_is_complete; then
        return
    fi
    [[ ${ICEHOST_NO_INSTALL:-0} == 0 ]] || setup_fail "$1"
    # rustup needs no root; packages need it, and an index of them, without which nobody knows what there is.
    if ((${#setup_packages[@]} + ${#setup_wanting[@]})); then
        command -v apt-get >/dev/null || setup_fail "$1"
        root=$(setup_root) || setup_fail "$1"
        $root apt-get update -qq >&2 || setup_say "warning: apt-get update failed; going on with the index that is there"
        setup_look "$1"
        ((${#setup_wanting[@]} == 0)) || setup_fail "$1"
    fi
    ((${#setup_packages[@]} == 0)) || setup_say "installing with apt-get: ${setup_packages[*]}"
    for step in "${setup_rustup[@]+"${setup_rustup[@]}"}"; do
        setup_say "installing: $step"
    done
    if ((${#setup_packages[@]})); then
        $root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "${setup_packages[@]}" >&2 </dev/null || setup_fail "$1"
        hash -r
    fi
    for step in "${setup_rustup[@]+"${setup_rustup[@]}"}"; do
        # Words without blanks in them
        $step >&2 || setup_fail "$1"
    done
    setup_look "$1"
    setup_is_complete || setup_fail "$1"
}
