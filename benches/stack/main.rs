//! What palisade costs: time and allocations per request of each layer alone and of the whole stack, beside a bare
//! axum router.
//!
//! `cargo bench --bench stack` prints the table; `benches/instructions.sh` counts instructions.

#![expect(clippy::unwrap_used, reason = "whatever goes wrong here is to be seen")]

mod rows;

use std::{fmt::Write as _, time::Instant};

use allocation_counter::measure;

use self::rows::{Row, request, rows};

/// Short enough that a round mostly fits between two interruptions, long enough for the clock.
const BATCH: usize = 100;
/// The median of so many rounds is the same from run to run, also on a busy machine.
const ROUNDS: usize = 1000;

fn main() {
    print!("{}", table(rows()));
}

fn table(mut rows: Vec<Row>) -> String {
    rows.iter_mut().for_each(Row::warm_up);
    let allocations: Vec<_> = rows.iter_mut().map(Row::allocations).collect();
    let mut times = vec![Vec::new(); rows.len()];
    for _ in 0..ROUNDS {
        for (row, times) in rows.iter_mut().zip(&mut times) {
            times.push(row.nanos_per_request());
        }
    }
    let medians: Vec<_> = times.into_iter().map(median).collect();
    let mut text = format!("{:<18}{:>10}{:>10}{:>14}{:>10}\n", "", "ns", "to bare", "allocations", "to bare");
    for ((row, nanos), count) in rows.iter().zip(&medians).zip(&allocations) {
        let (ratio, more) = (nanos / medians[0], count - allocations[0]);
        writeln!(text, "{:<18}{nanos:>10.0}{ratio:>9.2}x{count:>14}{more:>+10}", row.name).unwrap();
    }
    text
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

impl Row {
    fn warm_up(&mut self) {
        let statuses = (0..BATCH).map(|_| self.serve(request()));
        assert_eq!(statuses.last(), Some(self.status), "{}", self.name);
    }

    fn allocations(&mut self) -> u64 {
        let request = request();
        let counted = measure(|| {
            self.serve(request);
        });
        counted.count_total
    }

    fn nanos_per_request(&mut self) -> f64 {
        let requests: Vec<_> = (0..BATCH).map(|_| request()).collect();
        let start = Instant::now();
        let right = requests.into_iter().all(|request| self.serve(request) == self.status);
        let took = start.elapsed();
        assert!(right, "{}", self.name);
        took.as_secs_f64() * 1e9 / f64::from(u32::try_from(BATCH).unwrap())
    }
}
