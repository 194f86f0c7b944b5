//! A real Prometheus scrapes the showcase, and answers the README's queries as its client would. `tests/run.sh` installs it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::examples::{Example, start};

const OPEN_METRICS: (&str, &str) = ("accept", "application/openmetrics-text;version=1.0.0");

/// A request line or two in the README is a query; the four of them in their order.
fn queries() -> [String; 4] {
    let readme = fs::read_to_string("README.md").unwrap();
    let block = readme.split("```promql\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the queries");
    let queries: Vec<String> = block.split("\n\n").map(|query| query.trim().to_owned()).collect();
    queries.try_into().expect("four of them")
}

struct Prometheus {
    child: Child,
    addr: String,
    folder: PathBuf,
}

impl Prometheus {
    /// On a port of the kernel's choice, which it tells in its log.
    fn start(target: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("palisade-prometheus-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let config = folder.join("prometheus.yml");
        let job = format!("[{{job_name: showcase, static_configs: [{{targets: ['{target}']}}]}}]");
        fs::write(&config, format!("{{global: {{scrape_interval: 1s}}, scrape_configs: {job}}}")).unwrap();
        let mut child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--enable-feature=exemplar-storage"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("prometheus is installed: tests/run.sh does it");
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let told =
            log.find_map(|line| line.split_once("msg=\"Listening on\" address=").map(|(_, addr)| addr.to_owned()));
        let addr = told.expect("it tells where it listens").trim().to_owned();
        thread::spawn(move || log.for_each(drop));
        Self { child, addr, folder }
    }

    fn ask(&self, path: &str, query: &str) -> Value {
        let mut stream = TcpStream::connect(&self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let body =
            format!("query={}", percent_encoding::utf8_percent_encode(query, percent_encoding::NON_ALPHANUMERIC));
        let length = body.len();
        // HTTP/1.0: the answer is not in chunks.
        write!(stream, "POST {path} HTTP/1.0\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{body}", self.addr).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        // While it starts, it answers in words.
        answer.split_once("\r\n\r\n").and_then(|(_, json)| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    /// The one value of a query, once it has one.
    fn value(&self, query: &str) -> Option<f64> {
        self.ask("/api/v1/query", query)["data"]["result"][0]["value"][1].as_str().map(|value| value.parse().unwrap())
    }

    fn wait(&self, query: &str, expected: f64) {
        let deadline = Instant::now() + Duration::from_secs(15);
        while self.value(query) != Some(expected) {
            assert!(Instant::now() < deadline, "{query} is {:?} and never {expected}", self.value(query));
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The client's own record of its requests: route, status, how long.
type Record = Vec<(&'static str, u16, Duration)>;

fn request(showcase: &Example, path: &'static str, record: &mut Record) {
    let started = Instant::now();
    let (status, _) = showcase.get(path);
    record.push((path, status, started.elapsed()));
}

/// One of 11 breaks, two take 0.3 s.
fn round(showcase: &Example, record: &mut Record) {
    for path in ["/", "/", "/boom/error", "/boom/body", "/", "/", "/", "/", "/boom/body", "/", "/"] {
        request(showcase, path, record);
    }
}

fn promtool(text: &str) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed: tests/run.sh does it");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

#[test]
#[ignore = "needs Prometheus and 35 seconds: tests/run.sh runs it"]
fn prometheus_says_of_the_showcase_what_its_client_says() {
    let showcase = start("showcase", &[]);
    let mut record = Record::new();
    // A rate is of what grows: the series are there before they are watched.
    round(&showcase, &mut record);
    let prometheus = Prometheus::start(&showcase.addr);
    let count = |path: &str| format!("sum(http_requests_total{{route=\"{path}\"}})");
    prometheus.wait("up", 1.0);
    prometheus.wait(&count("/boom/body"), 2.0);
    let before = record.len();
    let until = Instant::now() + Duration::from_secs(27);
    while Instant::now() < until {
        round(&showcase, &mut record);
    }
    for path in ["/", "/boom/error", "/boom/body"] {
        let mine = record.iter().filter(|(known, ..)| *known == path).count();
        prometheus.wait(&count(path), float(mine));
    }
    for status in [200, 500] {
        let mine = record.iter().filter(|(_, known, _)| *known == status).count();
        let theirs = prometheus.value(&format!(
            "sum(http_requests_total{{status=\"{status}\",route!~\"/metrics|/ready|/errors/stats|/health(/.*)?\"}})"
        ));
        assert_eq!(theirs, Some(float(mine)), "{status}");
    }
    answers_as_the_client(&prometheus, &record[before..]);
    let exemplars = prometheus.ask("/api/v1/query_exemplars", "http_request_duration_seconds_bucket");
    assert!(exemplars["data"][0]["exemplars"][0]["labels"]["trace_id"].is_string(), "{exemplars}");
    let text = |headers: &[(&str, &str)]| showcase.ask("GET", "/metrics", headers, "").1;
    promtool(text(&[]).split_once("\r\n\r\n").unwrap().1);
    assert!(text(&[OPEN_METRICS]).ends_with("# EOF\n"));
}

/// Rates are extrapolated to the ends of their window: close, and not exact.
fn answers_as_the_client(prometheus: &Prometheus, record: &[(&'static str, u16, Duration)]) {
    let close = |what: &str, theirs: f64, mine: f64, by: f64| {
        println!("{what}: Prometheus {theirs}, client {mine}");
        assert!((theirs - mine).abs() <= mine * by, "{what}: Prometheus says {theirs}, the client {mine}");
    };
    let [rate, mean, errors, p95] =
        queries().map(|query| prometheus.value(&query).unwrap_or_else(|| panic!("{query}")));
    let mut times: Vec<f64> = record.iter().map(|(.., took)| took.as_secs_f64()).collect();
    times.sort_by(f64::total_cmp);
    let total = float(record.len());
    let broken = float(record.iter().filter(|(_, status, _)| *status >= 500).count());
    close("requests in five minutes", rate * 300.0, total, 0.05);
    close("mean", mean, times.iter().sum::<f64>() / total, 0.25);
    close("errors", errors, broken / total, 0.05);
    let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
    let bucket = |seconds: f64| bounds.iter().position(|bound| seconds <= *bound);
    let mine = times[(times.len() * 95).div_ceil(100) - 1];
    println!("p95: Prometheus {p95}, client {mine}");
    assert_eq!(bucket(p95), bucket(mine), "Prometheus says {p95}, the client {mine}");
}
