#!/usr/bin/env bash
# Ceph's object gateway, a real S3 server, over one monitor and one storage daemon. See common.sh for how to talk to it.
#
#   OBJECTSTORE=memstore    objects live in memory: the fastest; `kill` ends only the gateway
#   OBJECTSTORE=bluestore   objects live in a file of DIR: `kill` ends the storage too, and what was acknowledged stays
#
#   MIN_PART_BYTES=5242880  the smallest part of an upload but for the last; S3 says 5 MiB
#
# Lines it obeys besides:
#   user NAME           makes a user, who may do nothing but own buckets; answers with access_key= and secret_key_file=
#   quota NAME BYTES    limits what all buckets of a user may hold together, in steps of 4 KiB
#   role NAME           makes a role that `main` may assume (STS) and that may do everything; answers with arn=
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

objectstore=${OBJECTSTORE:-memstore}
cluster_id=4f0d1f0e-6a8e-4f5c-9c55-6d1f7b0f3a21
storage_id=8d2b0c53-2a43-4c3f-8e6b-0b6b6e9b8a11

require() {
  local tool
  for tool in radosgw radosgw-admin ceph-mon ceph-osd ceph monmaptool openssl curl; do
    have "$tool" || { echo "$tool is not installed; scripts/test-servers.sh installs it"; return; }
  done
}

prepare() {
  mon_port=$(free_port) http_port=$(free_port) https_port=$(free_port)
  mkdir -p "$dir"/{mon,osd,rgw,tls,crash} && certify && configure >"$dir/ceph.conf" || return
  export CEPH_CONF=$dir/ceph.conf
  monmaptool --create --addv a "[v2:127.0.0.1:$mon_port/0]" --fsid $cluster_id "$dir/monmap" >"$dir/log/monmap" &&
    timeout 20 ceph-mon --mkfs -i a --monmap "$dir/monmap" || return
  run mon ceph-mon -f -i a
  timeout 30 ceph osd new $storage_id 0 >"$dir/log/osd-new" 2>&1 &&
    timeout 30 ceph-osd -i 0 --mkfs --no-mon-config --osd-uuid $storage_id >"$dir/log/osd-mkfs" 2>&1
}

# An authority and a certificate for this machine's loopback names.
certify() {
  local new=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
  (
    cd "$dir/tls" || exit
    openssl req -x509 "${new[@]}" -days 2 -keyout ca.key -out ca.pem -subj '/CN=authority for tests' &&
      openssl req "${new[@]}" -keyout server.key -out server.csr -subj '/CN=localhost' &&
      printf 'subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:s3.localhost,DNS:*.s3.localhost\n' >names &&
      openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem
  ) >"$dir/log/openssl" 2>&1
}

# Ceph for one machine: no authentication between its own daemons, hence no encryption there either; one copy of
# everything, in pools of one placement group each; nothing that waits for a manager daemon, which is not there.
configure() {
  cat <<CONF
[global]
fsid = $cluster_id
mon host = v2:127.0.0.1:$mon_port/0
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms bind msgr1 = false
ms bind retry delay = 1
ms mon client mode = crc
ms mon service mode = crc
ms mon cluster mode = crc
auth cluster required = none
auth service required = none
auth client required = none
run dir = $dir
admin socket =
pid file =
keyring = $dir/keyring
crash dir = $dir/crash
log file = $dir/log/\$name.log
mon allow pool size one = true
mon max pg per osd = 2000
mon data avail crit = 1
mon data avail warn = 2
mon mgr inactive grace = 100000
paxos propose interval = 0.05
paxos min wait = 0.01
osd objectstore = $objectstore
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd max object name len = 2048
osd client watch timeout = 3
osd memory target = 1073741824
memstore device bytes = 4294967296
bluestore block size = 17179869184
bluestore fsck on mount = false
[mon.a]
mon data = $dir/mon
[osd.0]
osd data = $dir/osd
[client.rgw.tests]
rgw data = $dir/rgw
rgw frontends = beast endpoint=127.0.0.1:$http_port ssl_endpoint=127.0.0.1:$https_port ssl_certificate=$dir/tls/server.pem ssl_private_key=$dir/tls/server.key
rgw dns name = s3.localhost
rgw rados pool pg num min = 1
rgw override bucket index max shards = 1
rgw multipart min part size = ${MIN_PART_BYTES:-5242880}
rgw num control oids = 1
rgw thread pool size = 32
rgw crypt require ssl = false
rgw bucket quota ttl = 0
rgw s3 auth use sts = true
rgw sts key = $(random 16)
rgw sts min session duration = 1
CONF
}

launch() {
  run mon ceph-mon -f -i a
  run osd ceph-osd -f -i 0 --no-mon-config
  # A gateway that asks for storage which is not up yet asks again only after ten seconds.
  await 60 storage_is_up || return
  run rgw radosgw -f -n client.rgw.tests --no-mon-config
  await 60 listens rgw "$http_port" && await 10 listens rgw "$https_port" &&
    await 60 answers 200 "http://127.0.0.1:$http_port/"
}

storage_is_up() { grep -q 'state: booting -> active' "$dir/log/osd.0.log"; }

populate() { make_user main --caps 'roles=*;user-policy=*'; }

describe() {
  echo "endpoint=http://127.0.0.1:$http_port https_endpoint=https://127.0.0.1:$https_port" \
    "ca_file=$dir/tls/ca.pem region=us-east-1 $(describe_user main)"
}

on_kill() {
  if [ "$objectstore" = memstore ]; then end rgw; return; fi
  end "${!pids[@]}"
  rm -f "$dir/log/osd.0.log" # so that it tells when the next one is up
}

administer() { timeout 30 radosgw-admin -n client.rgw.tests --no-mon-config "$@" >>"$dir/log/radosgw-admin" 2>&1; }

make_user() {
  local name=$1
  shift
  random 20 >"$dir/$name.access-key" && random 40 >"$dir/$name.secret-key" &&
    administer user create --uid="$name" --display-name="$name" --access-key="$(cat "$dir/$name.access-key")" \
      --secret-key="$(cat "$dir/$name.secret-key")" "$@"
}
describe_user() { echo "access_key=$(cat "$dir/$1.access-key") secret_key_file=$dir/$1.secret-key"; }

on_user() {
  if make_user "$1"; then reply "user $(describe_user "$1")"; else failed "make user $1"; fi
}

on_quota() {
  if administer quota set --quota-scope=user --uid="$1" --max-size="$2" &&
    administer quota enable --quota-scope=user --uid="$1"; then reply quota; else failed "set the quota of $1"; fi
}

# The gateway of this version reads no blanks in these documents.
on_role() {
  local trust='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam:::user/main"]},"Action":["sts:AssumeRole"]}]}'
  local rights='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}'
  if administer role create --role-name="$1" --assume-role-policy-doc="$trust" &&
    administer role-policy put --role-name="$1" --policy-name=everything --policy-doc="$rights"; then
    reply "role arn=arn:aws:iam:::role/$1"
  else
    failed "make role $1"
  fi
}
failed() { reply "failed to $1: $(tail -n 1 "$dir/log/radosgw-admin")"; }

main "$@"
