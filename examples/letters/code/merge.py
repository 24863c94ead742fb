"""Adds up counts: merge.py COUNTS..."""

import collections
import json
import sys

total = collections.Counter()
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as counts:
        total.update(json.load(counts))
print(json.dumps(total, sort_keys=True, ensure_ascii=False))
