#!/usr/bin/env bash
# `docker compose` of either generation on the stack, without Grafana where its image can be neither found nor pulled.
set -euo pipefail
cd "$(dirname "$0")/.."
if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
if [[ "${1:-}" != up ]]; then
  exec "${compose[@]}" "$@"
fi
shift
services=()
while read -r service; do
  [[ $service == cli ]] && continue # of profile tools; compose 1.29 lists it all the same
  [[ $service == grafana ]] && ! docker image inspect "$(sed -n 's/^    image: \(grafana.*\)/\1/p' compose.yaml)" >/dev/null 2>&1 && continue
  services+=("$service")
done < <("${compose[@]}" config --services)
exec "${compose[@]}" up --detach "$@" "${services[@]}"
