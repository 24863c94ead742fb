#!/bin/sh
# The worker under the name that old start scripts use: as cl-worker, but flags that are gone are skipped with a warning.
self=$0
while [ -h "$self" ]; do
  link=$(readlink "$self")
  case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
program=worker
set -- --skip-unknown-flags "$@"
. "$(dirname "$self")/start-program.sh"
