#!/usr/bin/env bash
# All tests, in three parts. Whole programs with quotes of 100 ms share two cores here: what failed runs
# once more, alone, and has to pass then. The first failure stands in the output.
# Browser tests need a Chromium, those of several hosts an nginx; without them the rest runs and the
# last lines say so.
set -euo pipefail
cd "$(dirname "$0")/.."

CHROMIUM="${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}"
NGINX="${NGINX:-$(command -v nginx || command -v /usr/sbin/nginx || true)}"
export CHROMIUM NGINX

fast=()
for name in unit property conformance simulation protocol; do
  [ ! -d "tests/$name" ] || fast+=("tests/$name")
done
# These start the whole program or need both cores: one at a time.
whole=()
for name in supervisor execution chaos gateways load recording feed_process; do
  whole+=("tests/integration/test_$name.py")
done
nginx=tests/integration/test_nginx.py
servers=(tests/integration "--ignore=$nginx" "${whole[@]/#/--ignore=}")
[ -z "$NGINX" ] || whole+=("$nginx")
[ -z "$CHROMIUM" ] || whole+=(tests/e2e)

# Each part remembers its own failures: two run at once.
part() {
  local name=$1
  shift
  .venv/bin/pytest -o "cache_dir=.pytest_cache/$name" "$@"
}
again() {
  local name=$1
  shift
  echo 'AGAIN, ALONE: what failed above'
  part "$name" --last-failed --last-failed-no-failures none "$@"
}

# The fast ones take what the whole programs leave of the cores, which is more than half.
log="$(mktemp)"
nice -n 10 .venv/bin/pytest -o cache_dir=.pytest_cache/fast -n 2 "${fast[@]}" >"$log" 2>&1 &
beside=$!
trap 'kill "$beside" 2>/dev/null || true; rm -f "$log"' EXIT
part whole "${whole[@]}" || again whole "${whole[@]}"
wait "$beside" && code=0 || code=$?
cat "$log"
[ "$code" = 0 ] || again fast "${fast[@]}"

# These wait for more than they compute, so more than there are cores.
part servers -n 3 --dist loadfile "${servers[@]}" || again servers "${servers[@]}"

tools/newcomer.sh
[ -n "$NGINX" ] || echo 'NOT RUN: nginx (no nginx)'
[ -n "$CHROMIUM" ] || echo 'NOT RUN: e2e (no chromium)'
