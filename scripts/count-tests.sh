#!/usr/bin/env bash
# Runs `cargo test` over the workspace with the arguments given, shows its output as it comes, and ends with one line
# that counts the tests of all its binaries. Fails when a test failed, or when cargo did.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test --workspace --locked --no-fail-fast "$@" 2>&1 | tee "$log"
status=${PIPESTATUS[0]}
awk '
  /^test result: / {
    for (i = 2; i <= NF; i++) {
      if ($i == "passed;") passed += $(i - 1)
      if ($i == "failed;") failed += $(i - 1)
      if ($i == "ignored;") skipped += $(i - 1)
    }
  }
  END {
    printf "\n%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit failed > 0
  }' "$log" && [ "$status" -eq 0 ]
