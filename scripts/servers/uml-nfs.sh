#!/usr/bin/env bash
# Runs a command beside a real NFS mount: kernel client, kernel server, in a User-mode Linux that needs no rights.
#
#   uml-nfs.sh 'COMMAND'
#
# The guest sees the files of this machine, read-only, so that COMMAND may run any program of it by its path. What it
# prints, and its status, are those of this script. For the command there are variables and functions:
#   $NFS                where NFS 4.2 is mounted, softly: a server that is gone gives EIO after some seconds
#   $BACK               the folder that is exported, a small ext4
#   $OUT                writable, and a folder on this machine: OUT, else none that outlives the command
#   $TMPDIR             a file system in memory
#   server_stops        ends the NFS server; server_starts brings it back
#   storage_breaks      from now on every write to the disk below $BACK fails
#   network_delays MS   delays each packet between client and server; 0 ends that
#
#   DISK=96M      size of the exported file system
#   MEMORY=1024M  of the guest, half of which $TMPDIR may use
#   LIMIT=300     seconds the command may take
#
# When User-mode Linux or NFS is not installed: `absent WHY`, and status 77. When the guest ends without a status, or
# takes too long: the end of its console, and status 125.
# shellcheck source-path=SCRIPTDIR
set -uo pipefail
here=$(realpath "$(dirname "$0")")
export PATH=$PATH:/usr/sbin:/sbin

say() { printf 'uml-nfs: %s\n' "$*" >&2; }

for tool in linux.uml exportfs rpc.nfsd rpc.mountd mount.nfs modprobe dmsetup mkfs.ext4 ip tc; do
  command -v "$tool" >/dev/null && continue
  echo "absent $tool is not installed; scripts/test-servers.sh --full installs it"
  exit 77
done
version=$(find /usr/lib/uml/modules -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | sort -V | tail -n 1)
[ -n "$version" ] || { echo 'absent /usr/lib/uml/modules is empty' && exit 77; }

command=${1:?say what is to be run in the guest}
work=$(mktemp -d "${TMPDIR:-/tmp}/graphdb-nfs.XXXXXX")
out=${OUT:-$work/out}
guest=
trap '[ -z "$guest" ] || kill "$guest" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM
mkdir -p "$out" "$work/modules/lib/modules"
out=$(realpath "$out")
case $work$out in *[[:space:],]*) say "$work and $out must not have blanks or commas" && exit 2 ;; esac
ln -s "/usr/lib/uml/modules/$version" "$work/modules/lib/modules/$version"
printf '%s\n' "$command" >"$work/command"

# The guest's memory is a file, which is fastest in memory. Unknown words of the command line become init's environment.
memory_in=/dev/shm
[ -w "$memory_in" ] || memory_in=$work
leash=()
if command -v setpriv >/dev/null; then leash=(setpriv --pdeathsig TERM --); fi
TMPDIR=$memory_in "${leash[@]}" timeout --kill-after=5 "${LIMIT:-300}" \
  linux.uml "mem=${MEMORY:-1024M}" root=/dev/root rootfstype=hostfs rootflags=/ ro con=null con0=null,fd:1 quiet \
  init="$here/uml-nfs-guest.sh" GRAPHDB_WORK="$work" GRAPHDB_OUT="$out" GRAPHDB_DISK="${DISK:-96M}" \
  </dev/null >"$work/console" 2>&1 &
guest=$!
wait "$guest"
ended=$?
guest=

[ ! -e "$work/output" ] || cat "$work/output"
if [ -e "$work/status" ]; then exit "$(cat "$work/status")"; fi
if [ "$ended" -eq 124 ]; then say "the command took longer than ${LIMIT:-300} seconds"; fi
say 'the guest ended without a status; the end of its console:'
tail -n 20 "$work/console" >&2
exit 125
