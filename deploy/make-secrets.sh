#!/bin/sh
# Makes the secrets that compose.yaml names, in secrets/ beside it, for the user who runs it. What is there stays.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
cd secrets

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

if [ -e chat.env ]; then
  echo "there are secrets in $PWD already: nothing was changed" >&2
  exit 1
fi
postgres=$(random)
redis=$(random)
random >cluster-secret
printf '%s' "$postgres" >postgres-password
# Nothing in Redis outlives its process, and the least used goes first when there is too much of it.
cat >redis.conf <<END
requirepass $redis
save ""
appendonly no
maxmemory 256mb
maxmemory-policy allkeys-lru
END
# The last one: whoever stops before it begins again. Both ways are inside one machine; over a network: sslmode=verify-full and rediss://.
cat >chat.env <<END
CHAT_STORE=postgres://chat:$postgres@postgres:5432/chat?sslmode=disable
CHAT_BUS=redis://default:$redis@redis:6379
END
echo "made: $PWD"
[ "$(id -u)" = 1000 ] || echo "the containers read them as CHAT_UID=$(id -u) CHAT_GID=$(id -g): put these into deploy/.env"
