use std::{
    fmt, fs,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use serde_json::{Value, json};
use tracing::{debug, error, info, info_span, warn};

use super::{file::tests::Directory, *};
use crate::{Audit, Redacted};

/// The lines that were written meanwhile.
fn said(settings: LogSettings, run: impl FnOnce(&Logs)) -> Vec<String> {
    files(settings, run).swap_remove(0)
}

/// Those of `app.log`, `errors.log` and `audit.log`.
fn files(settings: LogSettings, run: impl FnOnce(&Logs)) -> Vec<Vec<String>> {
    static TESTS: AtomicUsize = AtomicUsize::new(0);
    let directory = Directory::new(&format!("said-{}", TESTS.fetch_add(1, Relaxed)));
    // Whatever the environment of the tests says.
    let (dispatch, logs) = alone(&settings.stdout(false).directory(&directory.0), |_| None).unwrap();
    dispatcher::with_default(&dispatch, || run(&logs));
    assert!(logs.flush(PATIENCE));
    let read = |name| fs::read_to_string(directory.0.join(name)).unwrap();
    ["app.log", "errors.log", "audit.log"]
        .map(|name| read(name).split_terminator('\n').map(str::to_owned).collect())
        .into()
}

/// The members of a line of JSON, those that stand there twice too; without the time.
fn members(line: &str) -> Vec<(String, Value)> {
    let mut members = Vec::new();
    let mut rest = line.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
    while !rest.is_empty() {
        let mut name = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        let (key, end) = (name.next().unwrap().unwrap(), name.byte_offset());
        rest = rest[end..].strip_prefix(':').unwrap();
        let mut value = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        members.push((key, value.next().unwrap().unwrap()));
        rest = &rest[value.byte_offset()..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    assert_eq!(members.remove(0).0, "time");
    members
}

fn object(line: &str) -> Value {
    let members = members(line);
    let count = members.len();
    let object: serde_json::Map<_, _> = members.into_iter().collect();
    assert_eq!(object.len(), count, "a name twice in {line}");
    object.into()
}

fn request() -> tracing::Span {
    info_span!(target: "palisade::guard::containment", "request", method = "GET", route = "/items/{id}", request_id = "id-1", user = "ada")
}

#[derive(Debug)]
struct Broken(Option<Box<Self>>);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "outside" } else { "inside" })
    }
}

impl std::error::Error for Broken {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.0.as_ref()?)
    }
}

#[test]
fn each_event_is_a_line_with_its_values_as_they_are() {
    let lines = said(LogSettings::production(), |_| {
        let error: &(dyn std::error::Error + 'static) = &Broken(Some(Box::new(Broken(None))));
        info!(small = -1_i8, large = u128::MAX, half = 0.5, none = f64::NAN, yes = true, word = "a \"b\"", list = ?[1, 2], error, "said {}", 1);
        warn!("only this");
        error!(name: "no message", r#type = "x");
    });
    assert_eq!(
        object(&lines[0]),
        json!({
            "level": "INFO", "target": "palisade::logs::tests", "message": "said 1", "small": -1, "large": u128::MAX.to_string().parse::<serde_json::Number>().unwrap(),
            "half": 0.5, "none": "NaN", "yes": true, "word": "a \"b\"", "list": "[1, 2]", "error": "outside: inside",
        })
    );
    assert_eq!(object(&lines[1]), json!({"level": "WARN", "target": "palisade::logs::tests", "message": "only this"}));
    assert_eq!(object(&lines[2]), json!({"level": "ERROR", "target": "palisade::logs::tests", "type": "x"}));
    assert_eq!(lines.len(), 3);
}

#[test]
fn every_line_says_in_which_request_and_no_name_stands_there_twice() {
    let lines = said(LogSettings::production(), |_| {
        let _request = request().entered();
        info!("in it");
        info!(user = "eve", route = "/items/{id}", time = "now", level = 1, message = "m", field_user = 2, "both");
        let job = info_span!("job", user = "mallory", step = 1, outer = 1).entered();
        let inner = info_span!("inner", step = 2, later = tracing::field::Empty).entered();
        inner.record("later", "x");
        inner.record("later", "y");
        info!("deep");
        drop((inner, job));
        debug!("not wanted");
    });
    let request = json!({"level": "INFO", "target": "palisade::logs::tests", "method": "GET", "route": "/items/{id}", "request_id": "id-1", "user": "ada"});
    let with = |more: Value| {
        let mut all = request.as_object().unwrap().clone();
        all.extend(more.as_object().unwrap().clone());
        Value::from(all)
    };
    assert_eq!(object(&lines[0]), with(json!({"message": "in it"})));
    let both = object(&lines[1]);
    let (one, other) = (&both["field_user"], &both["field_field_user"]);
    assert_eq!([one, other], [&json!("eve"), &json!(2)]);
    assert_eq!(
        (&both["field_time"], &both["field_level"], both["route"].as_str()),
        (&json!("now"), &json!(1), Some("/items/{id}"))
    );
    assert_eq!(object(&lines[2]), with(json!({"message": "deep", "step": 2, "outer": 1, "later": "y"})));
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_line_for_people_has_its_message_first_and_quotes_what_needs_it() {
    let lines = said(LogSettings::production().readable(), |_| {
        let _request = request().entered();
        warn!(count = 2, word = "one", words = "two words", none = "", "the message says \"so\"");
    });
    let (time, line) = lines[0].split_once(' ').unwrap();
    assert!(humantime::parse_rfc3339(time).is_ok(), "{time}");
    assert_eq!(
        line,
        r#" WARN palisade::logs::tests: the message says "so" count=2 word=one words="two words" none="" method=GET route=/items/{id} request_id=id-1 user=ada"#
    );
}

#[test]
fn no_character_of_any_value_begins_a_line_or_hides_one() {
    let hidden = || {
        let marks =
            ['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}'];
        (0..0xa0)
            .filter_map(char::from_u32)
            .filter(|char| char.is_control())
            .chain(marks)
            .chain('\u{202a}'..='\u{202e}')
    };
    for settings in [LogSettings::production(), LogSettings::production().readable()] {
        let lines = said(settings, |_| {
            for char in hidden() {
                let evil = format!("a{char}[31m{char}2026-01-01T00:00:00Z ERROR forged: line");
                let _span = info_span!("span", outer = evil).entered();
                info!(text = evil, shown = %evil, debugged = ?evil, { "na\nme\u{1b}\u{202e}\"=" } = 1, "{evil}");
            }
        });
        assert_eq!(lines.len(), hidden().count());
        for line in lines {
            assert!(!line.chars().any(|char| hidden().any(|hidden| hidden == char)), "{line:?}");
            assert!(line.contains("na_me____"), "{line}");
        }
    }
}

#[test]
fn a_secret_is_known_by_its_field_by_its_look_and_by_its_type() {
    for settings in [LogSettings::production(), LogSettings::production().readable()] {
        let lines = said(settings, |_| {
            let secret = "hunter2hunter2";
            let _span = info_span!("span", api_key = secret, note = format!("Bearer {secret}")).entered();
            info!(password = secret, user.token = ?secret, pin_secret = 1_234, x = %Redacted::new(secret), y = ?Some(Redacted::new(secret)), has_token = true, "said");
            info!(
                url = format!("https://ada:{secret}@db/"),
                body = format!(r#"{{"password":"{secret}"}}"#),
                "at /a?token={secret}&b=1"
            );
        });
        let all = lines.concat();
        assert!(!all.contains("hunter2") && !all.contains("1234"), "{all}");
        assert!(all.contains("said") && all.contains("has_token") && all.matches("[redacted]").count() >= 12, "{all}");
    }
}

#[test]
fn a_long_value_is_cut_and_the_line_is_still_one() {
    let lines = said(LogSettings::production(), |_| {
        info!(long = "é".repeat(100_000), debugged = ?"é".repeat(100_000), "{}", "x".repeat(100_000));
    });
    let line = object(&lines[0]);
    for name in ["long", "debugged", "message"] {
        let value = line[name].as_str().unwrap();
        assert!(value.len() <= 16 * 1024 + 3 && value.ends_with('…'), "{name} {}", value.len());
    }
}

struct Chatty;

impl fmt::Debug for Chatty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        info!("on the way");
        f.write_str("chatty")
    }
}

#[test]
fn what_logs_while_it_is_formatted_spoils_no_line() {
    let lines = said(LogSettings::production(), |_| info!(value = ?Chatty, "said"));
    // Below a scoped subscriber `tracing` itself leaves the other out.
    let line = object(lines.last().unwrap());
    assert_eq!((&line["value"], &line["message"]), (&json!("chatty"), &json!("said")));
}

#[test]
fn what_is_wanted_changes_while_it_runs_and_a_mistake_changes_nothing() {
    let lines = said(LogSettings::production().level("warn"), |logs| {
        let say = |round: u32| {
            debug!(round, "debug");
            info!(round, "info");
            request().in_scope(|| warn!(round, "warn"));
        };
        say(1);
        logs.level("warn, palisade::logs=debug").unwrap();
        assert_eq!(logs.levels(), "warn,palisade::logs=debug");
        say(2);
        let error = logs.level("loud=,palisade=loud,info[span]=debug").unwrap_err();
        assert_eq!(error.mistakes().len(), 3, "{error}");
        say(3);
        logs.level("off").unwrap();
        say(4);
        Audit::new("user.delete").succeeded();
    });
    let told: Vec<_> = lines.iter().map(|line| object(line)).collect();
    let told: Vec<_> = told.iter().map(|line| (line["round"].as_u64(), line["message"].as_str().unwrap())).collect();
    let round = |round| [(Some(round), "debug"), (Some(round), "info"), (Some(round), "warn")];
    assert_eq!(told, [&[(Some(1), "warn")][..], &round(2), &round(3), &[(None, "audit")]].concat());
    // The request's span is at `info`, and its warning still says where it belongs.
    assert_eq!(object(&lines[0])["request_id"], "id-1");
}

#[test]
fn errors_and_audits_are_in_files_of_their_own_too() {
    let files = files(LogSettings::production(), |_| {
        info!("plain");
        error!("broken");
        Audit::new("user.delete").on("user:12").actor("cron").failed();
    });
    let counts: Vec<_> = files.iter().map(Vec::len).collect();
    assert_eq!(counts, [3, 1, 1]);
    assert_eq!(object(&files[1][0])["message"], "broken");
    assert_eq!(object(&files[2][0])["outcome"], "failed");
}

#[test]
fn every_mistake_is_named_and_the_environment_comes_first() {
    let nowhere = LogSettings::profile("prod")
        .level("info,loud=louder")
        .directory("/dev/null/logs")
        .file_bytes(0)
        .keep_files(0)
        .keep_for(Duration::from_secs(3600))
        .queue_bytes(100);
    let error = nowhere.checked(|_| None).unwrap_err();
    assert_eq!(error.mistakes().len(), 7, "{error}");
    let error = LogSettings::production().stdout(false).checked(|_| None).unwrap_err();
    assert_eq!(error.mistakes().len(), 1, "{error}");
    for (rust_log, log_level, said) in [
        (Some("debug"), Some("warn"), "debug"),
        (Some(" "), Some("warn"), "warn"),
        (None, Some("WARN"), "WARN"),
        (None, None, "info"),
    ] {
        let variable = |name: &str| match name {
            "RUST_LOG" => rust_log.map(str::to_owned),
            "LOG_LEVEL" => log_level.map(str::to_owned),
            _ => None,
        };
        let checked = LogSettings::production().checked(variable).unwrap();
        assert_eq!(Levels::new(checked.directives).said(), said);
    }
    let error = LogSettings::production().checked(|name| (name == "LOG_LEVEL").then(|| "a=b".into())).unwrap_err();
    assert!(error.to_string().contains("LOG_LEVEL: `a=b`"), "{error}");
}

#[test]
fn lines_of_the_access_log_take_the_same_way() {
    let lines = said(LogSettings::production(), |logs| logs.lines()(b"{\"whole\":1}\n"));
    assert_eq!(lines, ["{\"whole\":1}"]);
}

#[test]
fn beside_other_layers_only_what_is_wanted_here_is_written_here() {
    let directory = Directory::new("beside");
    let (layer, logs) = layer(&LogSettings::production().stdout(false).directory(&directory.0)).unwrap();
    logs.level("warn").unwrap();
    dispatcher::with_default(&Dispatch::new(Registry::default().with(layer)), || {
        let _request = request().entered();
        info!("not wanted");
        warn!("wanted");
    });
    assert!(logs.flush(PATIENCE));
    let text = fs::read_to_string(directory.0.join("app.log")).unwrap();
    assert_eq!((object(text.trim_end())["message"].as_str(), text.lines().count()), (Some("wanted"), 1));
}
