#!/usr/bin/env bash
# count.sh FOLDER: counts the words of all files below FOLDER with one `busbar run` process and a
# handful of small programs, and compares everything with an independent count. Needs busbar,
# worker, collector and replica in PATH: ../quickstart.sh builds them. WORKERS=N: so many workers.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(cd "$1" && pwd)
workers=${WORKERS:-3}

say() { printf '\n== %s\n' "$*"; }
work=
fail() {
  [[ -z $work || ! -s $work/run.log ]] || cat "$work/run.log" >&2
  echo "quickstart: FAILED: $*" >&2
  exit 1
}

[[ $workers =~ ^[1-9][0-9]*$ ]] || fail "WORKERS=$workers is no number of workers"

work=$(mktemp -d)
pids=()
clean_up() {
  [[ ${#pids[@]} -eq 0 ]] || kill "${pids[@]}" 2>/dev/null || true
  wait || true
  rm -rf "$work"
}
trap clean_up EXIT
cd "$work"
start() { "$@" & pids+=($!); }
topology="$here/quickstart.toml"

find "$folder" -type f -readable ! -name $'*\n*' >files
total=$(wc -l <files)
[[ $total -gt 0 ]] || fail "no file below $folder"

say "Count the words of $total files below $folder with $workers workers"
busbar check "$topology"
# Its ledgers are shown below; the rest of what it says is shown only where something fails.
start busbar run "$topology" 2>run.log
device=$!
# The progress bar is a subscriber, and is for people; its lines, the names of the files, are not
# shown.
bar=()
[[ ! -t 2 ]] || bar=(--progress)
start busbar sub ipc://progress.out --topic progress --count "$total" --timeout 2min \
  "${bar[@]}" >done
watcher=$!
start collector ipc://counts.out "$total" counts.tsv
collector=$!
for ((i = 0; i < workers; ++i)); do
  start worker ipc://files.out ipc://counts.in ipc://progress.in
done
# Its input stays open until all is counted: over ipc, libzmq 4.3.4 loses what a sender that has
# ended left in the system's buffer while the other end was busy.
exec {names}> >(exec busbar push --wire plain ipc://files.in)
pusher=$!
pids+=("$pusher")
cat files >&"$names"
wait "$collector" || fail "not all counts arrived"
wait "$watcher" || fail "not all progress arrived"
exec {names}>&-
wait "$pusher" || fail "not all names were sent"

say "Ask two replicas, through the queue proxy, how often the ten most frequent words occur"
start replica ipc://lookup.out counts.tsv "replica 1"
start replica ipc://lookup.out counts.tsv "replica 2"
LC_ALL=C sort -t $'\t' -k 2,2nr -k 1,1 counts.tsv >by_count
head -n 10 by_count | cut -f 1 >words
busbar req ipc://lookup.in --timeout 30s <words | tee answers
cut -f 1,2 answers | cmp - <(head -n 10 by_count) || fail "an answer is wrong"

say "Compare with grep and awk"
tr '\n' '\0' <files | LC_ALL=C xargs -0 grep -ohaE '[A-Za-z]+' |
  LC_ALL=C awk '{ ++n[$0] } END { for (word in n) print word "\t" n[word] }' |
  LC_ALL=C sort >independent || true
ours=$(awk -F '\t' '{ n += $2 } END { printf "%d", n }' counts.tsv)
theirs=$(awk -F '\t' '{ n += $2 } END { printf "%d", n }' independent)
echo "busbar: $ours words, $(wc -l <counts.tsv) different"
echo "grep:   $theirs words, $(wc -l <independent) different"
[[ $ours -gt 0 ]] || fail "nothing was counted"
LC_ALL=C sort counts.tsv | cmp - independent || fail "the counts differ"

say "The ledger of each device"
busbar status "$topology" --json >status.json
python3 "$here/check_ledgers.py" status.json "$total" "$(wc -l <words)" ||
  fail "a ledger does not agree"

kill "$device"
wait "$device" || fail "busbar run ended with exit code $?"
say "All agrees"
