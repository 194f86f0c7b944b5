//! A log file that ends with its day or when it is full, and what becomes of it then.
//!
//! `app.log` is renamed to `app.2026-11-21.1.log`, compressed to `app.2026-11-21.1.log.gz` by a thread of its own, and removed when there are
//! too many or it is too old. Days are UTC. Whatever was left half done is done after the next start.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::mpsc::{self, Sender},
    thread,
    time::{Duration, SystemTime},
};

use flate2::{Compression, write::GzEncoder};
use humantime::format_rfc3339_seconds;

pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How much is kept, and for how long.
#[derive(Debug, Clone)]
pub(super) struct Retention {
    pub(super) bytes: u64,
    pub(super) files: usize,
    pub(super) age: Duration,
}

/// The day that a log file is named after.
fn date(time: SystemTime) -> String {
    format_rfc3339_seconds(time).to_string().chars().take(10).collect()
}

fn opened(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    // What users do is nobody else's business.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path)
}

/// Whether the last line has no end.
fn ends_in_a_line(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut last = [0];
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// A file that only this process writes to.
#[derive(Debug)]
pub(super) struct LogFile {
    directory: PathBuf,
    name: &'static str,
    file: File,
    size: u64,
    full: u64,
    /// Of its first line.
    date: String,
    tidy: Sender<()>,
}

impl LogFile {
    /// Goes on where the last run ended.
    pub(super) fn open(directory: &Path, name: &'static str, keep: &Retention, now: SystemTime) -> io::Result<Self> {
        let tidy = tidier(directory.to_owned(), name, keep.clone())?;
        let _ = tidy.send(());
        Self::tidied_by(tidy, directory, name, keep.bytes, now)
    }

    fn tidied_by(
        tidy: Sender<()>,
        directory: &Path,
        name: &'static str,
        full: u64,
        now: SystemTime,
    ) -> io::Result<Self> {
        let path = directory.join(name).with_extension("log");
        let mut file = opened(&path)?;
        if ends_in_a_line(&path)? {
            // The last run was ended in the middle of it.
            file.write_all(b"\n")?;
        }
        let known = file.metadata()?;
        // When the last line was written; of the first no file system knows.
        let begun = if known.len() > 0 { known.modified()?.max(SystemTime::UNIX_EPOCH) } else { now };
        let (directory, size) = (directory.to_owned(), known.len());
        Ok(Self { directory, name, file, size, full, date: date(begun), tidy })
    }

    /// Writes whole lines and takes them off `lines`; what is left there after an error was not written.
    pub(super) fn write(&mut self, lines: &mut &[u8], now: SystemTime) -> io::Result<()> {
        let today = date(now);
        while !lines.is_empty() {
            if self.size == 0 {
                self.date.clone_from(&today);
            }
            let room = usize::try_from(self.full.saturating_sub(self.size)).unwrap_or(usize::MAX);
            let fitting = match lines.get(..room) {
                None => lines.len(),
                Some(head) => head.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1),
            };
            // ISO dates are in the order of time. A clock that was put back ends no file.
            if self.size > 0 && (fitting == 0 || self.date < today) {
                self.rotate()?;
                continue;
            }
            let longer = lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |end| end + 1);
            let (piece, rest) = lines.split_at(if fitting == 0 { longer } else { fitting });
            if let Err(error) = self.file.write_all(piece) {
                // Half a line would spoil the next.
                if self.file.metadata().is_ok_and(|known| known.len() > self.size) {
                    let _ = self.file.set_len(self.size);
                }
                return Err(error);
            }
            self.size += piece.len() as u64;
            *lines = rest;
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let path = self.directory.join(self.name).with_extension("log");
        let (name, date) = (self.name, &self.date);
        // One after the last, so that their order is that of time.
        let last =
            rotated(&self.directory, name)?.into_iter().filter(|old| old.date == *date).map(|old| old.index).max();
        let index = last.map_or(1, |last| last + 1);
        match fs::rename(&path, self.directory.join(format!("{name}.{date}.{index}.log"))) {
            // Somebody took it away, or the last try came so far.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.file = opened(&path)?;
        self.size = self.file.metadata()?.len();
        let _ = self.tidy.send(());
        Ok(())
    }
}

/// A file that was ended.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rotated {
    date: String,
    index: u64,
    path: PathBuf,
    is_compressed: bool,
}

/// Those of this log. Nothing else in the directory is ever touched.
fn rotated(directory: &Path, name: &str) -> io::Result<Vec<Rotated>> {
    let read = |path: PathBuf| {
        let rest = path.file_name()?.to_str()?.strip_prefix(name)?.strip_prefix('.')?;
        let (rest, is_compressed) = rest.strip_suffix(".gz").map_or((rest, false), |rest| (rest, true));
        let (date, index) = rest.strip_suffix(".log")?.split_once('.')?;
        let is_date = date.len() == 10 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        Some(Rotated { date: date.to_owned(), index: index.parse().ok().filter(|_| is_date)?, is_compressed, path })
    };
    let files = fs::read_dir(directory)?;
    let mut files: Vec<_> = files.filter_map(|entry| read(entry.ok()?.path())).collect();
    files.sort();
    Ok(files)
}

/// Starts the thread that tidies whenever it is told to, until nobody can tell it any more.
fn tidier(directory: PathBuf, name: &'static str, keep: Retention) -> io::Result<Sender<()>> {
    let (tell, told) = mpsc::channel();
    let tidy_all = move || {
        for () in told {
            if let Err(error) = tidy(&directory, name, &keep, SystemTime::now()) {
                // Not `eprintln`, which panics where nobody reads.
                let _ = writeln!(io::stderr(), "old logs in {} are not tidied: {error}", directory.display());
            }
        }
    };
    thread::Builder::new().name("palisade-log-tidy".into()).spawn(tidy_all)?;
    Ok(tell)
}

/// Compresses what was ended, and removes what is too old or too much.
fn tidy(directory: &Path, name: &str, keep: &Retention, now: SystemTime) -> io::Result<()> {
    let files = rotated(directory, name)?;
    let oldest = date(now.checked_sub(keep.age).unwrap_or(SystemTime::UNIX_EPOCH));
    let surplus = files.len().saturating_sub(keep.files);
    for (place, old) in files.iter().enumerate() {
        if place < surplus || old.date < oldest {
            fs::remove_file(&old.path)?;
        } else if !old.is_compressed {
            compress(&old.path)?;
        }
    }
    Ok(())
}

/// The old file is there until the new one is whole.
fn compress(path: &Path) -> io::Result<()> {
    let part = path.with_extension("log.part");
    let whole = path.with_extension("log.gz");
    // Left from a run that was cut short; it is not to be added to.
    let _ = fs::remove_file(&part);
    let copied = opened(&part).and_then(|file| {
        let mut packed = GzEncoder::new(file, Compression::default());
        io::copy(&mut File::open(path)?, &mut packed)?;
        packed.finish()?.sync_all()
    });
    if let Err(error) = copied {
        let _ = fs::remove_file(&part);
        return Err(error);
    }
    fs::rename(&part, whole)?;
    fs::remove_file(path)
}

#[cfg(test)]
pub(super) mod tests;
