# Everything that must hold before a commit lands: the very script that CI runs
check:
    .ci/run

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

# Long runs whose figures are worth keeping: measurements, 10,000 requests to a registry that fails, an hour of fuzzing
campaign: embed
    bench/run --rounds 25 --save bench/results/$(date +%F).json
    scripts/failing-registry 10000 bench/results/$(date +%F)-failing-registry.json
    scripts/fuzz 330
