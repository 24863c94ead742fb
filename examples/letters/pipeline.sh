#!/usr/bin/env bash
# How often does each letter occur in a text? Split it, count the parts side by side, add up.
#
#   examples/letters/pipeline.sh TEXT [IMAGE]
#
# Needs a running Sheaf (`npm start`) and an image with Python 3; without IMAGE the server's default is used.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cl="$here/../../bin/cl"
text=${1:?Usage: pipeline.sh TEXT [IMAGE]}
image=(${2:+--request-docker-image "$2"})

code=$("$cl" upload "$here/code")
# -L: a text behind a symbolic link is meant itself.
input=$("$cl" upload -L "$text" -n text)

# Everything is submitted at once: a run starts as soon as what it depends on is ready.
split=$("$cl" run "code:$code" "text:$input" 'python3 code/split.py text 2 parts' -n split "${image[@]}")
first=$("$cl" run "code:$code" "part:$split/parts/0" 'python3 code/count.py part > counts.json' -n count-0 "${image[@]}")
second=$("$cl" run "code:$code" "part:$split/parts/1" 'python3 code/count.py part > counts.json' -n count-1 "${image[@]}")
merged=$("$cl" run "code:$code" "first:$first/counts.json" "second:$second/counts.json" \
  'python3 code/merge.py first second > letters.json' -n merge "${image[@]}")

"$cl" wait "$merged" >&2
"$cl" cat "$merged/letters.json"
