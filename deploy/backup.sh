#!/bin/sh
# Asks a graphdb node for a backup and fails unless it was committed; for cron and systemd timers.
#   GRAPHDB_URL              the node; http://127.0.0.1:8080
#   GRAPHDB_DESTINATION      where to, a path or URI as the node sees it; if not set, the default place (--backup-bucket) of the node
#   GRAPHDB_AUTH_TOKEN_FILE  the node's admin token, if it has one
#   --full                   begin a new series with a full backup; otherwise what changed is added to the series
set -eu

url=${GRAPHDB_URL:-http://127.0.0.1:8080}
destination=${GRAPHDB_DESTINATION:-}
full=false
if [ "${1:-}" = --full ]; then full=true; fi
case $destination in
  *[\"\\]*) echo "backup: destination $destination may not contain quotes or backslashes" >&2; exit 2 ;;
esac

# shellcheck disable=SC2016 # the dollars are GraphQL's
query='mutation Backup($to: String, $full: Boolean) { backup(input: {destination: $to, forceFull: $full}) { response { code message } taskId } }'
# An empty destination is none.
body="{\"query\":\"$query\",\"variables\":{\"to\":\"$destination\",\"full\":$full}}"

# The token goes through standard input: arguments of a process can be read by every user.
token_header() {
  if [ -n "${GRAPHDB_AUTH_TOKEN_FILE:-}" ]; then printf 'X-Dgraph-AuthToken: %s\n' "$(cat "$GRAPHDB_AUTH_TOKEN_FILE")"; fi
}
answer=$(token_header | curl --silent --show-error --fail --header @- --header 'Content-Type: application/json' \
  --data "$body" "$url/admin")

# Errors come with HTTP 200, as in every GraphQL API.
case $answer in
  *'"errors"'*) echo "backup failed: $answer" >&2; exit 1 ;;
  *'"Success"'*) echo "$answer" ;;
  *) echo "backup: unexpected answer: $answer" >&2; exit 1 ;;
esac
