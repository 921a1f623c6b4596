# Shorthands. Nothing depends on them: CI runs tests/run.

# A room that plays, with songs made on the spot
demo *args:
  cargo run --release -- demo {{args}}

# Format, lint
lint:
  cargo fmt
  cargo clippy --workspace --all-targets -- -D warnings

# The Rust tests only
test *args:
  cargo test --workspace {{args}}

# Everything that CI runs
all:
  tests/run

# Speed against its yardsticks: recommend, votes or all
bench which="all":
  tests/bench/run {{which}}
