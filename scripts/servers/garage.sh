#!/usr/bin/env bash
# Garage, an S3 server: one node with its data in DIR. See common.sh for how to talk to it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

binary=$servers/garage-$garage_version/bin/garage

require() { built "$binary"; }

prepare() {
  s3_port=$(free_port) rpc_port=$(free_port)
  access_key=GK$(hexadecimal 12)
  mkdir -p "$dir"/{meta,data} && hexadecimal 32 >"$dir/secret-key" && configure >"$dir/garage.toml"
}
# Random bytes in hexadecimal: hexadecimal NUMBER.
hexadecimal() { od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n'; }

configure() {
  cat <<CONF
metadata_dir = "$dir/meta"
data_dir = "$dir/data"
db_engine = "lmdb"
lmdb_map_size = "1G"
replication_factor = 1
compression_level = "none"
rpc_bind_addr = "127.0.0.1:$rpc_port"
rpc_public_addr = "127.0.0.1:$rpc_port"
rpc_secret = "$(hexadecimal 32)"

[s3_api]
s3_region = "garage"
api_bind_addr = "127.0.0.1:$s3_port"
root_domain = ".s3.localhost"
CONF
}

launch() {
  run garage "$binary" -c "$dir/garage.toml" server --single-node
  await 30 listens garage "$s3_port" && await 30 administer key list
}

populate() {
  administer key import --yes -n main "$access_key" "$(cat "$dir/secret-key")" &&
    administer key allow --create-bucket "$access_key"
}
administer() { timeout 30 "$binary" -c "$dir/garage.toml" "$@" >>"$dir/log/administer" 2>&1; }

describe() {
  echo "endpoint=http://127.0.0.1:$s3_port region=garage access_key=$access_key secret_key_file=$dir/secret-key"
}

main "$@"
