#!/usr/bin/env bash
# install-packages.sh [build] [test] [check]: the one list of what Debian 12 must provide. Calls apt
# only where a package is missing; needs root or sudo then.
set -euo pipefail

build=(g++ cmake ninja-build pkg-config libzmq3-dev cppzmq-dev libmsgpack-cxx-dev libcli11-dev
       libspdlog-dev nlohmann-json3-dev libtomlplusplus-dev python3)
test=(doctest-dev python3-zmq python3-msgpack python3-venv libczmq-dev dpkg-dev file graphviz)
check=(git ccache clang libclang-rt-dev clang-tidy clang-format)

wanted=()
for group in "${@:-build}"; do
  case $group in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    check) wanted+=("${check[@]}") ;;
    *) echo "install-packages: no group '$group' (build, test, check)" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${wanted[@]}"; do
  if [[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) != *"ok installed" ]]; then
    missing+=("$package")
  fi
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

as_root=()
if [[ $EUID -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "install-packages: missing: ${missing[*]}: run this as root, or install sudo" >&2
    exit 5
  fi
  as_root=(sudo)
fi
echo "installing: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q
"${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
