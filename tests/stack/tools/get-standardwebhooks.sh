#!/usr/bin/env bash
# get-standardwebhooks.sh [TARGET]: put the libraries of Standard Webhooks for Python and for Node under
# ~/.cache/standardwebhooks-VERSION, which is printed: as its folders `python` and `node_modules`. They come from PyPI and npm.
set -euo pipefail
PYTHON_VERSION=1.1.0
NODE_VERSION=1.1.1
TARGET=$(realpath -m "${1:-$HOME/.cache/standardwebhooks-$NODE_VERSION}")
if [ -d "$TARGET/node_modules" ]; then
  echo "$TARGET"
  exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p got/python got/node_modules/@stablelib
echo "standardwebhooks==$PYTHON_VERSION --hash=sha256:9a88d48a1f198be61517fc7ad328cf58ba02b73f0fbd8941d4213e9c0b6c2a61" >wanted.txt
python3 -m venv env
env/bin/pip install --quiet --no-deps --require-hashes --target got/python -r wanted.txt >&2
npm pack --silent "standardwebhooks@$NODE_VERSION" @stablelib/base64@1.0.1 fast-sha256@1.3.0 >&2
sha256sum --check --quiet >&2 <<SUMS
d0bc8fec280c9e30ea3cbc876f44fe71d56f443aeca2bd2bdf745718308d4aed  standardwebhooks-$NODE_VERSION.tgz
0130711d2e0d3f87436c7825db1f35bd6134fba2eda64b0df43d781f9b6a596a  stablelib-base64-1.0.1.tgz
4f897ea2594dc9cfb1250e7d4d0f65b4f105952a802fff2d06990bf1dc2c84f6  fast-sha256-1.3.0.tgz
SUMS
for name in "standardwebhooks:standardwebhooks-$NODE_VERSION" "@stablelib/base64:stablelib-base64-1.0.1" "fast-sha256:fast-sha256-1.3.0"; do
  folder="got/node_modules/${name%%:*}"
  mkdir -p "$folder"
  tar -xzf "${name#*:}.tgz" --strip-components=1 -C "$folder"
done
mkdir -p "$TARGET"
mv got/python got/node_modules "$TARGET/"
echo "$TARGET"
