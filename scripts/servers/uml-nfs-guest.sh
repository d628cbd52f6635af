#!/bin/bash
# The first process of the guest that uml-nfs.sh starts: sets up NFS over a file system of its own, runs the command.
set -uo pipefail
export PATH=/usr/sbin:/sbin:/usr/bin:/bin HOME=/mnt TMPDIR=/mnt/tmp NFS=/mnt/nfs BACK=/mnt/back OUT=/mnt/out
work=/mnt/work

mount_all() {
  mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /mnt &&
    mount -t tmpfs tmpfs /var/lib/nfs || return
  mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
  mkdir -p "$TMPDIR" "$NFS" "$BACK" "$OUT" $work /var/lib/nfs/{v4recovery,rpc_pipefs,nfsdcld,sm}
  : >/var/lib/nfs/etab
  : >/var/lib/nfs/rmtab
  mount -t hostfs none $work -o "$GRAPHDB_WORK" && mount -t hostfs none "$OUT" -o "$GRAPHDB_OUT" && ip link set lo up
}

load_modules() {
  local module
  for module in nfs nfsv4 nfsd loop dm-flakey sch_netem ext4; do
    modprobe -S "$(uname -r)" -d "$GRAPHDB_WORK/modules" $module || return
  done
}

# A disk that can be made to fail: a file of $TMPDIR's kind, behind the device mapper.
make_disk() {
  truncate -s "$GRAPHDB_DISK" /mnt/disk && loop=$(losetup -f --show /mnt/disk) && sectors=$(blockdev --getsz "$loop") &&
    echo "0 $sectors linear $loop 0" | dmsetup create disk --noudevsync && dmsetup mknodes &&
    mkfs.ext4 -q /dev/mapper/disk && mount -o errors=continue /dev/mapper/disk $BACK
}
storage_breaks() {
  dmsetup suspend --noudevsync --nolockfs disk
  echo "0 $sectors flakey $loop 0 0 3600 1 error_writes" | dmsetup load disk
  dmsetup resume --noudevsync disk
}

# Version 4 only, which needs no port mapper; the shortest leases there are, in seconds, so that a server that comes
# back serves soon.
serve() {
  mount -t nfsd nfsd /proc/fs/nfsd && mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs &&
    exportfs -o rw,no_root_squash,insecure,fsid=0,no_subtree_check 127.0.0.1:$BACK && rpc.mountd -N 3 || return
  echo 10 >/proc/fs/nfsd/nfsv4leasetime
  echo 10 >/proc/fs/nfsd/nfsv4gracetime
  server_starts
}
server_starts() { rpc.nfsd -H 127.0.0.1 -N 3 -t 2; }
server_stops() { rpc.nfsd 0; }

network_delays() { tc qdisc replace dev lo root netem delay "$1ms"; }

mount_nfs() { mount -t nfs -o vers=4.2,proto=tcp,soft,timeo=20,retrans=1 127.0.0.1:/ $NFS; }

if mount_all && load_modules && make_disk && serve && mount_nfs; then
  cd /mnt || exit
  # shellcheck source=/dev/null
  (. $work/command) >$work/output 2>&1 </dev/null
  echo $? >$work/status
else
  echo 'the guest could not set up its NFS mount'
fi
sync $work/output $work/status
halt -f
