# shellcheck shell=bash
# Sourced: unpack packages of another Debian release outside of the system, with all libraries that they need. No root needed.
#   SUITE    the release to take them from (default: sid)
#   MIRROR   the mirror (default: the one that apt on this machine uses)
#   KEYRING  the keys that sign the release (package debian-archive-keyring)

KEYRING=${KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}

default_mirror() {
  apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -v security | head -n 1
}

unpack_packages() { # TEMPORARY-FOLDER TARGET PACKAGE PATTERN: the packages of PACKAGE's installation whose name fits PATTERN
  local work=$1 target=$2 package=$3 pattern=$4 suite=${SUITE:-sid} mirror=${MIRROR:-} deb names
  if [ ! -r "$KEYRING" ] || ! command -v apt-get >/dev/null; then
    echo "It comes from Debian's packages: install debian-archive-keyring, or put the program on PATH." >&2
    return 1
  fi
  mirror=${mirror:-$(default_mirror)}
  mkdir -p "$work"/etc/{apt.conf.d,preferences.d} "$work"/{debs,state/lists/partial,cache/archives/partial} "$target"
  : >"$work/state/status" # nothing is installed: the whole closure is needed
  # valid-until-min: a mirror's index of sid may be an old, but still signed, copy; after a week apt calls it expired.
  echo "deb [arch=amd64 signed-by=$KEYRING valid-until-min=31536000] $mirror $suite main" >"$work/sources.list"
  cat >"$work/apt.conf" <<CONF
Dir::Etc "$work/etc"; Dir::Etc::sourcelist "$work/sources.list"; Dir::Etc::sourceparts "/dev/null";
Dir::Etc::trusted "/dev/null"; Dir::Etc::trustedparts "/dev/null"; Dir::Log "$work";
Dir::State "$work/state"; Dir::State::status "$work/state/status"; Dir::Cache "$work/cache";
APT::Architecture "amd64"; APT::Architectures { "amd64"; }; APT::Sandbox::User "";
Acquire::Languages "none"; Acquire::Retries "3";
CONF
  APT_CONFIG=$work/apt.conf apt-get -qq update >&2
  names=$(APT_CONFIG=$work/apt.conf apt-get -s --no-install-recommends install "$package" | awk '$1 == "Inst" {print $2}' |
    grep -E "^($pattern)" | grep -vE '^lib(systemd|c-gconv|llvm|perl)')
  # shellcheck disable=SC2086 # a list of names
  (cd "$work/debs" && APT_CONFIG=$work/apt.conf apt-get -qq download $names >&2)
  for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$target"; done
  (cd "$work/debs" && sha256sum ./*.deb) >"$target/MANIFEST.sha256"
}

wrap() { # FILE ROOT PROGRAM NAME LIBRARIES: a script FILE that runs ROOT/PROGRAM with ROOT's own loader and libraries
  # The loader is called, LD_LIBRARY_PATH is not set: programs that PROGRAM starts keep the system's libraries.
  printf '#!/bin/sh\nR=%q\nexec "$R/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path %q --argv0 %q "$R/%s" "$@"\n' \
    "$2" "$5" "$4" "$3" >"$1"
  chmod 755 "$1"
}

put_in_place() { # MADE TARGET: whole or not at all
  mkdir -p "$(dirname "$2")"
  rm -rf "$2"
  chmod 755 "$1"
  mv "$1" "$2"
}
