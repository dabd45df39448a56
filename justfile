# `just check` is what CI runs.

# Everything that must hold before a commit lands
check: embed
    cargo fmt --all --check
    cargo clippy --locked --workspace --all-targets -- --deny warnings
    RUSTDOCFLAGS="--deny warnings" cargo doc --locked --workspace --no-deps --document-private-items
    cargo deny --locked check --hide-inclusion-graph licenses bans sources
    ./test

# Builds launcher, lifecycle and buildpacks, which fnpack carries inside
embed:
    scripts/embed

# Measures; prints medians and ratios
bench *ARGS: embed
    bench/run {{ARGS}}

# A release: static binary, checksums, completions, man pages
dist: embed
    scripts/dist

# Fuzzes each reader of foreign bytes for SECONDS
fuzz SECONDS="60":
    scripts/fuzz {{SECONDS}}
