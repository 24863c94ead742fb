# Read by the scripts beside it, which say in $self where they are and in $program what to start. The program takes the place of the
# shell, so that signals and exit codes are its own.
bundle=$(dirname "$self")/../build/$program/process.js

if ! version=$(node --version 2>/dev/null); then
  echo "The $program needs Node.js 20.19 or newer: install it from https://nodejs.org, and start the $program again." >&2
  exit 1
fi
numbers=${version#v}
major=${numbers%%.*}
rest=${numbers#*.}
minor=${rest%%.*}
if [ "$major" -lt 20 ] || { [ "$major" -eq 20 ] && [ "$minor" -lt 19 ]; }; then
  echo "The $program needs Node.js 20.19 or newer, and this is $numbers. Install a newer one, and start the $program again." >&2
  exit 1
fi
if [ ! -f "$bundle" ]; then
  echo "The $program has not been built yet: run \`npm start\`, or \`npm run build\`, in its folder once." >&2
  exit 1
fi

# As scripts/small-memory.mjs says.
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-2}"
case $program in
server) young="--min-semi-space-size=8 --max-semi-space-size=32 --semi-space-growth-factor=1" ;;
*) young=--max-semi-space-size=8 ;;
esac
# shellcheck disable=SC2086 # several words
exec node $young "$bundle" "$@"
