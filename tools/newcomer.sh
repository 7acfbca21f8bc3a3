#!/usr/bin/env bash
# What somebody does who has just found this: clones it into an empty folder, types the commands of
# the README, and has a script of theirs signed in. Says how long each step took. Ports and data are
# of its own; what it has started it ends. What is not committed is not in the clone.
set -euo pipefail
export LC_ALL=C
here="$(cd "$(dirname "$0")/.." && pwd)"
folder="$(mktemp -d "${TMPDIR:-/tmp}/perptape-newcomer.XXXXXX")"
chmod 755 "$folder"
clone="$folder/perptape"
log="$folder/run.log"
pid=

finish() {
  code=$?
  [ -z "$pid" ] || { make -s -C "$clone" stop 2>/dev/null || kill "$pid"; wait "$pid" || true; } 2>/dev/null
  if [ "$code" = 0 ]; then rm -rf "$folder"; else
    [ ! -f "$log" ] || tail -30 "$log" >&2
    echo "newcomer: FAILED; what it did is in $folder" >&2
  fi
  exit "$code"
}
trap finish EXIT

step() { printf 'newcomer: %-28s %5.1f s\n' "$1" "$(awk "BEGIN{print $EPOCHREALTIME - $2}")"; }
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

unset "${!PERP_@}" REDIS_URL DATABASE_URL MAKEFLAGS MAKELEVEL
export PERP_DATA_DIR="$folder/data" PERP_HTTP_PORT PERP_METRICS_PORT
PERP_HTTP_PORT="$(free_port)"
PERP_METRICS_PORT="$(free_port)"

# The two lines the README promises; with the port of this run.
url=http://127.0.0.1:8000
example=".venv/bin/python examples/python/watch.py $url"
for line in 'make run      #' "$example"; do
  grep -qF -- "$line" "$here/README.md" || { echo "newcomer: the README lacks: $line" >&2; exit 1; }
done

began=$EPOCHREALTIME
git clone --quiet --no-hardlinks "file://$here" "$clone"
step 'git clone' "$began"

run=$EPOCHREALTIME
cd "$clone"
make -s run >"$log" 2>&1 &
pid=$!
until grep -q '^ready http' "$log"; do
  kill -0 "$pid" 2>/dev/null || { echo 'newcomer: make run has ended' >&2; exit 1; }
  [ $((SECONDS)) -lt 240 ] || { echo 'newcomer: not ready after 240 s' >&2; exit 1; }
  sleep 0.1
done
step 'make run, until ready' "$run"

script=$EPOCHREALTIME
# Prices of the venues may still be on their way.
until ${example/$url/http:\/\/127.0.0.1:$PERP_HTTP_PORT} >"$folder/watch.log" 2>&1; do
  grep -qE 'QUOTE_STALE|FEED_UNAVAILABLE|UNKNOWN_MARKET' "$folder/watch.log" ||
    { cat "$folder/watch.log" >&2; exit 1; }
  [ $((SECONDS)) -lt 240 ] || { cat "$folder/watch.log" >&2; exit 1; }
  sleep 0.2
done
grep -q '^signed in as 0x' "$folder/watch.log"
step 'signed in, five updates' "$script"
secrets="$(tr ',' '\n' <"$PERP_DATA_DIR/auth-keys" | cut -d: -f2; cat "$PERP_DATA_DIR/postgres/password" 2>/dev/null || true)"
for secret in $secrets; do
  ! grep -rqF -- "$secret" "$PERP_DATA_DIR/logs" "$log" || { echo 'newcomer: a secret is in the logs' >&2; exit 1; }
done
step 'all of it' "$began"
