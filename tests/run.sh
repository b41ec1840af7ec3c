#!/usr/bin/env bash
# Installs what is needed on a bare Debian 12, builds the release preset and runs every test.
# Arguments go to ctest: tests/run.sh -R interop
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

started=$SECONDS
finish() {
  local code=$?
  [[ $code -eq 0 ]] && echo "tests/run.sh: PASSED in $((SECONDS - started)) s" ||
    echo "tests/run.sh: FAILED (exit code $code) after $((SECONDS - started)) s"
}
trap finish EXIT

tests/install-packages.sh build test
cmake --preset release
cmake --build --preset release
# Some tests run a dozen processes on two cores: one that fails has a second try, and the log says so.
ctest --preset release -j "$(nproc)" --repeat until-pass:2 "$@"
