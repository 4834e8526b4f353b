#!/usr/bin/env bash
# get-go.sh VERSION [TARGET]: print the path of a Go that is VERSION or newer: the system's, else Debian's, unpacked under ~/.cache/go.
set -euo pipefail
# shellcheck source=debian.sh
. "$(dirname "$(realpath "$0")")/debian.sh"
NEEDED=$1
TARGET=$(realpath -m "${2:-$HOME/.cache/go}")

is_new_enough() { # PROGRAM
  local version
  version=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null | sed 's/^go//') && [ -n "$version" ] &&
    [ "$(printf '%s\n' "$NEEDED" "$version" | sort -V | head -n 1)" = "$NEEDED" ]
}

for program in "$(command -v go || true)" "$TARGET/usr/lib/go/bin/go"; do
  if [ -x "$program" ] && is_new_enough "$program"; then
    echo "$program"
    exit
  fi
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unpack_packages "$work" "$work/go" golang-go golang-
put_in_place "$work/go" "$TARGET"
is_new_enough "$TARGET/usr/lib/go/bin/go" || { echo "Debian has no Go $NEEDED." >&2; exit 1; }
echo "$TARGET/usr/lib/go/bin/go"
