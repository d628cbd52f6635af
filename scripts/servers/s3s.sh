#!/usr/bin/env bash
# s3s-fs, an S3 server whose objects are plain files in DIR/data. See common.sh for how to talk to it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

binary=$servers/s3s-fs-$s3s_fs_version/bin/s3s-fs

require() { built "$binary"; }

prepare() {
  port=$(free_port) access_key=$(random 20)
  mkdir -p "$dir/data" && random 40 >"$dir/secret-key"
}

launch() {
  run s3s "$binary" --host 127.0.0.1 --port "$port" \
    --access-key "$access_key" --secret-key "$(cat "$dir/secret-key")" "$dir/data"
  await 30 listens s3s "$port" && await 30 answers 403 "http://127.0.0.1:$port/"
}

describe() {
  echo "endpoint=http://127.0.0.1:$port region=us-east-1 access_key=$access_key" \
    "secret_key_file=$dir/secret-key folder=$dir/data"
}

main "$@"
