#!/usr/bin/env bash
# Builds every image that compose.yaml names, and sees to those of others. DOCKER names the client to build with.
set -euo pipefail
cd "$(dirname "$0")/.."
# A client builds with BuildKit by itself until version 22, and with its plug-in from then on.
builds() {
  command -v "$1" >/dev/null && { "$1" buildx version >/dev/null 2>&1 || [[ "$("$1" version --format '{{.Client.Version}}')" =~ ^(19|2[0-2])\. ]]; }
}
docker="${DOCKER:-}"
for one in docker /usr/bin/docker; do
  [[ -n "$docker" ]] || ! builds "$one" || docker="$one"
done
[[ -n "$docker" ]] || { echo "images: no Docker client here knows BuildKit; install docker-buildx, or set DOCKER" >&2; exit 1; }
python="${PYTHON:-.venv/bin/python}"

DOCKER="$docker" deploy/standin/images.sh

# One line per image: its name and the arguments of its build, from the file that `docker compose build` reads.
ours="$("$python" - <<'EOF'
import shlex
import yaml

with open("compose.yaml", encoding="utf-8") as file:
    services = yaml.safe_load(file)["services"].values()
built = {s["image"]: s["build"]["args"] for s in services if "build" in s}
for image, arguments in sorted(built.items(), key=lambda item: "KIND" not in item[1]):
    print(image, *(shlex.quote(f"--build-arg={name}={value}") for name, value in arguments.items()))
EOF
)"

build() {
  local image="$1"
  shift
  local began=$SECONDS
  DOCKER_BUILDKIT=1 "$docker" build --quiet --network host --tag "$image" "$@" . >/dev/null
  echo "images: $image, $((SECONDS - began)) s" >&2
}
export -f build
export docker

began=$SECONDS
# The first one makes what all share; the large one need not wait for it.
xargs -d '\n' -P 2 -I{} bash -euo pipefail -c 'build {}' <<<"$ours"
echo "images: all built in $((SECONDS - began)) s" >&2
