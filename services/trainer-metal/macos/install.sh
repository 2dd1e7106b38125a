#!/bin/sh
# Lets launchd keep trainer-metal running for this user: install.sh [remove]. Needs no administrator.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
label=org.cbi.trainer-metal
agent="$HOME/Library/LaunchAgents/$label.plist"
settings="$HOME/.config/cbi/metal.env"
launchctl=${LAUNCHCTL:-launchctl}
domain="gui/$(id -u)"

if [ "${1:-}" = remove ]; then
  "$launchctl" bootout "$domain/$label" 2>/dev/null || true
  rm -f "$agent"
  echo "removed; settings ($settings), lake and logs are kept"
  exit 0
fi

mkdir -p "$HOME/Library/LaunchAgents" "$HOME/Library/Logs" "$(dirname "$settings")"
if [ ! -f "$settings" ]; then
  (umask 077 && cat >"$settings" <<'SETTINGS'
# Where the stack's bus and lake are; nobody but you can read this file.
#CBI_NATS_URL=nats://127.0.0.1:4222
#CBI_NATS_USER=trainer-metal
#CBI_NATS_PASSWORD=
#CBI_LAKE=
# Where a fit that is cut off leaves how far it was, for example a folder on an external disk; by default beside the lake.
#CBI_CHECKPOINTS=
SETTINGS
  )
  echo "first fill in $settings, then run make metal again" >&2
  exit 2
fi
if ! grep -q '^CBI_NATS_URL=.' "$settings"; then
  echo "$settings has no CBI_NATS_URL: say where the bus is, then run make metal again" >&2
  exit 2
fi
sed -e "s|@ROOT@|$root|g" -e "s|@HOME@|$HOME|g" "$here/$label.plist" >"$agent"
"$launchctl" bootout "$domain/$label" 2>/dev/null || true
"$launchctl" bootstrap "$domain" "$agent"
echo "trainer-metal runs, now and after every login; what it says: $HOME/Library/Logs/cbi-trainer-metal.log"
