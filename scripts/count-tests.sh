#!/usr/bin/env bash
# Runs `cargo test` over the workspace with the arguments given, then the tests of the decoder in tests/independent, shows
# their output as it comes, and ends with one line that counts all these tests. Fails when a test failed, or when cargo did.
#
# A test that cannot run here prints `SKIPPED NAME: WHY`; the harness takes it for passed. Here it counts as skipped, as
# ignored tests do, and is listed again before the last line.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test --workspace --locked --no-fail-fast "$@" 2>&1 | tee "$log"
status=${PIPESTATUS[0]}

python=${CARGO_TARGET_DIR:-target}/tmp/independent/bin/python
if [ -x "$python" ]; then
  "$python" -m unittest discover -s tests/independent 2>&1 | tee -a "$log"
  if [ "${PIPESTATUS[0]}" -ne 0 ]; then status=1; fi
else
  printf 'SKIPPED tests/independent: %s is not there; make setup installs it\n' "$python" | tee -a "$log"
fi

awk '
  function said(what) { return match($0, what "=[0-9]+") ? substr($0, RSTART + length(what) + 1, RLENGTH) + 0 : 0 }
  / Running | Doc-tests / { binary = $0 }
  /^SKIPPED/ {
    test = $1 == "SKIPPED" ? $2 : $0
    if (!((binary, test) in seen)) unable[++unables] = $0
    seen[binary, test]
  }
  /^test result: / {
    for (i = 2; i <= NF; i++) {
      if ($i == "passed;") passed += $(i - 1)
      if ($i == "failed;") failed += $(i - 1)
      if ($i == "ignored;") ignored += $(i - 1)
    }
  }
  /^SKIPPED tests\/independent/ { passed++ } # no harness took it for passed
  /^Ran [0-9]+ tests? in / { ran = $2 }
  ran && /^(OK|FAILED)/ {
    wrong = said("failures") + said("errors")
    passed += ran - wrong - said("skipped")
    failed += wrong
    ignored += said("skipped")
    ran = 0
  }
  END {
    if (unables) printf "\nThese tests could not run on this machine:\n"
    for (i = 1; i <= unables; i++) print unable[i]
    printf "\n%d passed, %d failed, %d skipped\n", passed - unables, failed, ignored + unables
    exit failed > 0
  }' "$log" && [ "$status" -eq 0 ]
