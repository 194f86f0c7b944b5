//! A real server that speaks Sentry's protocol takes what the example sends. `tests/run.sh` installs it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::examples::start;

const SETTINGS: &str = "
BUGSINK['PHONEHOME'] = False
BUGSINK['INGEST_STORE_BASE_DIR'] = 'ingest'
BUGSINK['VALIDATE_ON_DIGEST'] = 'strict'
";
const PROJECT: &str = "
from projects.models import Project
project = Project.objects.create(name='shop', slug='shop')
print('made', project.id, project.sentry_key.hex)
";

struct Bugsink {
    child: Child,
    addr: String,
    /// Key and number.
    project: (String, String),
    token: String,
    folder: PathBuf,
}

/// One of the programs of the virtual environment that `tests/run.sh` makes.
fn command(name: &str, folder: &Path) -> Command {
    let bin = std::env::var("PALISADE_BUGSINK").expect("the folder with bugsink's programs: tests/run.sh sets it");
    let mut command = Command::new(PathBuf::from(bin).join(name));
    // Django finds the settings by the path, gunicorn leaves a socket in the home.
    command.current_dir(folder).env("PYTHONPATH", folder).env("HOME", folder).env("DJANGO_SETTINGS_MODULE", "settings");
    command
}

fn run(name: &str, arguments: &[&str], folder: &Path) -> String {
    let output = command(name, folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Bugsink {
    /// With one project, on a port of the kernel's choice.
    fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("palisade-bugsink-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        run("bugsink-create-conf", &["--template=local", "--host=127.0.0.1", "-o", "settings.py"], &folder);
        let settings = fs::read_to_string(folder.join("settings.py")).unwrap();
        fs::write(folder.join("settings.py"), settings + SETTINGS).unwrap();
        run("bugsink-manage", &["migrate", "-v0"], &folder);
        run("bugsink-manage", &["migrate", "snappea", "--database=snappea", "-v0"], &folder);
        let made = run("bugsink-manage", &["shell", "-v0", "-c", PROJECT], &folder);
        let made: Vec<&str> = made.split_whitespace().skip_while(|word| *word != "made").collect();
        let project = (made[2].to_owned(), made[1].to_owned());
        let token = run("bugsink-manage", &["create_auth_token"], &folder);
        let token = token.split_whitespace().last().expect("a token").to_owned();
        let mut child = command("gunicorn", &folder)
            .args(["--bind=127.0.0.1:0", "--workers=1", "bugsink.wsgi"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let addr = log.find_map(|line| Some(line.split_once("Listening at: http://")?.1.split(' ').next()?.to_owned()));
        thread::spawn(move || log.for_each(drop));
        Self { child, addr: addr.expect("it tells where it listens"), project, token, folder }
    }

    fn dsn(&self) -> String {
        format!("http://{}@{}/{}", self.project.0, self.addr, self.project.1)
    }

    fn ask(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(&self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let Self { token, addr, .. } = self;
        // HTTP/1.0: the answer is not in chunks.
        write!(stream, "GET /api/canonical/0/{path} HTTP/1.0\r\nhost: {addr}\r\nauthorization: Bearer {token}\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {head}"))
    }

    /// The events of every issue, in the order of the issues.
    fn events(&self) -> Vec<Vec<Value>> {
        let list = |path: String| self.ask(&path)["results"].as_array().cloned().unwrap_or_default();
        let id = |row: &Value| row["id"].as_str().unwrap().to_owned();
        let issues = list(format!("issues/?project={}&sort=digest_order&order=asc", self.project.1));
        let events = |issue| list(format!("events/?issue={}&order=asc", id(issue)));
        let whole = |event: &Value| self.ask(&format!("events/{}/", id(event)))["data"].clone();
        issues.iter().map(|issue| events(issue).iter().map(whole).collect()).collect()
    }
}

impl Drop for Bugsink {
    fn drop(&mut self) {
        // Told to end, it ends its workers too.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
#[ignore = "needs bugsink and 15 seconds: tests/run.sh runs it"]
fn bugsink_is_told_of_what_broke_in_the_example() {
    let bugsink = Bugsink::start();
    let example = start("sentry", &[("SENTRY_DSN", &bugsink.dsn())]);
    let secret = "s3cr3tOfThisTest0123456789";
    let headers = [("x-user", "ada"), ("authorization", &*format!("Bearer {secret}")), ("user-agent", "a browser")];
    for id in [7, 8] {
        assert_eq!(example.ask("GET", &format!("/orders/{id}?token={secret}"), &headers, "").0, 500);
    }
    assert_eq!(example.ask("POST", "/panic", &[], &format!("password={secret}")).0, 500);
    // Six more, so that a transaction is among them but for one time in a hundred: it has no use for them, and must not mind.
    (0..6).for_each(|_| assert_eq!(example.get("/hello").0, 200));
    let deadline = Instant::now() + Duration::from_secs(15);
    let mut issues = bugsink.events();
    while issues.iter().map(Vec::len).sum::<usize>() < 3 {
        assert!(Instant::now() < deadline, "{issues:#?}");
        thread::sleep(Duration::from_millis(100));
        issues = bugsink.events();
    }
    // Two of a kind are one issue.
    let [orders, panic] = &issues[..] else { panic!("{issues:#?}") };
    assert_eq!((orders.len(), panic.len()), (2, 1), "{issues:#?}");
    for (event, pointer, expected) in [
        (&orders[0], "/transaction", json!("GET /orders/{id}")),
        (&orders[0], "/exception/values/0/type", json!("Error")),
        (&orders[0], "/exception/values/0/module", json!("std::io::error")),
        (&orders[0], "/user/id", json!("user:42")),
        (&orders[0], "/tags/tier", json!("pro")),
        (&orders[0], "/tags/reason", json!("internal-error")),
        (&orders[0], "/request/url", json!("http://localhost/orders/7")),
        (&orders[1], "/request/url", json!("http://localhost/orders/8")),
        (&orders[0], "/request/headers/user-agent", json!("a browser")),
        (&orders[0], "/environment", json!("development")),
        (&panic[0], "/transaction", json!("POST /panic")),
        (&panic[0], "/level", json!("fatal")),
        (&panic[0], "/exception/values/0/mechanism/handled", json!(false)),
    ] {
        assert_eq!(event.pointer(pointer).unwrap_or(&Value::Null), &expected, "{pointer} in {event:#}");
    }
    let all = format!("{issues:?}");
    assert!(!all.contains(secret) && !all.contains("hunter2"), "{all}");
    assert!(orders[0]["tags"]["request_id"].is_string() && orders[0]["contexts"]["trace"]["trace_id"].is_string());
}
