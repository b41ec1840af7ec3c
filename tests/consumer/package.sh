#!/usr/bin/env bash
# package.sh BUILD_DIR CPACK: the Debian packages are made, hold what they should, and say what they
# need.
set -euo pipefail
build=$1 cpack=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$cpack" --config "$build/CPackConfig.cmake" -G DEB -B "$work" >"$work/log" 2>&1 ||
  { cat "$work/log"; exit 1; }

holds() {
  dpkg-deb -c "$1" >"$work/list"
  grep -qE "$2" "$work/list" || { echo "$1 does not hold $2"; cat "$work/list"; exit 1; }
}
needs() {
  local depends
  depends=$(dpkg-deb -f "$1" Depends)
  [[ $depends == *"$2"* ]] || { echo "$1 does not need $2 but: $depends"; exit 1; }
}
dev=$(echo "$work"/libbusbar-dev_*.deb)
holds "$dev" ' ./usr/include/busbar/busbar.hpp$'
holds "$dev" 'libbusbar_core.a$'
holds "$dev" 'libbusbar_devices.a$'
holds "$dev" 'busbarConfig.cmake$'
holds "$dev" 'busbar.pc$'
needs "$dev" libzmq3-dev
needs "$dev" cppzmq-dev
needs "$dev" libmsgpack-cxx-dev
program=$(echo "$work"/busbar_*.deb)
holds "$program" ' ./usr/bin/busbar$'
holds "$program" 'man/man1/busbar.1$'
holds "$program" 'bash-completion/completions/busbar$'
holds "$program" 'zsh/site-functions/_busbar$'
needs "$program" libzmq5
if dpkg-deb -c "$program" | grep -q include; then echo "$program holds headers"; exit 1; fi
echo "$(basename "$dev") and $(basename "$program") hold what they should"
