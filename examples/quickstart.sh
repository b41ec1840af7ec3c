#!/usr/bin/env bash
# quickstart.sh [FOLDER]: from a bare Debian 12 to a running topology. Installs and builds busbar
# and the small programs in quickstart/, which count the words of all files below FOLDER (default
# /usr/include): see quickstart/count.sh. WORKERS=N for another number of workers.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(cd "${1:-/usr/include}" && pwd)

say() { printf '\n== %s\n' "$*"; }

say "Install what is needed"
"$root/tests/install-packages.sh" build
out="$root/build/quickstart"
mkdir -p "$out"
# What it prints is shown only where it fails.
quietly() {
  "$@" >"$out.log" 2>&1 || { cat "$out.log" >&2; echo "quickstart: FAILED: $*" >&2; exit 1; }
}

say "Build busbar (some minutes; progress in build/quickstart.log), and install it"
quietly cmake -S "$root" -B "$out/busbar" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUSBAR_TESTS=OFF
quietly cmake --build "$out/busbar"
quietly cmake --install "$out/busbar" --prefix "$out/prefix"

say "Build the workers as an outside project that links the installed library"
quietly cmake -S "$root/examples/quickstart" -B "$out/workers" -G Ninja \
  -DCMAKE_PREFIX_PATH="$out/prefix"
quietly cmake --build "$out/workers"

PATH="$out/prefix/bin:$out/workers:$PATH" "$root/examples/quickstart/count.sh" "$folder"
say "Done, after $SECONDS s"
