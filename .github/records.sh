#!/usr/bin/env bash
# What conductor keeps of an environment outside its stacks, carried from one CI machine to the next.
#   records.sh fetch ENV | store ENV | list 'PATTERN'     (needs STATE_BUCKET=gs://BUCKET)
set -euo pipefail
place="${STATE_BUCKET:?names no bucket}/conductor-records"
case "$1" in
  fetch)
    mkdir -p ".conductor/$2" environments
    mkdir -p .records
    # A new environment has none yet.
    for pair in "$place/$2 .conductor/$2" "$place/stacks/$2 environments"; do
      read -r from to <<<"$pair"
      if gcloud storage objects list "$from/**" --format 'value(name)' --limit 1 | grep -q .; then
        gcloud storage rsync --recursive "$from" "$to"
      fi
    done
    touch ".records/$2.fetched"
    ;;
  store)
    # Storing deletes what is not here: never after a fetch that failed.
    [ -e ".records/$2.fetched" ] || { echo "records.sh: $2 was not fetched" >&2; exit 3; }
    gcloud storage rsync --recursive --delete-unmatched-destination-objects \
      --exclude '^(lock|pulumi-home/.*|contexts/.*|plans/.*)$' ".conductor/$2" "$place/$2"
    rm -rf ".records/$2"
    mkdir -p ".records/$2"
    find environments -name "Pulumi.$2.*.yaml" -exec cp {} ".records/$2" \;
    gcloud storage rsync --recursive --delete-unmatched-destination-objects \
      ".records/$2" "$place/stacks/$2"
    ;;
  list)
    { gcloud storage ls "$place/$2/environment.json" 2>/dev/null || true; } |
      sed -E 's,.*/([^/]+)/environment.json$,"\1",' | paste -sd , - | sed 's/.*/[&]/'
    ;;
  *)
    echo "records.sh: fetch, store or list, not $1" >&2
    exit 2
    ;;
esac
