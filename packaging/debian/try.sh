#!/bin/sh
# A package in a Debian that has nothing but apt: from the installation to the first append, and its
# removal. Runs as root in a folder of its own (chroot), with the package as its argument.
set -eu
package=$1
major=$(expr "$package" : '.*postgresql-\([0-9]*\)-eventcore')
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

step() { printf '\n==> %s\n' "$*"; }
sql() { su postgres -c "psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1" ; }

# No cluster but the one that is created below, and no start at the installation.
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d

step "install $package"
apt-get update -qq
apt-get install -y -qq --no-install-recommends "$package" > /tmp/install.log 2>&1 || { cat /tmp/install.log; exit 1; }
grep --after-context=2 '^eventcore: ' /tmp/install.log

step "a cluster with the library"
pg_createcluster "$major" main > /dev/null
pg_conftool "$major" main set shared_preload_libraries eventcore
trap 'pg_ctlcluster "$major" main stop --mode immediate 2> /dev/null || true' EXIT
pg_ctlcluster "$major" main start

step "what PostgreSQL offers"
echo "SELECT name, version, installed FROM pg_available_extension_versions WHERE name = 'eventcore'" | sql

step "the first append"
echo "
CREATE EXTENSION eventcore;
SELECT versions FROM eventcore_append('{first}', '{0}', '[{\"stream\": \"first\", \"type\": \"Installed\", \"payload\": {}}]');
SELECT stream_id, version, event_type FROM eventcore_read_all(0);
SELECT count(*) || ' findings' FROM eventcore_check();
" | sql

step "purge"
apt-get purge -y -qq "postgresql-$major-eventcore" > /tmp/purge.log 2>&1 || { cat /tmp/purge.log; exit 1; }
left=$(find /usr -path '*eventcore*' -not -path '/usr/share/doc/*' | head)
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
# The server keeps the library that it has loaded.
echo "SELECT count(*) || ' event is still there' FROM eventcore.events" | sql
pg_ctlcluster "$major" main stop
trap - EXIT
