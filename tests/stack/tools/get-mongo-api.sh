#!/usr/bin/env bash
# get-mongo-api.sh [TARGET]: get what start-mongo-api.sh needs under /var/tmp/mongo-api, and print that path: PostgreSQL 18 with the
# documentdb extension (Debian's packages, the system stays as it is) and an environment for mongo_gateway/. 104 MB.
# Debian has no mongod. This speaks its protocol; the GitHub workflow runs the same tests on a real one.
set -euo pipefail
# shellcheck source=debian.sh
. "$(dirname "$(realpath "$0")")/debian.sh"
TARGET=$(realpath -m "${1:-/var/tmp/mongo-api}") # not in root's home folder: PostgreSQL runs as another user then
PROGRAMS=usr/lib/postgresql/18/bin
LIBRARIES=usr/lib/x86_64-linux-gnu
if [ -x "$TARGET/venv/bin/python" ]; then
  echo "$TARGET"
  exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
unpack_packages "$work" "$root" postgresql-18-documentdb 'lib|zlib|postgresql-18|postgresql-client-18|proj-data'
ln -s postgis-3.control "$root/usr/share/postgresql/18/extension/postgis.control" # as the package does when it is installed

# PostgreSQL finds its files next to its own path: the programs move aside, and scripts take their places.
mv "$root/$PROGRAMS" "$root/$PROGRAMS.real"
mkdir "$root/$PROGRAMS"
path=$TARGET/$LIBRARIES:$TARGET/usr/lib/postgresql/18/lib
for folder in "$root/$LIBRARIES"/*/; do # blas, lapack, …
  if compgen -G "$folder/lib*.so.*" >/dev/null; then path=$path:$TARGET/$LIBRARIES/$(basename "$folder"); fi
done
for file in "$root/$PROGRAMS.real"/*; do
  name=$(basename "$file")
  wrap "$root/$PROGRAMS/$name" "$TARGET" "$PROGRAMS.real/$name" "$TARGET/$PROGRAMS/$name" "$path"
done
put_in_place "$root" "$TARGET"

python3 -m venv "$TARGET/venv" >&2
if ! "$TARGET/venv/bin/pip" -q install "pymongo==4.20.0" "psycopg[binary]==3.3.9" >&2; then
  rm -rf "$TARGET/venv"
  exit 1
fi
echo "$TARGET"
