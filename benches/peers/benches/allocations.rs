//! Allocations per request, layer against layer, counted exactly.

use allocation_counter::measure;
use palisade_peers::{Row, requests, rows};

fn main() {
    println!("\nAllocations per request, beyond the bare router's");
    for (what, allowed) in [("allowed", true), ("denied", false)] {
        let mut bare = (0, 0);
        for (index, row) in rows(allowed).iter_mut().enumerate() {
            let (count, bytes) = allocations(row, allowed);
            if index == 0 {
                bare = (count, bytes);
                println!("{what}: bare router {count}, {bytes} bytes");
            } else {
                println!("    {:<32}{:>+8} {:>+8} bytes", row.name, count - bare.0, bytes - bare.1);
            }
        }
    }
}

fn allocations(row: &mut Row, allowed: bool) -> (i64, i64) {
    row.warm_up();
    let request = requests(1).remove(0);
    let mut status = None;
    let counted = measure(|| status = Some(row.serve(request)));
    row.check(allowed, status.unwrap_or_default());
    (counted.count_total.cast_signed(), counted.bytes_total.cast_signed())
}
