#!/usr/bin/env bash
# Times nervio against other engines: benches/peers/run.sh [--model NAME=DIR]... [--shapes 1x16,8x128]
# [--threads N] [--rounds N] [--engines nervio,int8] [--out DIR]
# Without --model it makes a model of BETO's size from a seed. Installs what it needs into .venv here
# and builds the engines in rust/ for this processor.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cd "$here/../.."

if [ ! -x "$here/.venv/bin/python" ]; then
    python3 -m venv "$here/.venv"
    "$here/.venv/bin/pip" install --quiet --requirement "$here/requirements.txt"
fi
cargo build --release --quiet -p nervio-cli -p nervio-weights-tools
# If they do not build, the others are timed without them.
RUSTFLAGS="-C target-cpu=native" cargo build --release --quiet --locked \
    --manifest-path "$here/rust/Cargo.toml" --target-dir "$here/rust/target" ||
    rm -f "$here/rust/target/release/nervio-peers"
target="${CARGO_TARGET_DIR:-target}/release"

model=()
if [[ " $* " != *" --model "* ]]; then
    folder="$(mktemp -d)"
    trap 'rm -rf "$folder"' EXIT
    "$target/nervio-weights" synth --shape beto "$folder/beto"
    model=(--model "beto=$folder/beto")
fi
"$here/.venv/bin/python" "$here/peers.py" --nervio "$target/nervio" "${model[@]}" "$@"
