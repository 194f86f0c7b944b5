use std::io::Read as _;

use flate2::read::GzDecoder;

use super::*;

/// 2026-11-21, at noon.
fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_262_400)
}

fn keep(bytes: u64, files: usize) -> Retention {
    Retention { bytes, files, age: 30 * DAY }
}

/// A directory of this test's own.
pub(in crate::logs) struct Directory(pub(in crate::logs) PathBuf);

impl Directory {
    pub(in crate::logs) fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("palisade-logs-{}-{test}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A log without the thread that tidies: the test does, when it is time.
    fn log(&self, keep: &Retention, now: SystemTime) -> LogFile {
        LogFile::tidied_by(mpsc::channel().0, &self.0, "app", keep.bytes, now).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn write(log: &mut LogFile, mut lines: &[u8], now: SystemTime) {
    log.write(&mut lines, now).unwrap();
    assert_eq!(lines, b"");
}

#[test]
fn a_file_is_never_larger_than_it_may_be_and_no_line_is_cut() {
    let directory = Directory::new("size");
    let mut log = directory.log(&keep(10, 9), noon());
    write(&mut log, b"1234\n5678\nabcd\n", noon());
    write(&mut log, b"longer than a file\nef\n", noon());
    drop(log);
    assert_eq!(directory.text("app.2026-11-21.1.log"), "1234\n5678\n");
    assert_eq!(directory.text("app.2026-11-21.2.log"), "abcd\n");
    assert_eq!(directory.text("app.2026-11-21.3.log"), "longer than a file\n");
    assert_eq!(directory.text("app.log"), "ef\n");
}

#[test]
fn a_file_ends_with_its_day_and_a_clock_put_back_ends_none() {
    let directory = Directory::new("day");
    let mut log = directory.log(&keep(1000, 9), noon());
    write(&mut log, b"today\n", noon());
    write(&mut log, b"tomorrow\n", noon() + DAY);
    write(&mut log, b"still tomorrow\n", noon());
    assert_eq!(directory.names(), ["app.2026-11-21.1.log", "app.log"]);
    assert_eq!(directory.text("app.log"), "tomorrow\nstill tomorrow\n");
}

#[test]
fn a_restart_goes_on_and_one_on_another_day_begins_anew() {
    let directory = Directory::new("restart");
    let now = SystemTime::now();
    write(&mut directory.log(&keep(1000, 9), now), b"1\n", now);
    write(&mut directory.log(&keep(1000, 9), now), b"2\n", now);
    assert_eq!(directory.text("app.log"), "1\n2\n");
    write(&mut directory.log(&keep(1000, 9), now + DAY), b"3\n", now + DAY);
    assert_eq!(directory.text(&format!("app.{}.1.log", date(now))), "1\n2\n");
    assert_eq!(directory.text("app.log"), "3\n");
}

#[test]
fn what_was_ended_is_compressed_and_of_that_the_oldest_goes_first() {
    let directory = Directory::new("tidy");
    for day in ["2026-10-01", "2026-11-20", "2026-11-21"] {
        for index in [9, 10] {
            fs::write(directory.0.join(format!("app.{day}.{index}.log")), day.repeat(1000)).unwrap();
        }
    }
    let strangers = ["app.2026.1.log", "app.log", "app.txt", "errors.2026-10-01.1.log", "app.2026-10-01.x.log"];
    for name in strangers {
        fs::write(directory.0.join(name), "not ours").unwrap();
    }
    // What a run that was killed left behind.
    fs::write(directory.0.join("app.2026-11-21.10.log.part"), "half").unwrap();
    tidy(&directory.0, "app", &keep(1, 3), noon()).unwrap();
    let ours: Vec<_> = directory.names().into_iter().filter(|name| !strangers.contains(&&**name)).collect();
    assert_eq!(ours, ["app.2026-11-20.10.log.gz", "app.2026-11-21.10.log.gz", "app.2026-11-21.9.log.gz"]);
    let mut text = String::new();
    GzDecoder::new(File::open(directory.0.join(&ours[1])).unwrap()).read_to_string(&mut text).unwrap();
    assert_eq!(text, "2026-11-21".repeat(1000));
    tidy(&directory.0, "app", &Retention { age: DAY, ..keep(1, 9) }, noon() + DAY).unwrap();
    assert_eq!(directory.names().len(), strangers.len() + 2, "yesterday's are older than a day");
    assert!(strangers.iter().all(|name| directory.0.join(name).exists()));
}

#[test]
fn numbers_go_on_after_those_that_are_compressed() {
    let directory = Directory::new("numbers");
    fs::write(directory.0.join("app.2026-11-21.9.log.gz"), "").unwrap();
    let mut log = directory.log(&keep(1, 9), noon());
    write(&mut log, b"1\n2\n", noon());
    assert_eq!(directory.names(), ["app.2026-11-21.10.log", "app.2026-11-21.9.log.gz", "app.log"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_leaves_what_was_not_written() {
    let directory = Directory::new("full");
    std::os::unix::fs::symlink("/dev/full", directory.0.join("app.log")).unwrap();
    let mut log = directory.log(&keep(1000, 9), noon());
    let mut lines = &b"1\n2\n"[..];
    assert_eq!(log.write(&mut lines, noon()).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(lines, b"1\n2\n");
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = Directory::new("mode");
    drop(directory.log(&keep(1000, 9), noon()));
    assert_eq!(fs::metadata(directory.0.join("app.log")).unwrap().permissions().mode() & 0o037, 0);
}

#[test]
fn a_line_that_the_last_run_left_half_written_is_ended_first() {
    let directory = Directory::new("torn");
    for (found, then) in
        [("{\"half\":\"of a li", "{\"half\":\"of a li\nnext\n"), ("whole\n", "whole\nnext\n"), ("", "next\n")]
    {
        fs::write(directory.0.join("app.log"), found).unwrap();
        let mut log = directory.log(&keep(1000, 9), noon());
        // Of the day on which it was found, whatever the clock of this test says.
        log.date = date(noon());
        write(&mut log, b"next\n", noon());
        assert_eq!(directory.text("app.log"), then);
    }
    let old = File::open(directory.0.join("app.log")).unwrap();
    old.set_modified(SystemTime::UNIX_EPOCH - DAY).unwrap();
    let _ = directory.log(&keep(1000, 9), noon());
}
