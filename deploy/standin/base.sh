#!/usr/bin/env bash
# Makes the image that the Dockerfile's BASE names from Debian's own packages, where no image registry can be reached.
set -euo pipefail
name="${1:-python:3.11-slim-bookworm}"
docker image inspect "$name" >/dev/null 2>&1 && exit 0
root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates,libgomp1 bookworm "$root" >/dev/null
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc "$root"/usr/share/locale "$root"/usr/share/man
changes=(--change 'CMD ["python3"]' --change 'LABEL cbi.standin=yes')
# A machine behind a proxy of its own trusts more authorities than Debian does, and may read packages from a folder.
if [[ -f /etc/ssl/certs/ca-certificates.crt ]]; then
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  for variable in PIP_CERT SSL_CERT_FILE REQUESTS_CA_BUNDLE; do
    changes+=(--change "ENV $variable=/etc/ssl/certs/ca-certificates.crt")
  done
fi
tar -C "$root" -c . | docker import "${changes[@]}" - "$name" >/dev/null
