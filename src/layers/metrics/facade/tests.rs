use metrics::{counter, describe_counter, gauge, histogram, with_local_recorder};

use super::*;

fn recorded(metrics: &MetricsLayer, record: impl FnOnce()) -> String {
    with_local_recorder(&metrics.recorder(), record);
    metrics.render()
}

#[test]
fn what_a_library_counts_stands_in_the_same_scrape() {
    let text = recorded(&MetricsLayer::new(), || {
        describe_counter!("cache.hits", "Found in the cache.");
        counter!("cache.hits", "cache.name" => "users").increment(2);
        counter!("cache.hits", "cache.name" => "users").increment(1);
        counter!("cache.hits").absolute(7);
        counter!("cache.hits").absolute(5);
        gauge!("pool_size").set(4.0);
        gauge!("pool_size").decrement(1.5);
        histogram!("query_seconds").record(0.02);
        histogram!("page_bytes").record(2000.0);
    });
    for line in [
        "# HELP cache_hits_total Found in the cache.",
        r#"cache_hits_total{cache_name="users"} 3"#,
        "cache_hits_total 7",
        "# HELP pool_size Counted by a library.",
        "pool_size 2.5",
        r#"query_seconds_bucket{le="0.025"} 1"#,
        r#"page_bytes_bucket{le="1000"} 0"#,
        r#"page_bytes_bucket{le="10000"} 1"#,
    ] {
        assert!(text.lines().any(|have| have == line), "{line} in {text}");
    }
}

#[test]
fn a_library_cannot_fill_the_registry_nor_break_the_scrape() {
    let metrics = MetricsLayer::builder().series(2).build().unwrap();
    metrics.gauge("taken", "Ours.").unwrap().set(1.0);
    let text = recorded(&metrics, || {
        for number in 0..100 {
            counter!("flood_total", "id" => number.to_string()).increment(1);
        }
        counter!("taken").increment(1);
        gauge!("flood").set(1.0);
        counter!("process_cpu_seconds").increment(1);
        gauge!("9 lives").set(9.0);
        for number in 0..2 * MOST_NAMES {
            counter!(format!("made.{number}")).increment(1);
        }
    });
    assert!(text.contains("flood_total{overflow=\"true\"} 98\n"), "{text}");
    assert_eq!(text.matches("\nflood_total{").count(), 3);
    assert_eq!(text.matches("# TYPE made_").count(), MOST_NAMES - 5, "five names were met before");
    assert_eq!(text.matches("# TYPE taken").count(), 1);
    for absent in ["9_lives", "process_cpu_seconds_total 1\n", "# TYPE flood gauge"] {
        assert!(!text.contains(absent), "{absent}");
    }
}

#[test]
fn labels_that_become_one_are_told_once() {
    let text = recorded(&MetricsLayer::new(), || {
        counter!("twice", "a.b" => "1", "a_b" => "2", "le" => "3").increment(1);
    });
    assert!(text.contains("twice_total{a_b=\"1\"} 1\n"), "{text}");
}

#[test]
fn all_recorders_of_a_layer_count_the_same() {
    let metrics = MetricsLayer::new();
    for _ in 0..2 {
        recorded(&metrics, || counter!("cache.hits", "cache" => "users").increment(2));
    }
    assert!(metrics.render().contains("cache_hits_total{cache=\"users\"} 4\n"), "{}", metrics.render());
}

#[test]
fn names_that_become_one_are_one_metric() {
    let text = recorded(&MetricsLayer::new(), || {
        for name in ["cache.hits", "cache_hits", "cache_hits_total", "cache.hits"] {
            counter!(name, "cache" => "users").increment(1);
        }
        gauge!("pool.size").set(3.0);
        gauge!("pool_size").increment(1.0);
    });
    assert!(text.contains("cache_hits_total{cache=\"users\"} 4\n"), "{text}");
    assert!(text.contains("\npool_size 4\n"), "{text}");
}

#[test]
fn labels_that_are_written_alike_are_one_series() {
    let text = recorded(&MetricsLayer::new(), || {
        for key in ["a.b", "a_b", "a-b"] {
            counter!("dotted", key => "1").increment(1);
        }
        counter!("ordered", "a" => "1", "b" => "2").increment(1);
        counter!("ordered", "b" => "2", "a" => "1").increment(1);
        counter!("dropped", "le" => "1").increment(1);
        counter!("dropped", "le" => "2").increment(1);
        counter!("empty").increment(1);
        counter!("empty", "a" => "").increment(1);
    });
    for (name, line) in [
        ("dotted", "dotted_total{a_b=\"1\"} 3\n"),
        ("ordered", "ordered_total{a=\"1\",b=\"2\"} 2\n"),
        ("dropped", "dropped_total 2\n"),
        ("empty", "empty_total 2\n"),
    ] {
        let samples = text.lines().filter(|line| line.starts_with(name)).count();
        assert!(samples == 1 && text.contains(line), "{line} in {text}");
    }
}

#[test]
fn a_library_that_says_overflow_shares_the_overflow() {
    let metrics = MetricsLayer::builder().series(2).build().unwrap();
    let text = recorded(&metrics, || {
        counter!("flood", "overflow" => "true").increment(1);
        for number in 0..3 {
            counter!("flood", "id" => number.to_string()).increment(1);
        }
    });
    assert!(text.contains("flood_total{overflow=\"true\"} 2\n"), "{text}");
    assert_eq!(text.matches("\nflood_total{overflow").count(), 1, "{text}");
}

#[test]
fn a_novel_from_a_library_is_no_label() {
    let text = recorded(&MetricsLayer::new(), || {
        counter!("said", "what" => "x".repeat(LONGEST_VALUE)).increment(1);
        counter!("said", "what" => "x".repeat(LONGEST_VALUE + 1)).increment(1);
        counter!("said", "what" => "y".repeat(1 << 20)).increment(1);
    });
    assert!(text.contains("said_total{overflow=\"true\"} 2\n") && !text.contains("yyy"));
    assert_eq!(text.matches("\nsaid_total{").count(), 2);
}

/// What is logged while this runs; every line is itself counted through the facade. It must be done in time.
fn logged(metrics: &MetricsLayer, record: impl FnOnce() + Send + 'static) -> Vec<String> {
    let (metrics, (sender, receiver)) = (metrics.clone(), std::sync::mpsc::channel());
    std::thread::spawn(move || {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let write = {
            let lines = Arc::clone(&lines);
            move || {
                counter!("log.lines").increment(1);
                Lines(Arc::clone(&lines))
            }
        };
        let subscriber = tracing_subscriber::fmt().with_writer(write).with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, || with_local_recorder(&metrics.recorder(), record));
        sender.send(lines.lock().unwrap().clone()).unwrap();
    });
    receiver.recv_timeout(std::time::Duration::from_secs(60)).expect("it waits for itself")
}

struct Lines(Arc<Mutex<Vec<String>>>);

impl std::io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().push(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_log_whose_lines_are_counted_may_be_warned_of_a_metric() {
    let metrics = MetricsLayer::new();
    let lines = logged(&metrics, || {
        for _ in 0..3 {
            counter!("process.cpu").increment(1);
        }
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(metrics.render().contains("\nlog_lines_total 1\n"), "{}", metrics.render());
}

#[test]
fn names_past_the_thousandth_are_warned_of_once() {
    let metrics = MetricsLayer::new();
    let lines = logged(&metrics, || {
        for number in 0..MOST_NAMES + 100 {
            gauge!(format!("made.{number}")).set(1.0);
        }
        gauge!("made_7").set(8.0);
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("1000 names already"), "{lines:?}");
    assert!(metrics.render().contains("\nmade_7 8\n"), "another way to say a known name is known");
}
