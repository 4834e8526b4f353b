#!/usr/bin/env bash
# get-api-tools.sh [TARGET]: put the programs that read the OpenAPI document under ~/.cache/cryptons-api-tools-HASH, which is printed:
# Schemathesis and openapi-python-client in `python`, openapi-typescript and TypeScript in `node_modules`. The locks next to this
# script say which versions, and their hash makes the folder's name.
set -euo pipefail
HERE=$(realpath "$(dirname "$0")")
UV=$HERE/../../../.venv/bin/uv
HASH=$(cat "$HERE/api_tools/requirements.txt" "$HERE/api_tools/package-lock.json" | sha256sum | cut -c1-12)
TARGET=$(realpath -m "${1:-$HOME/.cache/cryptons-api-tools-$HASH}")
if [ -e "$TARGET/done" ]; then
  echo "$TARGET"
  exit
fi

rm -rf "$TARGET"
mkdir -p "$TARGET"
python3 -m venv "$TARGET/python"
install=(--quiet --require-hashes -r "$HERE/api_tools/requirements.txt")
"$UV" pip install --python "$TARGET/python/bin/python" "${install[@]}" >&2 || "$TARGET/python/bin/pip" install "${install[@]}" >&2
cp "$HERE/api_tools/package.json" "$HERE/api_tools/package-lock.json" "$TARGET/"
npm ci --silent --no-audit --no-fund --prefix "$TARGET" >&2
touch "$TARGET/done"
echo "$TARGET"
