#!/usr/bin/env bash
# get-axe.sh [TARGET]: put axe-core, which finds what keeps people out of a page, under ~/.cache/axe-core-VERSION, and print the path of
# axe.min.js. It comes from npm.
set -euo pipefail
VERSION=4.14.1
SHA256=e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745
TARGET=$(realpath -m "${1:-$HOME/.cache/axe-core-$VERSION}")
if [ -f "$TARGET/axe.min.js" ]; then
  echo "$TARGET/axe.min.js"
  exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent "axe-core@$VERSION" >&2
echo "$SHA256  axe-core-$VERSION.tgz" | sha256sum --check --quiet >&2
tar -xzf "axe-core-$VERSION.tgz"
mkdir -p "$TARGET"
mv package/axe.min.js "$TARGET/"
echo "$TARGET/axe.min.js"
