#!/usr/bin/env bash
# RustyVault, initialised and unsealed: a part of HashiCorp Vault's API. See common.sh for how to talk to it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

binary=$servers/rusty_vault-$rusty_vault_version/bin/rvault

require() { built "$binary"; }

prepare() {
  port=$(free_port)
  mkdir -p "$dir/data" && configure >"$dir/config.hcl"
}
configure() {
  cat <<CONF
storage "file" {
  path = "$dir/data"
}
listener "tcp" {
  address = "127.0.0.1:$port"
  tls_disable = "true"
}
api_addr = "http://127.0.0.1:$port"
log_level = "info"
log_format = "{date} {req.path}"
pid_file = "$dir/pid"
CONF
}

launch() {
  run rustyvault "$binary" server --config "$dir/config.hcl"
  await 30 listens rustyvault "$port" &&
    await 30 curl -s -m 2 "http://127.0.0.1:$port/v1/sys/seal-status" || return
  # It is initialised once, and sealed after each start.
  [ -e "$dir/unseal-key" ] || initialise || return
  ask unseal "{\"key\":\"$(cat "$dir/unseal-key")\"}" | grep -q '"sealed": *false'
}
initialise() {
  local answer
  answer=$(ask init '{"secret_shares":1,"secret_threshold":1}') &&
    sed -n 's/.*"keys": *\["\([^"]*\)".*/\1/p' <<<"$answer" >"$dir/unseal-key" &&
    sed -n 's/.*"root_token": *"\([^"]*\)".*/\1/p' <<<"$answer" >"$dir/root-token" &&
    [ -s "$dir/unseal-key" ] && [ -s "$dir/root-token" ]
}
# Both requests travel through a file: what is secret stays off command lines.
ask() { curl -s -m 10 -X PUT --data-binary @- "http://127.0.0.1:$port/v1/sys/$1" <<<"$2"; }

describe() { echo "address=http://127.0.0.1:$port root_token_file=$dir/root-token unseal_key_file=$dir/unseal-key"; }

main "$@"
