"""check_ledgers.py STATUS.json FILES WORDS: prints each device's ledger, and fails unless every
message that was received was sent and none was dropped."""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    ledgers = {ledger["name"]: ledger for ledger in json.load(file)["devices"]}
files, words = int(sys.argv[2]), int(sys.argv[3])
expected = {"files": files, "counts": files, "progress": files, "lookup": words}
wrong = []

print(f"{'device':<10}{'kind':<11}{'direction':<10}{'received':>10}{'sent':>10}{'dropped':>9}")
for name, ledger in ledgers.items():
    ways = [("forward", "frontend", "backend")]
    if ledger["kind"] == "queue":
        ways.append(("backward", "backend", "frontend"))
    for way, source, sink in ways:
        received, sent = ledger[source]["received"], ledger[sink]["sent"]
        causes = {**ledger[source]["causes"], **ledger[sink]["causes"]}
        lost = sum(causes.values())
        print(f"{name:<10}{ledger['kind']:<11}{way:<10}{received:>10}{sent:>10}{lost:>9}")
        if not received == sent == expected[name] or lost:
            wrong.append(f"{name}: expected {expected[name]} received and sent, lost: {causes}")
for name in expected.keys() - ledgers.keys():
    wrong.append(f"{name}: no ledger")
if wrong:
    sys.exit("\n".join(wrong))
