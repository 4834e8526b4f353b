#!/usr/bin/env bash
# get-bitcoind.sh [TARGET]: unpack bitcoind (Debian's bitcoin-knots) under ~/.cache/bitcoin-knots
# and print its path. The system stays as it is.
#   PKG=litecoind SUITE=trixie get-bitcoind.sh    the same with litecoind
set -euo pipefail
# shellcheck source=debian.sh
. "$(dirname "$(realpath "$0")")/debian.sh"
PACKAGE=${PKG:-bitcoin-knots}
TARGET=$(realpath -m "${1:-$HOME/.cache/$PACKAGE}")
PROGRAM=$PACKAGE
if [ "$PACKAGE" = bitcoin-knots ]; then PROGRAM=bitcoind; fi
if [ -x "$TARGET/bin/$PROGRAM" ]; then
  echo "$TARGET/bin/$PROGRAM"
  exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unpack_packages "$work" "$work/root" "$PACKAGE" "$PACKAGE|lib|zlib"
rm -rf "$work/root/bin"
mkdir "$work/root/bin"
for file in "$work"/root/usr/bin/*; do
  name=$(basename "$file")
  program=usr/bin/$name
  if [ -e "$work/root/usr/lib/litecoin/$name" ]; then program=usr/lib/litecoin/$name; fi
  head -c4 "$work/root/$program" | grep -q ELF || continue
  wrap "$work/root/bin/$name" "$TARGET" "$program" "$name" "$TARGET/usr/lib/x86_64-linux-gnu:$TARGET/lib/x86_64-linux-gnu"
done
put_in_place "$work/root" "$TARGET"
"$TARGET/bin/$PROGRAM" --version | head -n 1 >&2
echo "$TARGET/bin/$PROGRAM"
