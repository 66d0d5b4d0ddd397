#!/bin/sh
# Runs once, when the image creates its cluster: the extension in the database that was asked for, and in
# template1, so that databases created later have it too.
set -eu
for database in template1 "$POSTGRES_DB"; do
    psql --no-psqlrc --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$database" \
        --command='CREATE EXTENSION IF NOT EXISTS eventcore'
done
