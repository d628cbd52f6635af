# shellcheck shell=bash disable=SC2034
# The servers that are built from source: where they are, each in a directory with its version in its name, and which.
servers=${XDG_CACHE_HOME:-$HOME/.cache}/graphdb/servers
garage_version=2.5.0
s3s_fs_version=0.14.1
rusty_vault_version=0.2.1
