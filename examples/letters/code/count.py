"""Counts the letters of a text, as JSON: count.py TEXT"""

import collections
import json
import sys

counts = collections.Counter()
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        counts.update(letter for letter in line.lower() if letter.isalpha())
print(json.dumps(counts, sort_keys=True, ensure_ascii=False))
