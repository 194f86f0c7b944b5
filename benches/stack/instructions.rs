//! Serves requests for callgrind to count the instructions of: see `benches/instructions.sh`. Apart from the times, because a
//! counting allocator is not free.

#![expect(clippy::unwrap_used, reason = "whatever goes wrong here is to be seen")]

#[path = "rows.rs"]
mod rows;

use std::{env, mem};

use self::rows::{request, rows};

/// For callgrind: always makes `made` requests, and serves the first `served` of them.
///
/// Two runs that differ in `served` alone differ by what serving costs, and by nothing else.
fn serve_some(name: &str, made: usize, served: usize) {
    let mut row = rows().into_iter().find(|row| row.name == name).unwrap();
    let mut requests = (0..made).map(|_| request()).collect::<Vec<_>>().into_iter();
    let statuses = requests.by_ref().take(served).map(|request| row.serve(request));
    assert_eq!(statuses.last(), Some(row.status), "{name}");
    // Dropping those not served would be a difference too.
    mem::forget(requests);
}

fn main() {
    // Cargo adds a `--bench`.
    let arguments: Vec<_> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["rows"] => rows().iter().for_each(|row| println!("{}", row.name)),
        ["serve", row, made, served] => serve_some(row, made.parse().unwrap(), served.parse().unwrap()),
        // `cargo bench` without a name runs it too.
        _ => println!("for benches/instructions.sh"),
    }
}
