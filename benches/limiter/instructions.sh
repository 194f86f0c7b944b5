#!/usr/bin/env bash
# Net instructions per check, without the clock: counted by callgrind in a loop of 100,000 checks, less those of an empty loop.
# Usage: benches/limiter/instructions.sh [keys]
set -euo pipefail
cd "$(dirname "$0")/../.."

keys=${1:-1000}
bench=$(cargo bench --bench limiter --no-run 2>&1 | tee /dev/stderr | sed -n 's/.*Executable.*(\(.*\))$/\1/p')

collected() { # kind: instructions in 100,000 checks
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='*counted_loop*' \
        "$bench" instructions "$1" "$keys" 100000 2>&1 | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

empty=$(collected loop)
for kind in hash floor allowed denied allowed+hash denied+hash governor governor-denied governor/bare governor/table; do
    hundredths=$((($(collected "$kind") - empty) / 1000))
    printf '%-16s%5d.%02d\n' "$kind" $((hundredths / 100)) $((hundredths % 100))
done
