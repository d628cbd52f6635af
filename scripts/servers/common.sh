# shellcheck shell=bash source-path=SCRIPTDIR
# What the scripts here share; each of them sources it, defines the functions below, and calls `main "$@"`.
#
#   NAME.sh DIR
#
# starts a server for tests on free ports of 127.0.0.1, with everything it writes in DIR, which must not exist. When the
# server answers, one line goes to standard output:
#
#   ready KEY=VALUE KEY=VALUE...
#
# Then the script obeys the lines of its standard input. When that ends, because whoever started the script closed it
# or died, the script ends the server and removes DIR. Every line is answered with one line, and these two always work:
#
#   kill     ends the server at once, as a crash would; answered with `killed`
#   start    starts it again, with the same ports and data; answered as above
#
# What fails is answered with `failed WHY`. A server that is not installed gives `absent WHY` and status 77; one that
# does not start gives status 1, and the end of its logs on standard error.
#
# A script defines:
#   require    says what is missing, or nothing
#   prepare    chooses ports and writes the configuration; called again when a port turned out to be taken
#   launch     starts the processes with `run`, waits for them with `await`; called again for `start`
#   populate   what is done once, after the first `launch`
#   describe   prints the KEY=VALUE words of the ready line
#   on_NAME    does and answers the line `NAME ...`; may be missing
set -uo pipefail
export no_proxy=127.0.0.1 NO_PROXY=127.0.0.1

. "$(dirname "$0")/versions.sh"

declare -A pids=()

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }
# What `require` of a program says that scripts/test-servers.sh --full builds: built FILE
built() { [ -x "$1" ] || echo "$(basename "$1") is not installed; scripts/test-servers.sh --full builds it"; }
# Letters and digits, up to 64: random NUMBER.
random() { head -c 1024 /dev/urandom | LC_ALL=C tr -dc 'A-Za-z0-9' | cut -c "1-$1"; }

# A port that nobody listens on, below those that Linux hands out itself. Another may take it before it is used.
free_port() {
  local port
  while port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000)); do
    (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

# Starts a process unless it runs: run NAME COMMAND... It dies with this script, even if that is killed.
run() {
  local name=$1 leash=()
  shift
  if running "$name"; then return 0; fi
  if have setpriv; then leash=(setpriv --pdeathsig KILL --); fi
  "${leash[@]}" "$@" >>"$dir/log/$name.out" 2>&1 3<&- 4>&- &
  pids[$name]=$!
}
running() { [ -n "${pids[$1]-}" ] && kill -0 "${pids[$1]}" 2>/dev/null; }
all_running() {
  local name
  for name in "${!pids[@]}"; do running "$name" || return 1; done
}

# Ends processes at once: end NAME...
end() {
  local name
  for name in "$@"; do
    kill -9 "${pids[$name]}" 2>/dev/null
    wait "${pids[$name]}" 2>/dev/null
    unset "pids[$name]"
  done
}

# Waits until a command succeeds: await SECONDS COMMAND... Gives up when a process has died.
await() {
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    all_running || return 1
    if [ "$SECONDS" -ge "$until" ]; then
      say "gave up waiting for: $*"
      return 1
    fi
    sleep 0.05
  done
}
# True when a process listens on a port of its own, and not another that was quicker: listens NAME PORT
listens() {
  local socket
  socket=$(awk -v port="$(printf ':%04X$' "$2")" '$2 ~ port && $4 == "0A" { print $10 }' /proc/net/tcp)
  [ -n "$socket" ] && find "/proc/${pids[$1]}/fd" -lname "socket:\[$socket\]" | grep -q .
}
# True when an address answers with a status: answers STATUS URL
answers() { [ "$(curl -s -o /dev/null -m 2 -w '%{http_code}' "$2")" = "$1" ]; }

show_logs() {
  local log
  for log in "$dir"/log/*; do
    [ ! -s "$log" ] || printf -- '--- the end of %s\n%s\n' "$log" "$(tail -n 8 "$log" | cut -c 1-240)" >&2
  done
}
port_was_taken() { grep -qsiE 'address( already)? in use|EADDRINUSE|unable to bind' "$dir"/log/*; }

clean_up() {
  end "${!pids[@]}"
  rm -rf "$dir"
}

start_first() {
  local attempt
  for attempt in 1 2 3; do
    mkdir -p "$dir/log"
    if prepare && launch && populate; then return 0; fi
    show_logs
    end "${!pids[@]}"
    port_was_taken || break
    say "a port was taken in the meantime; starting again ($attempt)"
    rm -rf "$dir"
  done
  say "the server did not start"
  return 1
}

reply() { printf '%s\n' "$*" >&4; }
ready() {
  local name words
  words=$(describe)
  for name in "${!pids[@]}"; do words+=" ${name}_pid=${pids[$name]}"; done
  reply "ready $words"
}

# Does what a line says: obey WORD...
obey() {
  local action=$1
  shift
  case $action in
    kill) on_kill && reply killed ;;
    start) if launch; then ready; else show_logs && reply "failed to start again"; fi ;;
    *) if declare -F "on_$action" >/dev/null; then "on_$action" "$@"; else reply "failed: no command $action"; fi ;;
  esac
}
populate() { :; }
on_kill() { end "${!pids[@]}"; }

main() {
  local missing line
  # Standard input and output are the caller's: nothing that runs here may read the one or write to the other.
  exec 3<&0 4>&1 </dev/null >&2
  missing=$(require)
  if [ -n "$missing" ]; then
    reply "absent $missing"
    exit 77
  fi
  dir=${1:?say in which directory the server is to live}
  case $dir in *[[:space:]]*) say "$dir has blanks in it, which the servers do not bear" && exit 2 ;; esac
  mkdir -p "$(dirname "$dir")" && mkdir -m 700 "$dir" || exit 2
  dir=$(realpath "$dir")
  trap clean_up EXIT
  trap 'exit 1' HUP INT TERM
  start_first || exit 1
  ready
  while read -r -u 3 -a line; do
    [ ${#line[@]} -eq 0 ] || obey "${line[@]}"
  done
}
