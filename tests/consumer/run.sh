#!/usr/bin/env bash
# run.sh BUILD_DIR CXX CMAKE: installs the build into a fresh prefix; an outside project finds it by
# CMake, and a plain compiler call by pkg-config; so is the program in README.md built.
set -euo pipefail
build=$1 cxx=$2 cmake=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/prefix" >/dev/null

echo "-- find_package"
"$cmake" -S "$here/project" -B "$work/project" -G Ninja -DCMAKE_CXX_COMPILER="$cxx" \
  -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$cmake" --build "$work/project"
"$work/project/consumer_core"
"$work/project/consumer"

echo "-- pkg-config, from a prefix that was moved"
mv "$work/prefix" "$work/moved"
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$work/moved" -name busbar.pc)")
read -ra flags <<<"$(pkg-config --cflags --libs busbar)"
"$cxx" -std=c++20 -o "$work/plain" "$here/project/main.cpp" "${flags[@]}"
"$work/plain"

echo "-- the program that README.md shows"
sed -n '/^```cpp$/,/^```$/{/^```/!p}' "$here/../../README.md" >"$work/readme.cpp"
grep -q '^int main() {' "$work/readme.cpp"
"$cxx" -std=c++20 -Wall -Wextra -Werror -o "$work/readme" "$work/readme.cpp" "${flags[@]}"
