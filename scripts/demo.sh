#!/usr/bin/env bash
# Shows what graphdb promises: loads a graph, backs it up in full and twice incrementally while it changes, restores each
# of the three offline and online, and compares the answers of the restored nodes with those of the node they come from.
#   GRAPHDB_BIN   the command; target/debug/graphdb
#   DEMO_SCALE    nodes of the graph; 20000
set -euo pipefail
cd "$(dirname "$0")/.."

graphdb=${GRAPHDB_BIN:-target/debug/graphdb}
scale=${DEMO_SCALE:-20000}
export no_proxy=127.0.0.1
# Settings of whoever runs this are not for the nodes of the demonstration.
for name in $(compgen -e GRAPHDB_ || true); do unset "$name"; done

work=$(mktemp -d "${TMPDIR:-/tmp}/graphdb-demo.XXXXXX")
pids=()
# Asks again if need be: a process that has hardly begun may miss a signal.
end_process() {
  for _ in $(seq 100); do
    kill "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -9 "$1" 2>/dev/null || true
}
clean_up() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do end_process "$pid"; done
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# Starts a node: start NAME DIRECTORY. Its URL is then in $url.
start() {
  local name=$1 log="$work/$1.log" line=""
  : >"$work/$name.out"
  "$graphdb" serve --postings "$2" --http 127.0.0.1:0 --encryption-key-file "$work/key" >"$work/$name.out" 2>"$log" &
  pids+=($!)
  for _ in $(seq 600); do
    line=$(head -n 1 "$work/$name.out")
    case $line in *' serving '*) break ;; esac
    kill -0 "${pids[-1]}" 2>/dev/null || { cat "$log" >&2; fail "node $name did not start"; }
    sleep 0.1
  done
  url=$(sed -n 's/.* serving \(http:[^ ]*\) .*/\1/p' <<<"$line")
  [ -n "$url" ] || { cat "$log" >&2; fail "node $name did not become ready"; }
  echo "node $name: $line"
}

stop() {
  kill "${pids[-1]}"
  wait "${pids[-1]}" || fail "a node did not end cleanly"
  unset 'pids[-1]'
}

# Each call prints the answer and fails when it holds an error.
checked() {
  local answer
  answer=$(cat)
  case $answer in
    '' | *'"errors":[{'*) fail "unexpected answer: $answer" ;;
    *) printf '%s\n' "$answer" ;;
  esac
}
admin() { curl -s -H 'Content-Type: application/graphql' "$1/admin" -d "$2" | checked; }
mutate() { curl -s -H 'Content-Type: application/rdf' "$1/mutate?commitNow=true" -d "$2" | checked >/dev/null; }
alter() { curl -s "$1/alter" -d "$2" | checked >/dev/null; }
ask() { curl -s -H 'Content-Type: application/dql' "$1/query" -d "$2"; }
query() { ask "$1" "$2" | checked; }

# What is asked of every node: each kind of index, counts, reverse edges, languages, facets, and in the end everything.
# What begins with ? may be refused, since its index or predicate is not always there.
questions=(
  'schema {}'
  '{ q(func: type(Film), orderasc: film.code, first: 200) { uid film.code name@en name@de tagline@en film.runtime film.score film.budget initial_release_date } }'
  '{ q(func: eq(name@en, "Drama")) { name@en films: count(~genre) ~genre (orderasc: film.code, first: 20) { film.code } } }'
  '{ q(func: anyofterms(name@en, "Sea Night City demo"), orderasc: name@en, first: 100) { uid name@en } }'
  '{ q(func: allofterms(name@en, "Night and"), orderasc: name@en, first: 100) { uid name@en alias } }'
  '?{ q(func: alloftext(tagline@en, "nights"), orderasc: film.code, first: 100) { film.code tagline@en } }'
  '{ q(func: regexp(name@en, /^Bird.*y$/), orderasc: name@en, first: 100) { uid name@en } }'
  '{ q(func: ge(film.runtime, 170), orderasc: film.code, first: 100) @filter(le(film.score, 9.0) AND NOT eq(film.in_color, false)) { film.code film.runtime film.score } }'
  '{ q(func: ge(initial_release_date, "2020-01-01"), orderdesc: initial_release_date, first: 50) { film.code initial_release_date } }'
  '?{ q(func: ge(height, 2.04), orderasc: name@en, first: 50) { uid name@en height } }'
  '{ q(func: has(loc), first: 200) { uid name@en loc population } }'
  '{ q(func: ge(population, 1000000), orderasc: name@en, first: 50) { name@en population country { name@en country.code } } }'
  '{ q(func: ge(count(genre), 3), orderasc: film.code, first: 50) { film.code count(genre) genre @facets { name@en } } }'
  '{ q(func: type(Director), orderasc: name@en, first: 50) { uid name@en director.film (orderasc: film.code) { film.code starring (first: 3) { performance.character@en performance.actor { name@en } } } } }'
  '{ q(func: has(spouse), orderasc: name@en, first: 50) { uid spouse @facets { uid ~spouse { uid } } } }'
  '{ q(func: has(director.film), first: 5) { count(director.film) } films(func: type(Film)) { count(uid) } people(func: type(Person)) { count(uid) } }'
  '{ q(func: has(dgraph.type)) { uid dgraph.type name@* alias genre { uid } country { uid } filmed_in { uid } starring { uid } director.film { uid } actor.film { uid } born_in { uid } spouse { uid } performance.actor { uid } performance.film { uid } } }'
)

# Writes what a node answers to every question: answers URL FILE. Only `data`; what follows it differs from time to time.
answers() {
  local question
  for question in "${questions[@]}"; do
    printf '%s\n' "$question"
    case $question in
      \?*) ask "$1" "${question#\?}" ;;
      *) query "$1" "$question" ;;
    esac | sed 's/,"extensions":{"server_latency".*$//'
  done >"$2"
}

# Compares with what node A answered when backup N was taken: compare URL N WHAT. Sets $verdict.
compare() {
  answers "$1" "$work/answers.$3.$2"
  if cmp -s "$work/answers.a.$2" "$work/answers.$3.$2"; then
    verdict=equal
  else
    verdict=DIFFERENT
    different=1
    diff "$work/answers.a.$2" "$work/answers.$3.$2" | cut -c 1-300 | head -n 6 >&2 || true
  fi
}

microseconds() { local now=$EPOCHREALTIME; echo "${now/[.,]/}"; }

# Takes backup N of node A through GraphQL and keeps what A answers right after it.
backup() {
  local begin
  begin=$(microseconds)
  admin "$a" "mutation { backup(input: {destination: \"$work/backups\"}) { response { code message } taskId } }"
  took[$1]=$(($(microseconds) - begin))
  answers "$a" "$work/answers.a.$1"
}

declare -a took offline online
different=0

say "a graph of $scale nodes, an AES-256 key, and node A"
head -c 32 /dev/urandom >"$work/key"
chmod 600 "$work/key"
mkdir "$work/backups"
"$graphdb" sample --scale "$scale" --output "$work"
start a "$work/a/p"
a=$url
"$graphdb" live -f "$work/sample.rdf.gz" -s "$work/sample.schema" --alpha "$a"

say "backup 1: full"
backup 1

say "changes: set, delete, delete all of a node, drop a predicate, another index"
films=$(query "$a" '{ q(func: type(Film), orderasc: film.code, first: 4) { uid } }' | sed 's/,"extensions".*//' | grep -o '0x[0-9a-f]*' | tr '\n' ' ')
read -r one two three four <<<"$films"
mutate "$a" "{ set { _:new <dgraph.type> \"Film\" .
_:new <film.code> \"demo-1\" .
_:new <name> \"A demo film\"@en .
_:new <film.runtime> \"171\" .
_:new <spouse> <$one> (since=1999-01-01) .
<$one> <name> \"Renamed by the demo\"@en .
<$one> <film.runtime> \"199\" .
<$one> <alias> \"Demo\" . } }"
mutate "$a" "{ delete { <$two> <name> * . } }"
mutate "$a" "{ delete { <$two> <genre> * . } }"
mutate "$a" "{ delete { <$three> * * . } }"
alter "$a" '{"drop_attr": "film.score"}'
alter "$a" 'height: float @index(float) .'

say "backup 2: incremental"
backup 2

say "more changes: a dropped predicate comes back, an index goes, nodes come and go"
alter "$a" 'film.score: float @index(float) .'
alter "$a" 'population: int @index(int) .'
alter "$a" 'name: string @index(hash, term, trigram) @lang .'
alter "$a" '{"drop_attr": "tagline"}'
mutate "$a" "{ set { <$three> <film.code> \"demo-3\" .
<$three> <dgraph.type> \"Film\" .
<$three> <film.score> \"8.5\" .
_:other <name> \"Another demo film\"@en .
_:other <director.film> <$three> .
<$two> <name> \"Named again\"@en . } }"
mutate "$a" "{ delete { <$four> <starring> * .
<$four> <name> * .
<$one> <alias> \"Demo\" . } }"

say "backup 3: incremental"
backup 3
"$graphdb" lsbackup -l "$work/backups"

say "restored offline, each backup into a directory of its own"
for n in 1 2 3; do
  "$graphdb" restore -l "$work/backups" -p "$work/offline$n" --backup_num "$n" --encryption_key_file "$work/key" --force_zero=false
  start "offline$n" "$work/offline$n/p1"
  compare "$url" "$n" offline
  offline[n]=$verdict
  stop
done

say "restored online, into the running node B"
start b "$work/b/p"
b=$url
for n in 1 2 3; do
  answer=$(admin "$b" "mutation { restore(input: {location: \"$work/backups\", backupNum: $n, encryptionKeyFile: \"$work/key\"}) { code message restoreId } }")
  id=$(sed 's/.*"restoreId":\([0-9]*\).*/\1/' <<<"$answer")
  for _ in $(seq 1200); do
    status=$(admin "$b" "query { restoreStatus(restoreId: $id) { status errors } }")
    case $status in
      *'"OK"'*) break ;;
      *'"ERR"'*) fail "restore $n: $status" ;;
    esac
    sleep 0.05
  done
  compare "$b" "$n" online
  online[n]=$verdict
done

say "the outcome"
megabytes() { printf '%d.%02d MB' $(($1 / 1000000)) $(($1 % 1000000 / 10000)); }
printf '%-6s  %-11s  %7s  %10s  %10s  %8s  %10s  %-16s  %s\n' \
  backup kind read_ts stored raw time rate 'restored offline' 'restored online'
while IFS=$'\t' read -r n kind read_ts stored raw _; do
  micros=${took[n]}
  printf '%-6s  %-11s  %7s  %10s  %10s  %8s  %10s  %-16s  %s\n' "$n" "$kind" "$read_ts" "$(megabytes "$stored")" \
    "$(megabytes "$raw")" "$((micros / 1000000)).$(printf %02d $((micros % 1000000 / 10000))) s" \
    "$((raw / (micros > 0 ? micros : 1))) MB/s" "${offline[n]}" "${online[n]}"
done < <("$graphdb" lsbackup -l "$work/backups" --output tsv)
echo "${#questions[@]} questions at each read_ts; the backups are encrypted with AES-256."

[ "$different" -eq 0 ] || fail "a restored node answers differently from the node that was backed up"
