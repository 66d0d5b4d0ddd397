#!/bin/sh
# The transfers of this folder with psql, eight at once, each with every eighth line. Prints how
# many were accepted and rejected, and the balances. PGHOST, PGDATABASE, … or their defaults name
# the database.
set -eu
cd "$(dirname "$0")"
workers=8
outcomes=$(mktemp -d)
trap 'rm -rf "$outcomes"' EXIT

run() {
    psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}

run -f open.sql
pids=
worker=0
while [ "$worker" -lt "$workers" ]; do
    run -v workers="$workers" -v worker="$worker" -f transfers.sql >"$outcomes/$worker" &
    pids="$pids $!"
    worker=$((worker + 1))
done
for pid in $pids; do
    wait "$pid"
done
cat "$outcomes"/* | LC_ALL=C sort | uniq -c | awk '{ print $2, $1 }'
run -F ' ' -c 'TABLE bank.balances'
