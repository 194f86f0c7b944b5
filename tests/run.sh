#!/usr/bin/env bash
# The one test command. Installs what it needs when it is missing; the same on a bare Rust machine and in CI.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

for component in rustfmt clippy; do
    cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$component"
done

say "format"
cargo fmt --all --check

say "the stated Rust version is one that every dependency allows"
# clippy::incompatible_msrv watches our own code; this watches what it stands on.
stated=$(sed -n 's/^rust-version = "\(.*\)"/\1.0/p' Cargo.toml)
needed=$(cargo tree --locked --edges normal --prefix none --format '{p}' | sort -u | while read -r name version _; do
    manifest="${CARGO_HOME:-$HOME/.cargo}/registry/src"/*/"$name-${version#v}/Cargo.toml"
    # shellcheck disable=SC2086
    sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' $manifest 2>/dev/null || true
done | sort -V | tail -n 1)
if [ "$(printf '%s\n%s\n' "$stated" "$needed" | sort -V | tail -n 1)" != "$stated" ]; then
    echo "Cargo.toml states Rust $stated, but a dependency needs $needed"
    exit 1
fi
echo "stated $stated, needed by dependencies $needed"

say "lints"
cargo clippy --locked --all-targets --all-features -- -D warnings

say "each feature alone"
features=$(sed -n '/^\[features\]/,/^\[/s/^\([a-z0-9_-]*\) *=.*/\1/p' Cargo.toml)
cargo check --locked --no-default-features
for feature in $features; do
    cargo check --locked --no-default-features --features "$feature"
done

say "docs"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --all-features

say "doctests, the README's among them"
cargo test --locked --doc --all-features

say "tests"
# The tests start the examples.
cargo build --locked --examples --all-features
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --all-features --no-fail-fast
else
    cargo test --locked --all-features --lib --test integration --no-fail-fast
fi

say "clients that are not ours read the headers"
client=tests/clients/ratelimit-headers
if ! command -v npm >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends nodejs npm
fi
if command -v npm >/dev/null; then
    if ! [ "$client/node_modules/.package-lock.json" -nt "$client/package-lock.json" ]; then
        npm --prefix "$client" ci --ignore-scripts --no-audit --no-fund
    fi
    target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
    # The forms were written down by the test `header_forms`.
    PALISADE_HEADER_FORMS=$target/tmp/header-forms.json PALISADE_SHOWCASE=$target/debug/examples/showcase \
        npm --prefix "$client" test
else
    echo "SKIPPED: there is no npm, and this user cannot install it. Node.js with npm runs $client."
fi

say "a real Prometheus scrapes the showcase"
if ! command -v promtool >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus
fi
if command -v promtool >/dev/null && command -v prometheus >/dev/null; then
    cargo test --locked --all-features --test integration prometheus_says -- --ignored --nocapture
else
    echo "SKIPPED: there is no Prometheus, and this user cannot install it. Debian's package prometheus has all of it."
fi

say "a real server of Sentry's protocol takes the example's events"
target=${CARGO_TARGET_DIR:-target}
bugsink=$target/bugsink
# It names its own path: moved, it is none.
if ! "$bugsink/bin/gunicorn" --version >/dev/null 2>&1; then
    rm -rf "$bugsink"
    if ! python3 -c 'import ensurepip' 2>/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv
    fi
    # Half an environment would be taken for a whole one.
    { python3 -m venv "$bugsink" && "$bugsink/bin/pip" install --quiet 'bugsink==2.*'; } || rm -rf "$bugsink"
fi
if "$bugsink/bin/gunicorn" --version >/dev/null 2>&1; then
    PALISADE_BUGSINK=$(cd "$bugsink/bin" && pwd) \
        cargo test --locked --all-features --test integration bugsink_is -- --ignored --nocapture
else
    echo "SKIPPED: there is no bugsink, and it cannot be installed here. Python 3 with venv and pip installs it from PyPI."
fi

say "the model of the limiter's table"
# A cfg of our own: to `--cfg loom` tokio answers by having no network. A target of its own: the cfg rebuilds everything.
model=$(RUSTFLAGS="--cfg palisade_loom" cargo test --locked --release --lib --target-dir "${CARGO_TARGET_DIR:-target}/loom" loom_tests)
echo "$model"
if ! grep -q '^test result: ok. [1-9]' <<<"$model"; then
    echo "the model has no tests: is table/loom_tests.rs still wired in?"
    exit 1
fi
