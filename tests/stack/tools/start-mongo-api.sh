#!/usr/bin/env bash
# start-mongo-api.sh FOLDER PORT: speak MongoDB's protocol on 127.0.0.1:PORT over data in FOLDER,
# in the foreground, until SIGTERM or SIGINT.
# Run as root, it runs PostgreSQL as `nobody`. With DURABLE=1 a kill -9 loses nothing; without it the tests are quick.
set -euo pipefail
TOOLS=$(dirname "$(realpath "$0")")
FOLDER=$(realpath -m "$1")
PORT=$2
MONGO_API=$("$TOOLS/get-mongo-api.sh")
PROGRAMS=$MONGO_API/usr/lib/postgresql/18/bin
as=()
mkdir -p "$FOLDER"
if [ "$(id -u)" = 0 ]; then
  as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
  chown nobody "$FOLDER"
fi
# The engine also connects to itself, so it needs a TCP port.
pg_port=$(python3 -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])")

if [ ! -f "$FOLDER/pg/PG_VERSION" ]; then
  "${as[@]}" "$PROGRAMS/initdb" -D "$FOLDER/pg" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$FOLDER/initdb.log" 2>&1
  "${as[@]}" tee -a "$FOLDER/pg/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
cron.host = '127.0.0.1'
max_connections = 300
shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb'
cron.database_name = 'postgres'
# Every two seconds these would connect and look for indexes to build; the gateway builds them at once.
cron.launch_active_jobs = off
documentdb.enableBackgroundWorker = off
CONF
fi

writes=(-c fsync=off -c synchronous_commit=off -c full_page_writes=off)
if [ -n "${DURABLE:-}" ]; then writes=(-c fsync=on -c synchronous_commit=on); fi
cd "$FOLDER"
"${as[@]}" "$PROGRAMS/postgres" -D "$FOLDER/pg" -c "port=$pg_port" -c unix_socket_directories= "${writes[@]}" >"$FOLDER/postgres.log" 2>&1 &
postgres=$!
gateway=
stop() { # EXIT-CODE
  trap - TERM INT EXIT
  if [ -n "$gateway" ]; then kill "$gateway" 2>/dev/null || true; fi
  kill -INT "$postgres" 2>/dev/null || true
  wait
  exit "$1"
}
trap 'stop 0' TERM INT
trap 'stop 1' EXIT

sql() { "$PROGRAMS/psql" -qX -h 127.0.0.1 -p "$pg_port" -U postgres -v ON_ERROR_STOP=1 "$@"; }
for _ in $(seq 100); do
  if sql -c 'select 1' >/dev/null 2>&1; then break; fi
  sleep 0.1
done
sql -c 'SET client_min_messages = error' -c 'CREATE EXTENSION IF NOT EXISTS documentdb CASCADE' >&2
PYTHONPATH=$(realpath "$TOOLS/../../..") "$MONGO_API/venv/bin/python" -m tests.stack.tools.mongo_gateway \
  "host=127.0.0.1 port=$pg_port user=postgres dbname=postgres" "$PORT" &
gateway=$!
wait "$gateway"
