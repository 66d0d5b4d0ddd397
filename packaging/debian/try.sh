#!/bin/sh
# Two packages in a Debian that has nothing but apt: from the installation of the first one to an append,
# the upgrade to the second one, the way back, and the removal. Runs as root in a folder of its own (chroot)
# with both packages as arguments, and with fill.sql and go_on.sql beside it.
set -eu
cd "${0%/*}"
old=$1
new=$2
major=$(expr "$old" : '.*postgresql-\([0-9]*\)-eventcore')
old_version=$(dpkg-deb --field "$old" Version | sed 's/-[^-]*$//')
new_version=$(dpkg-deb --field "$new" Version | sed 's/-[^-]*$//')
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

step() { printf '\n==> %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*"; exit 1; }

apt() {
    apt-get -y -qq "$@" > /tmp/apt.log 2>&1 || { cat /tmp/apt.log; exit 1; }
    grep --after-context=2 '^eventcore: ' /tmp/apt.log || true
}
install() { apt install --allow-downgrades --no-install-recommends "$1"; }
cluster() { pg_ctlcluster "$major" main "$@"; }

# Runs statements from standard input in a database.
sql() { su postgres -c "psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname=$1"; }
# A query returns exactly this in a database.
returns() {
    answer=$(printf '%s\n' "$3" | sql "$2") || fail "$3"
    [ "$answer" = "$1" ] || fail "$3: returned '$answer' instead of '$1'"
}
# A statement fails in a database with SE009 for this reason.
refused() {
    answer=$(printf '\\set VERBOSITY verbose\n%s\n' "$3" | sql "$2" 2>&1) && fail "not refused: $3"
    case $answer in
        *SE009*'"reason":"'"$1"'"'*) echo "refused with SE009, $1: $3" ;;
        *) fail "$3: $answer" ;;
    esac
}
# The versions of the objects in both databases, and of the loaded library.
versions() {
    for database in postgres books; do
        returns "$1|$2" "$database" "SELECT extension, library FROM eventcore_version()"
    done
    echo "objects $1, library $2"
}
events="SELECT count(*) || ' ' || md5(string_agg(e::text, ',' ORDER BY position)) FROM eventcore.events e"
findings="SELECT * FROM eventcore_check(thorough => true)"
pay="SELECT pay('account-3', 2)"
# Appends, a poll, a command and a projection work in a database in the middle of its work.
works() {
    returns "$(printf '\n1')" books "$pay; SELECT count(*) FROM eventcore_execute('pay', '{\"account\": \"account-2\", \"amount\": 1}')"
    returns 3 books "SELECT consume('all')"
    echo "CALL eventcore_wait_for_projection('ledger', timeout => '30 s')" | sql books > /dev/null
    echo "append, execute, poll and project: done"
}

# No cluster but the one that is created below, and no start at the installation.
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d

step "install $old"
began=$(date +%s)
apt-get update -qq
install "$old"

step "a cluster with the library"
pg_createcluster "$major" main > /dev/null
pg_conftool "$major" main set shared_preload_libraries eventcore
trap 'cluster stop --mode immediate 2> /dev/null || true' EXIT
cluster start

step "what PostgreSQL offers"
echo "SELECT name, version, installed FROM pg_available_extension_versions WHERE name = 'eventcore' ORDER BY version" | sql postgres

step "the first append"
echo "
CREATE EXTENSION eventcore;
SELECT versions FROM eventcore_append('{first}', '{0}', '[{\"stream\": \"first\", \"type\": \"Installed\", \"payload\": {}}]');
SELECT stream_id, version, event_type FROM eventcore_read_all(0);
CREATE DATABASE books;
" | sql postgres
echo "$(($(date +%s) - began)) s after the begin of the installation"
returns "" postgres "$findings"

step "a database in the middle of its work"
(echo "CREATE EXTENSION eventcore;"; cat fill.sql) | sql books > /dev/null
works
returns "" books "$findings"
versions "$old_version" "$old_version"

step "install $new: the server still has the old library"
before=$(echo "$events" | sql books)
install "$new"
refused restart_needed books "ALTER EXTENSION eventcore UPDATE"
echo "CREATE DATABASE late" | sql postgres
refused restart_needed late "CREATE EXTENSION eventcore"
versions "$old_version" "$old_version"
returns "$before" books "$events"
works

step "restart: the new library serves the old objects"
cluster restart
versions "$old_version" "$new_version"
works

step "the old package again, before the update of the objects"
install "$old"
cluster restart
versions "$old_version" "$old_version"
works
returns "" books "$findings"

step "the new package again, and the update of the objects"
install "$new"
cluster restart
before=$(echo "$events" | sql books)
for database in postgres books; do
    echo "ALTER EXTENSION eventcore UPDATE" | sql "$database"
    returns "" "$database" "$findings"
done
versions "$new_version" "$new_version"
returns "$before" books "$events"
returns "$new_version" books "SELECT eventcore.made_up()"
works

step "the old package again: its library does not serve the new objects"
install "$old"
# The server has the new library until it restarts.
works
cluster restart
before=$(echo "$events" | sql books)
refused restart_needed books "$pay"
refused restart_needed books "SELECT * FROM eventcore_read_all(0)"
returns "$before" books "$events"
install "$new"
cluster restart
versions "$new_version" "$new_version"
works

step "what was under way goes on: no event is skipped, none is delivered twice"
given=$(echo "SELECT max(position) FROM eventcore.events" | sql books)
mistakes=$( (echo "\\set given $given"; cat go_on.sql) | sql books)
[ -z "$mistakes" ] || fail "$mistakes"
returns "" books "$findings"

step "purge"
before=$(echo "$events" | sql books)
apt purge "postgresql-$major-eventcore"
left=$(find /usr -path '*eventcore*' -not -path '/usr/share/doc/*' | head)
[ -z "$left" ] || fail "left behind: $left"
# The server keeps the library that it has loaded, and the cluster keeps its data.
returns "$before" books "$events"
cluster stop
install "$new"
cluster start
returns "$before" books "$events"
returns "" books "$findings"
echo "the events are in place: $before"
cluster stop
trap - EXIT
