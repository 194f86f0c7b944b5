#!/usr/bin/env bash
# Instructions per request of each row of a bench, counted by valgrind, and beyond the row named first.
# Usage: benches/peers/instructions.sh [observability|recorders]
set -euo pipefail
cd "$(dirname "$0")"

name=${1:-observability}
bench=$(cargo bench --bench "$name" --no-run 2>&1 | tee /dev/stderr | sed -n "s/.*Executable.*(\(.*\))$/\1/p")
case $bench in /*) ;; *) bench=./$bench ;; esac

# What is the same in a short and a long run drops out; what comes now and then, such as a block of samples, is spread.
few=100 many=10100

collected() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench" serve "$1" "$many" "$2" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

first=
for row in $("$bench" rows); do
    count=$((($(collected "$row" "$many") - $(collected "$row" "$few")) / (many - few)))
    first=${first:-$count}
    printf '%-28s%10d%+10d\n' "$row" "$count" $((count - first))
done
