#!/usr/bin/env bash
# Installs the servers that tests run against. Nothing here is required: a test whose server is missing says SKIPPED.
#   (nothing)   what `make test` uses: Ceph's object gateway, from Debian's packages
#   --full      what `make test-full` uses besides: packages for a kernel NFS server in User-mode Linux, and Garage,
#               s3s-fs and RustyVault, built by cargo into ${XDG_CACHE_HOME:-~/.cache}/graphdb/servers, once
# Prints what it installs, and nothing when nothing is to be done. Ends with status 0 even if something failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH:/usr/sbin:/sbin"
# shellcheck source=scripts/servers/versions.sh
. scripts/servers/versions.sh

say() { printf 'test-servers: %s\n' "$*" >&2; }
loudly() { printf '\n*** NOT INSTALLED: %s\n*** %s\n\n' "$1" "$2" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }
have_all() {
  local tool
  for tool in "$@"; do have "$tool" || return 1; done
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Installs Debian packages: packages WHAT_IS_SKIPPED_WITHOUT_THEM PACKAGE...
packages() {
  local skipped=$1
  shift
  if ! have apt-get; then
    loudly "$*" "This is no Debian or Ubuntu. $skipped"
  elif ! as_root true 2>/dev/null; then
    loudly "$*" "This needs root, or sudo without a password. $skipped"
  else
    say "installing packages: $*"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 ||
      loudly "$*" "apt-get failed; what it printed says why. $skipped"
  fi
}

# Builds a published program, unless it is there: program NAME VERSION BINARY OPTION...
# Away from this checkout, so that neither its toolchain nor its target directory is disturbed; hardly optimised and
# without link-time optimisation, which halves the time.
program() {
  local name=$1 version=$2 binary=$3 root=$servers/$1-$2 status
  shift 3
  if [ -x "$root/bin/$binary" ]; then return 0; fi
  say "building $name $version, which takes some minutes"
  mkdir -p "$servers" && (
    cd "$servers" || exit
    unset CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR CARGO_BUILD_TARGET RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
    export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
    cargo install "$name" --version "=$version" --locked --quiet --root "$root" --target-dir "$servers/target" "$@" >&2
  )
  status=$?
  rm -rf "$servers/target"
  if [ "$status" -ne 0 ]; then
    loudly "$name $version" "cargo install failed; what it printed says why. The tests against it are skipped."
  fi
}

install_default() {
  have_all radosgw radosgw-admin ceph-mon ceph-osd ceph monmaptool openssl curl ||
    packages "The tests against Ceph's object gateway, a real S3 server, are skipped." \
      radosgw ceph-mon ceph-osd ceph-common openssl curl
}

install_full() {
  have_all linux.uml exportfs mount.nfs modprobe dmsetup mkfs.ext4 ip ||
    packages "The tests on a kernel NFS mount are skipped." \
      user-mode-linux nfs-kernel-server nfs-common kmod dmsetup e2fsprogs iproute2
  if ! have pkg-config || ! pkg-config --exists openssl; then
    packages "The tests against RustyVault are skipped." libssl-dev pkg-config
  fi
  program s3s-fs "$s3s_fs_version" s3s-fs --features binary
  program rusty_vault "$rusty_vault_version" rvault
  program garage "$garage_version" garage --no-default-features --features lmdb,bundled-libs
}

case ${1-} in
  '') install_default ;;
  --full) install_default; install_full ;;
  *) say "unknown option $1" && exit 2 ;;
esac
exit 0
