#!/usr/bin/env bash
# examples.sh BUILD_DIR CXX CMAKE: the examples build against an installed Busbar and do what their
# first comment says.
set -euo pipefail
build=$1 cxx=$2 cmake=$3
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/prefix" >/dev/null
"$cmake" -S "$root/examples" -B "$work/examples" -G Ninja -DCMAKE_CXX_COMPILER="$cxx" \
  -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$cmake" --build "$work/examples"

expect() {
  local output
  output=$("$work/examples/$1")
  [[ $output == *"$2"* ]] || { printf '%s printed:\n%s\nand not: %s\n' "$1" "$output" "$2"; exit 1; }
  echo "$1: as expected"
}
expect embedded_device "fx.eur 1.0834"
expect topology "3 of 3 arrived"

prices="ipc://$work/prices"
"$work/examples/prices/prices_publisher" "$prices" 100 &
publisher=$!
output=$("$work/examples/prices/prices_subscriber" "$prices" 100 2>&1)
wait "$publisher"
[[ $output == "1 prices.eur 1.09"$'\n'*$'\n'"100 prices.eur 2.08" ]] ||
  { echo "prices printed: $output"; exit 1; }
echo "prices: as expected"

jobs="ipc://$work/jobs"
"$work/examples/jobs/jobs_worker" "$jobs" >"$work/first" &
first=$!
"$work/examples/jobs/jobs_worker" "$jobs" >"$work/second" &
second=$!
output=$("$work/examples/jobs/jobs_pusher" "$jobs" 100)
kill "$first" "$second"
[[ $output == "100 done, 10 of them redelivered" ]] || { echo "jobs printed: $output"; exit 1; }
echo "jobs: as expected"

desks=("ipc://$work/desk.1" "ipc://$work/desk.2")
"$work/examples/bank/bank_desk" "${desks[1]}" &  # nobody is at the first one
second=$!
output=$("$work/examples/bank/bank_ask" 7 "${desks[@]}")
[[ $output == "1250 cents" ]] || { echo "bank printed: $output"; exit 1; }
output=$("$work/examples/bank/bank_ask" 9 "${desks[@]}" 2>&1) && exit 1
[[ $output == "request 'balance': it failed: no such account" ]] ||
  { echo "bank printed: $output"; exit 1; }
kill "$second"
output=$("$work/examples/bank/bank_ask" seven "${desks[@]}" 2>&1) && exit 1
[[ $output == "usage: bank_ask NUMBER"* ]] || { echo "bank printed: $output"; exit 1; }
echo "bank: as expected"

broker="ipc://$work/services"
"$work/prefix/bin/busbar" services --bind "$broker" 2>"$work/log" &
services=$!
"$work/examples/echo/echo_worker" "$broker" &
worker=$!
output=$("$work/examples/echo/echo_ask" "$broker" hello)
kill "$services" "$worker"
[[ $output == "hello" ]] || { echo "echo printed: $output"; exit 1; }
echo "echo: as expected"

beacons=$(python3 -c 'import socket
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
probe.bind(("127.0.0.1", 0))
print(probe.getsockname()[1])')
"$work/examples/peers/peers_shop" "$beacons" &
shop=$!
output=$("$work/examples/peers/peers_visitor" "$beacons" bread)
kill "$shop"
[[ $output == $'shop: come in, visitor\n350 cents' ]] || { echo "peers printed: $output"; exit 1; }
echo "peers: as expected"

# The quickstart's topology, on real input and on hardly any.
export PATH="$work/prefix/bin:$work/examples/quickstart:$PATH"
mkdir "$work/few"
echo "to be or not to be" >"$work/few/file"
for folder in "$root/lib" "$work/few"; do
  "$root/examples/quickstart/count.sh" "$folder" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
  echo "quickstart: counted $folder"
done
for program in worker collector replica; do
  code=0
  "$program" 2>"$work/log" || code=$?
  [[ $code -eq 2 ]] && grep -q "^usage: $program" "$work/log" ||
    { echo "$program without arguments: exit code $code"; cat "$work/log"; exit 1; }
done
