# The same words locally and in continuous integration.

# List what there is.
default:
    @just --list

# Compile everything, quickly.
check:
    cargo check --workspace --all-targets

# Run the tests; with nextest when it is there.
test *ARGS:
    if command -v cargo-nextest >/dev/null; then cargo nextest run --workspace {{ARGS}}; else cargo test --workspace {{ARGS}}; fi

# Formatting, lints, floors.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    ./scripts/floors

# Everything continuous integration runs.
ci:
    ./test

# A simulated market with everything on.
run *ARGS:
    cargo run --release -- demo {{ARGS}}

# All benchmarks, each beside its reference in the same run.
bench *ARGS:
    ./scripts/bench {{ARGS}}

# Throw bytes at a parser of vendors' answers, for SECONDS; the targets stand in fuzz/fuzz_targets.
fuzz TARGET SECONDS="600":
    mkdir -p target/fuzz/{{TARGET}}
    cargo +nightly fuzz run {{TARGET}} target/fuzz/{{TARGET}} fuzz/corpus/{{TARGET}} -- -max_total_time={{SECONDS}} -max_len=8192 -timeout=10 -rss_limit_mb=2048
