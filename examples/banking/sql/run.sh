#!/bin/sh
# The transfers of this folder by psql: eight of them at once, each with every eighth line. Then how many were
# accepted and rejected, and the balances. Which database, psql is told by PGHOST, PGDATABASE, … or its defaults.
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
