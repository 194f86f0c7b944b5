#!/usr/bin/env bash
# Instructions per request, counted by valgrind: of the bare router, the whole stack and each layer alone, or of the rows named.
set -euo pipefail
cd "$(dirname "$0")/.."

bench=$(cargo bench --bench instructions --no-run 2>&1 | tee /dev/stderr | sed -n 's/.*Executable.*(\(.*\))$/\1/p')

# Start-up and the making of requests are the same in a short and a long run; the difference is the requests served.
few=100 many=1100

collected() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench" serve "$1" "$many" "$2" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

per_request() {
    echo $((($(collected "$1" "$many") - $(collected "$1" "$few")) / (many - few)))
}

bare=$(per_request bare)
if [ $# -eq 0 ]; then
    mapfile -t rows < <("$bench" rows)
    set -- "${rows[@]}"
fi
printf '%-18s%14s%10s\n' '' instructions 'to bare'
for row in "$@"; do
    count=$(per_request "$row")
    printf '%-18s%14d%+10d\n' "$row" "$count" $((count - bare))
done
