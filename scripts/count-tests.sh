#!/usr/bin/env bash
# Runs `cargo test` over the workspace with the arguments given, shows its output as it comes, and ends with one line
# that counts the tests of all its binaries. Fails when a test failed, or when cargo did.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

cargo test --workspace --locked --no-fail-fast "$@" 2>&1 | awk '
  { print; fflush() }
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
  }'
status=("${PIPESTATUS[@]}")
[ "${status[0]}" -eq 0 ] && [ "${status[1]}" -eq 0 ]
