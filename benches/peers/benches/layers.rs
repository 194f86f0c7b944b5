//! CPU time per request, layer against layer, by turns in one process. For a profiler, one row alone, by its number:
//! `cargo bench --manifest-path benches/peers/Cargo.toml --bench layers -- allowed 1`.

use axum::{body::Body, http::Request};
use cpu_time::ThreadTime;
use palisade_peers::{Row, requests, rows};

const ROUNDS: usize = 61;
const BATCH: u32 = 2000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match &args[..] {
        [] => compare(),
        [what, row] => alone(what == "allowed", row.parse().unwrap(), 1),
        [what, row, batches] => alone(what == "allowed", row.parse().unwrap(), batches.parse().unwrap()),
        _ => panic!("nothing, or `allowed` or `denied`, a row's number, and how many batches"),
    }
}

fn alone(allowed: bool, row: usize, batches: u32) {
    let mut row = rows(allowed).swap_remove(row);
    row.warm_up();
    for _ in 0..batches {
        served(&mut row, requests(BATCH), allowed);
    }
}

fn compare() {
    println!("\nCPU time per request, beyond the bare router's: the median of {ROUNDS} rounds of {BATCH} requests");
    for (what, allowed) in [("allowed", true), ("denied", false)] {
        let mut rows = rows(allowed);
        rows.iter_mut().for_each(Row::warm_up);
        let mut times = vec![Vec::new(); rows.len()];
        for _ in 0..ROUNDS {
            for (row, times) in rows.iter_mut().zip(&mut times) {
                times.push(nanos_per_request(row, allowed));
            }
        }
        let times: Vec<f64> = times.into_iter().map(median).collect();
        println!("{what}: bare router {:.0} ns", times[0]);
        for (row, time) in rows.iter().zip(&times).skip(1) {
            println!("    {:<32}{:>+8.0} ns", row.name, time - times[0]);
        }
        for (pair, headers) in [(1, "without"), (3, "with")] {
            let ratio = (times[pair + 1] - times[0]) / (times[pair] - times[0]);
            println!("    tower_governor / palisade, {headers} X-RateLimit: {ratio:.2}");
        }
    }
}

fn nanos_per_request(row: &mut Row, allowed: bool) -> f64 {
    let requests = requests(BATCH);
    let start = ThreadTime::now();
    served(row, requests, allowed);
    start.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH)
}

#[inline(never)]
fn served(row: &mut Row, requests: Vec<Request<Body>>, allowed: bool) {
    for request in requests {
        let status = row.serve(request);
        row.check(allowed, status);
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
