"""Deals the lines of a text into N files, round robin: split.py TEXT N DIRECTORY"""

import pathlib
import sys

text, count, directory = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
directory.mkdir()
parts = [open(directory / str(number), "w", encoding="utf-8") for number in range(count)]
with open(text, encoding="utf-8") as lines:
    for number, line in enumerate(lines):
        parts[number % count].write(line)
for part in parts:
    part.close()
print(f"{number + 1} lines into {count} parts")
