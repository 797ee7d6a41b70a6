# Everything that has to hold before a change lands; the same as continuous integration
check:
    .ci/run

# The fast half of it
quick:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --quiet -- -D warnings
    cargo test

# The main job, on an authorization server on loopback
demo:
    cargo run --example demo

# The Debian package, built, tried and taken away again
package:
    .ci/package

# The tables of docs/performance.md
bench:
    cargo bench --profile dev --bench warm
