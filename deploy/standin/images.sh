#!/usr/bin/env bash
# Sees to it that every image of others is here: pulled, or made as a stand-in under the same name where no registry answers.
set -euo pipefail
cd "$(dirname "$0")/../.."
docker="${DOCKER:-docker}"
here() { "$docker" image inspect "$1" >/dev/null 2>&1; }
pulled() { timeout "${PULL_PATIENCE_S:-300}" "$docker" pull --quiet "$1" >/dev/null 2>&1; }
image_of() { sed -n "/^  $1:/,/^    image:/s/^    image: //p" compose.yaml; }

base=python:3.11-slim-bookworm
registry=yes
if ! here "$base"; then
  # One question settles whether there is a registry at all.
  PULL_PATIENCE_S="${PROBE_PATIENCE_S:-60}" pulled "$base" || registry=no
  if [[ $registry == no ]]; then
    echo "images: no registry answers; $base is made of Debian's packages" >&2
    deploy/standin/base.sh "$base"
  fi
elif [[ -n "$("$docker" image inspect --format '{{index .Config.Labels "cbi.standin"}}' "$base")" ]]; then
  registry=no
fi

for service in nats prometheus alertmanager mlflow mail; do
  name="$(image_of "$service")"
  here "$name" && continue
  [[ $registry == yes ]] && pulled "$name" && continue
  echo "images: $name is a stand-in" >&2
  tar -c constraints.txt deploy/standin | DOCKER_BUILDKIT=1 "$docker" build --quiet --network host --target "$service" \
    --build-arg "BASE=$base" --label cbi.standin=yes --tag "$name" --file deploy/standin/Dockerfile - >/dev/null
done
grafana="$(image_of grafana)"
here "$grafana" || { [[ $registry == yes ]] && pulled "$grafana"; } || echo "images: no $grafana: Grafana has no stand-in" >&2
