#!/usr/bin/env bash
# Installs what building graphdb needs and this machine lacks: on Debian and Ubuntu the packages, everywhere Rust, and the
# Python packages of tests/independent.
# Prints what it installs, and nothing when nothing is to be done. Safe to run again.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

say() { printf 'setup: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }
# True when one of the paths exists; patterns that match nothing stay as they are and do not.
any_exists() {
  local path
  for path in "$@"; do [ -e "$path" ] && return 0; done
  return 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# RocksDB is C++, compiled here; bindgen reads its header with libclang, which needs the C headers of clang as well.
have_libclang() {
  any_exists ${LIBCLANG_PATH:+"$LIBCLANG_PATH"/libclang*} /usr/lib/llvm-*/lib/libclang*.so* /usr/lib*/libclang*.so* \
    /usr/lib/*/libclang*.so* /opt/homebrew/opt/llvm/lib/libclang* /Library/Developer/CommandLineTools/usr/lib/libclang*
}
have_clang_headers() {
  any_exists /usr/lib/llvm-*/lib/clang/*/include/stddef.h /usr/lib*/clang/*/include/stddef.h \
    /opt/homebrew/opt/llvm/lib/clang/*/include/stddef.h /Library/Developer/CommandLineTools/usr/lib/clang/*/include/stddef.h
}

install_packages() {
  local missing=()
  if ! have c++ || ! have cc || ! have make; then missing+=(build-essential); fi
  if ! have_libclang || ! have_clang_headers; then missing+=(libclang-dev); fi
  if ! have curl; then missing+=(curl ca-certificates); fi
  if have apt-get && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then missing+=(python3-venv); fi
  if [ ${#missing[@]} -eq 0 ]; then return 0; fi

  if ! have apt-get; then
    say "this machine lacks what these Debian packages bring: ${missing[*]}"
    say "install a C++ compiler, make, libclang with its headers, and curl, then run this again"
    exit 1
  fi
  if [ "$(id -u)" -ne 0 ] && ! have sudo; then
    say "run this as root, or install: ${missing[*]}"
    exit 1
  fi
  say "installing packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# The version of cargo, or nothing; rustup's cargo without a toolchain fails, which counts as nothing.
cargo_version() { cargo --version 2>/dev/null | awk '{ split($2, part, "-"); print part[1] }'; }
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

install_rust() {
  local wanted found
  wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
  found=$(cargo_version || true)
  if [ -n "$found" ] && at_least "$found" "$wanted"; then return 0; fi

  say "found Rust ${found:-not at all}, but graphdb needs $wanted or later"
  if have rustup; then
    say "installing the stable toolchain with rustup"
    rustup toolchain install stable --profile minimal --component rustfmt --component clippy >&2
    rustup default stable >&2
  else
    say "installing rustup and the stable toolchain from https://sh.rustup.rs"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
      sh -s -- -y --no-modify-path --profile minimal --component rustfmt --component clippy >&2
  fi
  found=$(cargo_version || true)
  if [ -z "$found" ] || ! at_least "$found" "$wanted"; then
    say "Rust is ${found:-still missing}; install Rust $wanted from https://rustup.rs and run this again"
    exit 1
  fi
}

# Nothing but the tests with tests/independent needs these, so a machine that cannot have them still builds.
install_python_packages() {
  local wanted=tests/independent/requirements.txt environment=${CARGO_TARGET_DIR:-target}/tmp/independent
  if cmp -s "$wanted" "$environment/requirements.txt"; then return 0; fi

  say "installing Python packages into $environment"
  if python3 -m venv --clear "$environment" >&2 &&
    "$environment/bin/pip" --quiet --disable-pip-version-check install --only-binary :all: -r "$wanted" >&2; then
    cp "$wanted" "$environment/"
  else
    say "that failed, for the reason above; the tests with tests/independent will be skipped"
  fi
}

install_packages
install_rust
install_python_packages
