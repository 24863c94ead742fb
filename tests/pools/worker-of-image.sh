#!/bin/sh
# Stands for the worker that the image of a pod would bring: there is no Docker Engine in it here.
export SHEAF_RUNTIME=sandbox
set -- "$@" --runtime sandbox
for word; do
  shift
  case $word in
  --bundle-runtime) skip=1 ;;
  *) if [ -n "$skip" ]; then skip=; else set -- "$@" "$word"; fi ;;
  esac
done
exec "$(dirname "$0")/../../bin/cl-worker" "$@"
