//! The examples keep their contract: started as a user starts them, driven over a socket.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

pub(crate) struct Example {
    child: Child,
    pub(crate) addr: String,
    /// What the example prints later.
    printed: mpsc::Receiver<String>,
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(name: &str) -> Command {
    // Examples are built beside the tests, one folder up.
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let mut command = Command::new(path.join("examples").join(name));
    command.env("PALISADE_ADDR", "127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn start(name: &str, env: &[(&str, &str)]) -> Example {
    let mut child = command(name).envs(env.iter().copied()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let bound = stdout.find_map(|line| line.strip_prefix("Listening on http://").map(str::to_owned));
    let bound = bound.expect("the bound address is printed");
    let addr = bound.trim_end_matches(". Try:").to_owned();
    // What it prints later must go somewhere: a pipe that is full stops who writes to it.
    let mut stderr = child.stderr.take().unwrap();
    let (print, printed) = mpsc::channel();
    thread::spawn(move || stdout.for_each(|line| drop(print.send(line))));
    thread::spawn(move || io::copy(&mut stderr, &mut io::sink()));
    Example { child, addr, printed }
}

impl Example {
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let headers =
            headers.iter().map(|(name, value)| [*name, ": ", *value, "\r\n"].concat()).collect::<Vec<_>>().concat();
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}").unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        (answer[9..12].parse().unwrap(), answer)
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.ask("GET", path, &[], "")
    }
}

#[test]
fn the_quickstart_does_what_its_five_lines_say() {
    let example = start("quickstart", &[]);
    assert_eq!(example.get("/panic").0, 500);
    assert_eq!(example.get("/%2e%2e/etc/passwd").0, 400);
    let (status, hello) = example.get("/hello");
    assert!(
        status == 200 && hello.contains("x-request-id") && hello.contains("hello, from behind the wall"),
        "{hello}"
    );
    let statuses: Vec<_> = (0..12).map(|_| example.get("/hello").0).collect();
    assert!(statuses.contains(&200) && statuses.ends_with(&[429]), "{statuses:?}");
    assert!(example.get("/metrics").1.contains(r#"http_requests_total{method="GET",route="/hello",status="429"}"#));
    assert!(std::fs::read_to_string("examples/quickstart.rs").unwrap().lines().count() <= 40);
}

#[test]
fn the_showcase_keeps_its_contract() {
    let example = start(
        "showcase",
        &[("PALISADE_ALLOWED_ORIGINS", "https://app.example"), ("PALISADE_TRUSTED_PROXIES", "127.0.0.1")],
    );
    let key = ("x-api-key", "quick");
    for (method, path, headers, body, status, contains) in [
        ("GET", "/", &[][..], "", 200, "<h1>palisade showcase</h1>"),
        ("GET", "/api/items", &[key], "", 200, "picket"),
        ("GET", "/api/items/2", &[key], "", 200, "gate"),
        ("GET", "/api/items/9", &[key], "", 404, "not-found"),
        ("POST", "/api/echo", &[key, ("content-type", "application/json")], r#"{"a":1}"#, 200, r#"{"a":1}"#),
        ("POST", "/api/echo", &[key, ("content-type", "application/json")], "{", 400, "application/problem+json"),
        (
            "POST",
            "/api/echo",
            &[key, ("content-type", "application/x-www-form-urlencoded")],
            "a=1&b=x+y",
            200,
            "a=1&b=x+y",
        ),
        ("POST", "/api/echo", &[key, ("content-type", "text/plain")], "text", 200, "text"),
        ("GET", "/api/search?q=gat", &[key], "", 200, r#""found":["gate"]"#),
        (
            "POST",
            "/auth/login",
            &[("content-type", "application/json")],
            r#"{"user":"u","password":"palisade"}"#,
            200,
            r#""user":"u""#,
        ),
        (
            "POST",
            "/auth/login",
            &[("content-type", "application/json")],
            r#"{"user":"u","password":"x"}"#,
            401,
            "unauthenticated",
        ),
        ("GET", "/api/whoami", &[key], "", 200, r#""tier":"quick-project""#),
        ("GET", "/api/whoami", &[("x-api-key", "research")], "", 200, r#""tier":"research-project""#),
        ("GET", "/api/whoami", &[("x-api-key", "production")], "", 200, r#""tier":"production-api""#),
        ("GET", "/api/whoami", &[("x-api-key", "guess")], "", 401, "unauthenticated"),
        ("GET", "/api/whoami", &[key, ("x-forwarded-for", "6.6.6.6, 203.0.113.9")], "", 200, r#""ip":"203.0.113.9""#),
        (
            "GET",
            "/api/whoami",
            &[("x-forwarded-for", "203.0.113.10")],
            "",
            200,
            r#""source":"forwarded","tier":"anonymous""#,
        ),
        ("GET", "/boom/panic", &[], "", 500, "internal-error"),
        ("GET", "/boom/error", &[], "", 500, "internal-error"),
        ("GET", "/boom/slow", &[], "", 504, "handler-timeout"),
        ("GET", "/health", &[], "", 200, "pass"),
        ("GET", "/ready", &[], "", 200, "pass"),
        ("GET", "/health/ping", &[], "", 200, "pong"),
        ("GET", "/metrics", &[], "", 200, "http_requests_total"),
        ("GET", "/health/metrics", &[], "", 200, "requestsPerSecond"),
        ("GET", "/errors/stats", &[], "", 200, "error_rate_per_minute"),
    ] {
        let (got, answer) = example.ask(method, path, headers, body);
        assert_eq!(got, status, "{method} {path}: {answer}");
        assert!(answer.contains(contains), "{method} {path}: {answer}");
        // Words: any number may come by chance. What a panic said is for the operator, and a password in a URL for nobody.
        let secrets = if path == "/errors/stats" { &["hunter2"][..] } else { &["hunter2", "correct-horse"] };
        assert!(!secrets.iter().any(|secret| answer.contains(secret)), "{path} tells a secret: {answer}");
    }
    let (status, cut) = example.get("/boom/body");
    assert!(status == 200 && !cut.ends_with("0\r\n\r\n"), "{cut}");
    let anonymous = || example.ask("GET", "/api/items", &[("x-forwarded-for", "203.0.113.77")], "").0;
    let anonymous: Vec<_> = (0..12).map(|_| anonymous()).collect();
    assert_eq!(anonymous, [vec![200; 10], vec![429; 2]].concat());
}

#[test]
fn the_showcase_names_every_mistake_in_its_environment_and_opens_no_socket() {
    let wrong = [
        ("PALISADE_ADDR", "localhost"),
        ("PALISADE_PROFILE", "prod"),
        ("PALISADE_ALLOWED_ORIGINS", "https://fine.example,*"),
        ("PALISADE_TRUSTED_PROXIES", "10.0.0.0/99"),
    ];
    let output = command("showcase").envs(wrong).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    for mistake in ["4 mistakes", "`localhost`", "`prod`", "`*`", "10.0.0.0/99"] {
        assert!(told.contains(mistake), "{mistake} in {told}");
    }
    assert!(output.stdout.is_empty());
}

#[test]
fn a_tracer_s_spans_are_part_of_the_trace_that_came_in() {
    let example = start("opentelemetry", &[]);
    let parent = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let (status, answer) = example.ask("GET", "/hello", &[parent], "");
    assert_eq!(status, 200);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    assert!(answer.contains(&format!("in trace {trace}\n")), "{answer}");
    let mut spans = example.printed.iter().filter(|line| line.starts_with("span "));
    let (call, request) = (spans.next().unwrap(), spans.next().unwrap());
    let id = |line: &str| line.split(' ').nth(2).unwrap().to_owned();
    assert_eq!(call, format!("span call {} of trace {trace}, child of {}", id(&call), id(&request)));
    assert_eq!(request, format!("span /hello {} of trace {trace}, child of b7ad6b7169203331", id(&request)));
    assert!(answer.contains(&format!("00-{trace}-{}-01", id(&call))), "the next is told of the call's span: {answer}");
    assert!(answer.contains("x-request-id"), "{answer}");

    let (_, answer) = example.ask("GET", "/hello", &[], "");
    let (_, request) = (spans.next().unwrap(), spans.next().unwrap());
    let trace = answer.split("in trace ").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(request, format!("span /hello {} of trace {trace}, child of 0000000000000000", id(&request)), "a root");
}

#[cfg(feature = "logs")]
#[test]
fn the_log_of_the_example_is_lines_of_json_in_files_and_on_stdout() {
    let directory = std::env::temp_dir().join(format!("palisade-{}-example", std::process::id()));
    let example =
        start("logs", &[("PALISADE_PROFILE", "production"), ("PALISADE_LOG_DIR", directory.to_str().unwrap())]);
    assert_eq!(example.get("/hello").0, 200);
    let json = [("content-type", "application/json")];
    assert_eq!(example.ask("POST", "/login", &json, r#"{"user":"ada","password":"guess"}"#).0, 401);
    assert_eq!(example.get("/panic").0, 500);
    assert_eq!(example.ask("PUT", "/log/level", &[], "debug").0, 204);
    assert_eq!(example.ask("POST", "/login", &json, r#"{"user":"ada","password":"palisade"}"#).0, 200);
    // The last line is on its way for a moment.
    let mut lines = example.printed.iter().filter(|line| line.starts_with('{'));
    let mut seen = Vec::new();
    seen.extend(lines.by_ref().find(|line| line.contains("both are told")));
    seen.extend(lines.by_ref().find(|line| line.contains(r#""route":"/login""#) && line.contains("duration_ms")));
    assert_eq!(seen.len(), 2);
    let read = |name| std::fs::read_to_string(directory.join(name)).unwrap();
    let (app, errors, audit) = (read("app.log"), read("errors.log"), read("audit.log"));
    let _ = std::fs::remove_dir_all(&directory);
    assert!(app.contains(r#""message":"a line of the handler knows its request","guests":1,"method":"GET","route":"/hello","request_id":""#), "{app}");
    assert!(errors.contains("no route to postgres://[redacted]db"), "{errors}");
    assert_eq!(audit.lines().count(), 3, "{audit}");
    assert!(!app.contains("hunter2") && !app.contains("guess"), "{app}");
    assert!(app.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{app}");
}

#[test]
fn inspect_lists_what_it_would_refuse_of_a_day_s_lines_and_names_the_line_that_it_cannot_read() {
    let file = |name: &str, text: &str| {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let run = |flags: &[&str], file: &std::path::Path| {
        let output = command("inspect").args(flags).arg(file).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let lines = file("inspect.txt", "GET /a?b=c\r\nO'Brien\n\n1' OR '1'='1' --\n");
    let (_, told, _) = run(&["--lines", "--misses"], &lines);
    assert!(told.contains("sql-") && !told.contains("O'Brien"), "{told}");
    let (_, told, _) = run(&["--lines", "--json"], &lines);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["default"]["line"]["line"], serde_json::json!({ "refused": 1, "total": 3 }));
    let (is_read, _, error) = run(&[], &file("inspect.jsonl", "{\"class\":\"sqli\",\"payload\":\"x\"}\n{\"class\":\n"));
    assert!(!is_read && error.contains("inspect.jsonl:2:"), "{error}");
    let (is_read, _, error) = run(&["--mises"], &lines);
    assert!(!is_read && error.contains("--misses"), "{error}");
}
