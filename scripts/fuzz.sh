#!/usr/bin/env bash
# Gives the decoders of backups any bytes: runs the targets of fuzz/ with cargo-fuzz, one after the other, on stable Rust.
#   scripts/fuzz.sh [--seconds N] [TARGET...]   N seconds for each target, 60 unless told; every target unless some are named
#   scripts/fuzz.sh --keep [TARGET...]          adds to fuzz/corpus, which `make test` checks, as few inputs as reach what it
#                                               and the runs on this machine reached
# A run begins with the inputs of fuzz/corpus and of earlier runs; what is new goes to fuzz/found, which git ignores. What makes
# a target fail goes to fuzz/artifacts, the other targets still run, and the status is 1.
# Installs cargo-fuzz into ${XDG_CACHE_HOME:-~/.cache}/graphdb/tools, once.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

cargo_fuzz_version=0.13.2
tools=${XDG_CACHE_HOME:-$HOME/.cache}/graphdb/tools
cargo_fuzz=$tools/cargo-fuzz-$cargo_fuzz_version
# Beside what `cargo build` makes, so that neither waits for the other.
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")/fuzz
export CARGO_TARGET_DIR
# To name the lines of a backtrace takes more memory than a target may use.
export RUST_BACKTRACE=0
# What a decoder does wrong shows within 4 KiB, and kept inputs stay small.
max_input_bytes=4096

say() { printf 'fuzz: %s\n' "$*" >&2; }
loudly() { printf '\n*** %s\n*** %s\n\n' "$1" "$2" >&2; }

install_cargo_fuzz() {
  if [ -x "$cargo_fuzz/bin/cargo-fuzz" ]; then return 0; fi
  say "building cargo-fuzz $cargo_fuzz_version, which takes a minute"
  mkdir -p "$tools" && (
    cd "$tools" || exit
    unset CARGO_BUILD_TARGET_DIR CARGO_BUILD_TARGET RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
    cargo install cargo-fuzz --version "=$cargo_fuzz_version" --locked --quiet --root "$cargo_fuzz" \
      --target-dir "$tools/target" >&2
  )
  local status=$?
  rm -rf "$tools/target"
  return $status
}

# What is tested has no `unsafe`, and fuzz/src/lib.rs limits its memory. A sanitizer would need a nightly Rust and add little.
fuzz() { nice "$cargo_fuzz/bin/cargo-fuzz" "$1" --sanitizer none "${@:2}"; }

run_target() {
  local target=$1
  mkdir -p "fuzz/found/$target" "fuzz/corpus/$target"
  say "$target, for $seconds s"
  fuzz run "$target" "fuzz/found/$target" "fuzz/corpus/$target" -- "-max_total_time=$seconds" \
    "-max_len=$max_input_bytes" -timeout=10 -rss_limit_mb=512 -verbosity=0 -print_final_stats=1 && return 0
  loudly "FAILED: target $target" "What it printed says how to run it again; the input is in fuzz/artifacts/$target."
  return 1
}

keep_target() {
  local target=$1 kept=fuzz/found/.kept
  rm -rf "$kept"
  mkdir -p "$kept" "fuzz/found/$target" "fuzz/corpus/$target"
  # Seeds stay: some differ from others in numbers alone, which reach nothing new.
  find "fuzz/corpus/$target" -name 'seed-*' -exec cp -t "$kept" {} +
  fuzz run "$target" "$kept" "fuzz/corpus/$target" "fuzz/found/$target" -- -merge=1 -set_cover_merge=1 -use_counters=0 \
    "-max_len=$max_input_bytes" -verbosity=0 || return
  rm -rf "fuzz/corpus/$target" && mv "$kept" "fuzz/corpus/$target"
  say "$target keeps $(find "fuzz/corpus/$target" -type f -printf '%s\n' |
    awk '{ bytes += $1 } END { print NR " inputs, " bytes " bytes" }')"
}

action=run_target seconds=60
case ${1-} in
  --seconds) seconds=${2:?how many}; shift 2 ;;
  --keep) action=keep_target; shift ;;
  -*) say "unknown option $1" && exit 2 ;;
esac
if ! install_cargo_fuzz; then
  loudly "NOT FUZZED: cargo-fuzz $cargo_fuzz_version is missing" "cargo install failed; what it printed says why."
  exit 1
fi
if [ $# -eq 0 ]; then
  mapfile -t targets < <("$cargo_fuzz/bin/cargo-fuzz" list)
  set -- "${targets[@]}"
fi
fuzz build || exit
failed=()
for target in "$@"; do "$action" "$target" || failed+=("$target"); done
say "$# targets, ${#failed[@]} failed${failed[*]:+: ${failed[*]}}"
[ ${#failed[@]} -eq 0 ]
