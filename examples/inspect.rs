//! How many of these inputs are refused, and how long a look takes.
//!
//! ```text
//! cargo run --release --example inspect -- attacks.jsonl benign.jsonl
//! ```
//!
//! A line is a JSON object with `class` (`sqli`, `xss`, `traversal`, `cmdi`, `benign`), `tier` or, of what is benign, `sub` (its kind),
//! `location` and `payload` (or `payload_b64`, which then is the truth, or `parts`, of which one suffices). With `--lines`, files are
//! plain text and each line is a value, of which none is meant to be an attack: a day of one's own. `--misses` lists what was judged
//! wrongly (with `--strict`, what strict judges wrongly), `--json` prints one object.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    hint::black_box,
    io::{self, ErrorKind, Write as _},
    time::Instant,
};

use palisade::inspect::{Class, Inspector, Location, Scores, Sensitivity};
use serde_json::{Value, json};

struct Input {
    id: String,
    class: String,
    /// The tier of an attack, the kind of what is benign.
    kind: String,
    /// Names and values of one request, and where they stand in it.
    values: Vec<(Location, Vec<u8>)>,
}

impl Input {
    fn is_benign(&self) -> bool {
        self.class == "benign" || self.class == LINE
    }

    fn scores(&self, inspector: Inspector) -> Vec<Scores> {
        self.values.iter().map(|(location, value)| inspector.scores(value, *location)).collect()
    }
}

#[derive(Clone, Copy, Default)]
struct Count {
    refused: usize,
    total: usize,
}

impl Count {
    fn percent(self) -> f64 {
        100.0 * self.refused as f64 / self.total.max(1) as f64
    }
}

/// The class of plain lines.
const LINE: &str = "line";
const FLAGS: [&str; 4] = ["--json", "--lines", "--misses", "--strict"];

type Table = BTreeMap<String, BTreeMap<String, Count>>;

fn main() -> Result<(), Box<dyn Error>> {
    let (flags, files): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let unknown = flags.iter().find(|flag| !FLAGS.contains(&flag.as_str()));
    if unknown.is_some() || files.is_empty() {
        return Err(format!("inspect FILE.. [{}]", FLAGS.join("] [")).into());
    }
    match told(&flags, &files) {
        // Whoever reads has seen enough.
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) => {
            Ok(())
        }
        told => told,
    }
}

fn told(flags: &[String], files: &[String]) -> Result<(), Box<dyn Error>> {
    let has = |flag: &str| flags.iter().any(|other| other == flag);
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut inputs = Vec::new();
    for file in files {
        let text = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() {
                let input = if has("--lines") { Ok(plain(line)) } else { object(line) };
                inputs.push(input.map_err(|error| format!("{file}:{}: {error}", number + 1))?);
            }
        }
    }
    let inspector = Inspector::all(Sensitivity::Strict);
    let mut tables = [Sensitivity::Default, Sensitivity::Strict].map(|tier| (tier, Table::new()));
    for input in &inputs {
        let scores = input.scores(inspector);
        for (tier, table) in &mut tables {
            let verdict =
                scores.iter().filter_map(|scores| scores.verdict(*tier)).max_by_key(|verdict| verdict.score());
            let count = table.entry(input.class.clone()).or_default().entry(input.kind.clone()).or_default();
            count.total += 1;
            count.refused += usize::from(verdict.is_some());
            let strict_only = *tier == Sensitivity::Strict;
            if has("--misses") && verdict.is_some() == input.is_benign() && has("--strict") == strict_only {
                let why = verdict.map_or("missed", |verdict| verdict.rule());
                let points = Class::ALL.map(|class| scores.iter().map(|scores| scores.of(class)).max().unwrap_or(0));
                let texts: Vec<_> = input.values.iter().map(|(_, value)| String::from_utf8_lossy(value)).collect();
                writeln!(out, "{:9} {:9} {why:20} {points:?} {} {texts:?}", input.class, input.kind, input.id)?;
            }
        }
    }
    let benign: Vec<&Input> = inputs.iter().filter(|input| input.is_benign()).collect();
    // Padding is measured elsewhere: here an attack is as long as people write them.
    let attacks: Vec<&Input> = inputs
        .iter()
        .filter(|input| !input.is_benign() && input.values.iter().all(|(_, value)| value.len() < 4096))
        .collect();
    let ((benign_ns, bytes), (attack_ns, _)) = (time(&benign), time(&attacks));
    let per_100 = if bytes == 0 { 0.0 } else { 100.0 * benign_ns / bytes as f64 };
    let megabytes = bytes as f64 * 1e3 / benign_ns.max(1.0);
    let per_attack = attack_ns / (attacks.len().max(1) as f64);
    if has("--json") {
        let [default, strict] = tables.map(|(_, table)| as_json(&table));
        let object = json!({
            "default": default, "strict": strict,
            "ns_per_100_benign_bytes": per_100, "benign_mb_per_s": megabytes, "ns_per_attack": per_attack,
        });
        writeln!(out, "{object}")?;
        return Ok(out.flush()?);
    }
    for (tier, table) in &tables {
        writeln!(out, "\n{tier:?}: refused of all")?;
        for (class, kinds) in table {
            for (kind, count) in kinds {
                let Count { refused, total } = count;
                writeln!(out, "{class:>10} {kind:<20} {refused:>6} / {total:<6} {:>8.3} %", count.percent())?;
            }
        }
    }
    writeln!(out, "\n{per_100:.0} ns per 100 benign bytes, {megabytes:.0} MB/s; {per_attack:.0} ns per attack")?;
    Ok(out.flush()?)
}

fn plain(line: &[u8]) -> Input {
    Input { id: String::new(), class: LINE.into(), kind: LINE.into(), values: vec![(Location::Form, line.to_vec())] }
}

fn object(line: &[u8]) -> Result<Input, Box<dyn Error>> {
    let line: Value = serde_json::from_slice(line)?;
    let text = |field: &str| line[field].as_str().unwrap_or_default();
    let class = text("class").to_owned();
    if class.is_empty() {
        return Err("no `class`; plain text is read with --lines".into());
    }
    let values = if let Some(parts) = line["parts"].as_array() {
        let texts = parts
            .iter()
            .flat_map(|part| [&part["name"], &part["value"]].map(|text| (location(&part["location"]), text)));
        texts.filter_map(|(location, text)| Some((location, text.as_str()?.as_bytes().to_vec()))).collect()
    } else if let Some(encoded) = line["payload_b64"].as_str() {
        vec![(location(&line["location"]), base64(encoded).ok_or("payload_b64 is no base64")?)]
    } else {
        vec![(location(&line["location"]), text("payload").as_bytes().to_vec())]
    };
    let kind = if class == "benign" { text("sub") } else { text("tier") }.to_owned();
    Ok(Input { id: text("id").to_owned(), class, kind, values })
}

fn location(name: &Value) -> Location {
    match name.as_str().unwrap_or_default() {
        "query" => Location::Query,
        "path" => Location::Path,
        "header" => Location::Header,
        "cookie" => Location::Cookie,
        "json" => Location::Json,
        "body" => Location::Form,
        _ => Location::Text,
    }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in text.trim_end_matches('=').chars() {
        bits = (bits << 6 | u32::try_from(DIGITS.find(digit)?).ok()?) & 0xFFFF;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xFF) as u8);
        }
    }
    Some(bytes)
}

/// Nanoseconds and bytes of one look at each, the best of some.
fn time(inputs: &[&Input]) -> (f64, usize) {
    let inspector = Inspector::new();
    let bytes = inputs.iter().flat_map(|input| &input.values).map(|(_, value)| value.len()).sum();
    let best = (0..7).map(|_| {
        let start = Instant::now();
        for input in inputs {
            for (location, value) in &input.values {
                black_box(inspector.inspect(black_box(value), *location));
            }
        }
        start.elapsed().as_secs_f64() * 1e9
    });
    (best.fold(f64::INFINITY, f64::min), bytes)
}

fn as_json(table: &Table) -> Value {
    let classes = table.iter().map(|(class, kinds)| {
        let kinds =
            kinds.iter().map(|(kind, count)| (kind.clone(), json!({"refused": count.refused, "total": count.total})));
        (class.clone(), Value::Object(kinds.collect()))
    });
    Value::Object(classes.collect())
}
