//! What one check costs: `cargo bench --bench limiter [-- full [keys] [type] | flood]`,
//! and `benches/limiter/instructions.sh`.
//!
//! The contenders take turns in one process, round by round, each on the same keys. A number is the median over the
//! rounds, less that of an empty loop over the same keys. throttlecrab and the layers are in `benches/peers`.
#![expect(clippy::expect_used, reason = "a bench that cannot be set up has nothing to say")]

use std::{hint::black_box, net::IpAddr};

use palisade::rate_limit::engine::Rate;

use self::{
    contenders::{Arena, Timeless},
    keys::{Key, draw},
    timing::{median, time},
};

mod contenders;
mod flood;
mod keys;
mod timing;

const COLUMNS: [&str; 11] = [
    "empty",
    "floor",
    "governor",
    "table",
    "floor",
    "governor",
    "table",
    "gov/bare",
    "gov/table",
    "denied",
    "gov denied",
];

/// The checks of one round: each contender on the same keys in turn.
fn round<K: Key>(arena: &Arena<K>, keys: &[K], threads: usize) -> [f64; COLUMNS.len()] {
    [
        time(keys, threads, true, |_| true),
        time(keys, threads, true, |key| arena.floor(key)),
        time(keys, threads, true, |key| arena.governor_std(key)),
        time(keys, threads, true, |key| arena.table(key)),
        time(keys, threads, true, |key| arena.floor_quanta(key)),
        time(keys, threads, true, |key| arena.governor(key)),
        time(keys, threads, true, |key| arena.table_quanta(key)),
        time(keys, threads, true, |key| arena.bare(key)),
        time(keys, threads, true, |key| arena.on_table(key)),
        time(keys, threads, false, |key| arena.denied(key)),
        time(keys, threads, false, |key| arena.governor_denied(key)),
    ]
}

fn heading() {
    println!(
        "ns per check and thread, net of the loop. First on the clock of std, then on quanta's, governor's default."
    );
    println!(
        "gov/bare: governor over one number per hash, the least a store can do; gov/table: governor over our table."
    );
    print!("{:>6} {:>8} {:>7} {:>3} |", "key", "keys", "draw", "thr");
    for (index, column) in COLUMNS.iter().enumerate().skip(1) {
        print!(" {column:>10}{}", if index == 3 { " |" } else { "" });
    }
    println!(" | {:>13} {:>13} {:>7}", "table/floor", "governor/table", "denied");
}

fn compare<K: Key>(keys: u64, rounds: usize, checks: usize, threads: &[usize]) {
    let arena = Arena::<K>::new(keys);
    let shapes: &[bool] = if keys == 1 { &[false] } else { &[false, true] };
    for &zipf in shapes {
        // Other keys in each round: the caches know no more of them than of any.
        let sequence: Vec<K> = draw(keys, zipf, checks * rounds);
        for &threads in threads {
            let rounds: Vec<_> = sequence.chunks(checks).map(|part| round(&arena, part, threads)).collect();
            let empty = median(rounds.iter().map(|times| times[0]));
            let net = |column: usize| median(rounds.iter().map(|times| times[column])) - empty;
            let shape = if zipf { "zipf" } else { "uniform" };
            print!("{:>6} {keys:>8} {shape:>7} {threads:>3} |", K::NAME);
            for column in 1..COLUMNS.len() {
                print!(" {:>10.1}{}", net(column), if column == 3 { " |" } else { "" });
            }
            let ratio = |of: usize, to: usize| net(of) / net(to);
            println!(
                " | {:>6.2} {:>6.2} {:>7.2} {:>6.2} {:>7.2}",
                ratio(3, 1),
                ratio(6, 4),
                ratio(2, 3),
                ratio(5, 6),
                ratio(10, 9)
            );
        }
    }
}

/// Unless other rows are wanted: so many keys, or keys of such a type.
fn full<K: Key>(keys: u64, rounds: usize, wanted: &[String]) {
    if wanted.iter().all(|word| word == K::NAME || *word == keys.to_string()) {
        compare::<K>(keys, rounds, 200_000, &[1, 2]);
    }
}

/// What the instruction counter looks at.
#[inline(never)]
fn counted_loop(checks: usize, check: &dyn Fn(usize)) {
    for i in 0..checks {
        check(i % 1000);
    }
}

/// A loop of one kind of check, to be counted by an instruction counter.
fn instructions(kind: &str, keys: u64, checks: usize) {
    let arena = Arena::<IpAddr>::new(keys);
    let timeless = Timeless::new(keys, &arena);
    let sequence: Vec<IpAddr> = draw(keys, false, 1000);
    let hashes: Vec<u64> = sequence.iter().map(|key| arena.hash(key)).collect();
    let now = arena.clock.std();
    let run = |check: &dyn Fn(usize)| counted_loop(checks, check);
    let at = |hash: u64, rate: &Rate| {
        black_box(arena.table.check(hash, rate, black_box(now), 1).is_ok());
    };
    match kind {
        "loop" => run(&|i| _ = black_box(hashes[i])),
        "hash" => run(&|i| _ = black_box(arena.hash(&sequence[i]))),
        "floor" => run(&|i| _ = black_box(arena.floor_timeless(&sequence[i]))),
        "allowed" => run(&|i| at(hashes[i], &arena.generous)),
        "denied" => run(&|i| at(hashes[i], &arena.strict)),
        "allowed+hash" => run(&|i| at(arena.hash(&sequence[i]), &arena.generous)),
        "denied+hash" => run(&|i| at(arena.hash(&sequence[i]), &arena.strict)),
        "governor" => run(&|i| _ = black_box(timeless.dashmap.check_key(&sequence[i]).is_ok())),
        "governor-denied" => run(&|i| _ = black_box(timeless.denied(&sequence[i]))),
        "governor/bare" => run(&|i| _ = black_box(timeless.bare.check_key(&arena.hash(&sequence[i])).is_ok())),
        "governor/table" => run(&|i| _ = black_box(timeless.on_table.check_key(&arena.hash(&sequence[i])).is_ok())),
        "std" => run(&|_| _ = black_box(arena.clock.std())),
        "quanta" => run(&|_| _ = black_box(arena.clock.quanta())),
        "governor+quanta" => run(&|i| _ = black_box(arena.governor(&sequence[i]))),
        _ => panic!("no such kind: {kind}"),
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let number = |position: usize| args.get(position).and_then(|text| text.parse::<u32>().ok());
    match args.first().map_or("quick", String::as_str) {
        "flood" => flood::run(),
        "instructions" => instructions(
            args.get(1).map_or("allowed", String::as_str),
            number(2).unwrap_or(1000).into(),
            number(3).map_or(100_000, |checks| checks as usize),
        ),
        "full" => {
            heading();
            for (keys, rounds) in [(1, 15), (10_000, 15), (1_000_000, 11), (10_000_000, 7)] {
                full::<IpAddr>(keys, rounds, &args[1..]);
                full::<u64>(keys, rounds, &args[1..]);
                full::<String>(keys, rounds, &args[1..]);
            }
        }
        "quick" => {
            heading();
            compare::<IpAddr>(1, 9, 100_000, &[1]);
            compare::<u64>(1, 9, 100_000, &[1]);
            compare::<IpAddr>(10_000, 9, 100_000, &[1, 2]);
            compare::<IpAddr>(1_000_000, 7, 100_000, &[1, 2]);
            compare::<String>(1_000_000, 5, 100_000, &[1]);
        }
        other => panic!("no such run: {other}; there are quick, full, flood and instructions"),
    }
}
