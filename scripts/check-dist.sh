#!/usr/bin/env bash
# After scripts/build: is the committed dist/ what the sources make? Only a machine with the
# toolchain of dist/TOOLCHAIN can tell; elsewhere this says so.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! cmp -s build/dist/TOOLCHAIN dist/TOOLCHAIN; then
  echo "dist/ is not compared: this toolchain differs from dist/TOOLCHAIN"
  exit 0
fi
changed=$(git status --porcelain -- dist)
if [ -n "$changed" ]; then
  printf 'dist/ is not what the sources make. Run scripts/build and commit dist/:\n%s\n' "$changed" >&2
  exit 1
fi
(cd dist && sha256sum --quiet -c SHA256SUMS)
