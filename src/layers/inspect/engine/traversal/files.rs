//! Files and directories of a system that no request has to name.

use memchr::memchr_iter;

use crate::inspect::engine::verdict::Signs;

/// Where a system keeps what it keeps to itself; at a path's start.
const ROOTS: [(&str, i32); 42] = [
    ("/etc/", 10),
    ("/proc/", 10),
    ("/var/log/", 10),
    ("/var/lib/", 9),
    ("/var/adm/", 10),
    ("/var/mail/", 10),
    ("/var/spool/", 10),
    ("/var/www/", 9),
    ("/var/run/", 10),
    ("/var/apache", 10),
    ("/var/mysql", 10),
    ("/var/cpanel", 10),
    ("/var/local/", 9),
    ("/var/backups/", 10),
    ("/var/webmin/", 10),
    ("/root/", 10),
    ("/boot/", 10),
    ("/dev/", 9),
    ("/sys/", 9),
    ("/private/etc/", 10),
    ("/usr/local/", 9),
    ("/usr/lib/", 8),
    ("/usr/etc/", 10),
    ("/usr/pkg", 9),
    ("/usr/ports", 9),
    ("/usr/home/", 9),
    ("/usr/share/", 7),
    ("/usr/sbin/", 9),
    ("/usr/bin/", 9),
    ("/usr/apache", 10),
    ("/opt/", 9),
    ("/home/", 7),
    ("/bin/", 8),
    ("/sbin/", 9),
    ("/tmp/", 7),
    ("/logs/", 7),
    ("/apache", 9),
    ("/xampp", 10),
    ("/mysql/", 8),
    ("/var/", 9),
    ("/usr/", 8),
    ("/www/", 8),
];

/// Files by name, wherever they are; by their first letters.
const NAMES: [&str; 51] = [
    ".aws/",
    ".bash_history",
    ".bashrc",
    ".env",
    ".git/config",
    ".htaccess",
    ".htpasswd",
    ".mysql_history",
    ".ssh/",
    "access.log",
    "access_log",
    "apache2.conf",
    "authorized_keys",
    "autoexec.bat",
    "boot.ini",
    "cmd.exe",
    "config.inc.php",
    "config.php",
    "error.log",
    "error_log",
    "etc/crontab",
    "etc/fstab",
    "etc/group",
    "etc/hosts",
    "etc/issue",
    "etc/master.passwd",
    "etc/motd",
    "etc/passwd",
    "etc/security/",
    "etc/shadow",
    "global.asa",
    "httpd.conf",
    "id_rsa",
    "meta-inf/",
    "my.cnf",
    "my.ini",
    "ntuser.dat",
    "php.ini",
    "proc/self/",
    "proc/version",
    "repair/sam",
    "sysprep.inf",
    "sysprep.xml",
    "system.ini",
    "system32/",
    "unattend.xml",
    "web-inf/",
    "web.config",
    "win.ini",
    "winnt/",
    "wp-config",
];

/// Where in [`NAMES`] a letter's names begin and end.
static INDEX: [(u8, u8); 128] = index();

#[expect(clippy::cast_possible_truncation, reason = "fewer names than 256")]
const fn index() -> [(u8, u8); 128] {
    let mut index = [(0, 0); 128];
    let mut at = 0;
    while at < NAMES.len() {
        let letter = NAMES[at].as_bytes()[0] as usize;
        if index[letter].1 == 0 {
            index[letter].0 = at as u8;
        }
        index[letter].1 = at as u8 + 1;
        at += 1;
    }
    index
}

/// What of a Windows disk is asked for.
const WINDOWS: [&str; 23] = [
    "windows",
    "winnt",
    "boot.ini",
    "inetpub",
    "program files",
    "programfiles",
    "unattend",
    "$recycle",
    "programdata",
    "xampp",
    "wamp",
    "apache",
    "php",
    "mysql",
    "users",
    "documents and settings",
    "system volume",
    "sysprep",
    "logs",
    "nginx",
    "home",
    "pagefile",
    "config",
];

/// Whether a value is a path from its first byte.
pub(super) fn is_rooted(text: &[u8]) -> bool {
    matches!(text, [b'/' | b'\\', ..] | [_, b':', b'/' | b'\\', ..])
}

fn starts(text: &[u8], at: usize, what: &str) -> bool {
    text.get(at..at + what.len())
        .is_some_and(|text| text.iter().zip(what.bytes()).all(|(byte, other)| fold(*byte) == other))
}

fn fold(byte: u8) -> u8 {
    if byte == b'\\' { b'/' } else { byte.to_ascii_lowercase() }
}

/// Adds what the files of a path are worth: with a climb before them, at the start of a value that is a path, or after `file:`.
pub(super) fn named(text: &[u8], is_path: bool, climbs: bool, signs: &mut Signs) {
    let scheme = if starts(text, 0, "file:") { 5 } else { 0 };
    let mut root = scheme;
    while starts(text, root + 1, "/") && starts(text, root, "/") {
        root += 1;
    }
    if is_path {
        let rooted = starts(text, root, "/");
        let first = text.get(root + 1).map_or(0, u8::to_ascii_lowercase);
        let is_root = |name: &str| name.as_bytes()[1] == first && starts(text, root, name);
        if rooted && let Some((_, points)) = ROOTS.iter().find(|(name, _)| is_root(name)) {
            signs.add(*points, "path-system", root);
        }
        let drive = usize::from(starts(text, root, "/")) + root;
        let is_drive = text.get(drive).is_some_and(u8::is_ascii_alphabetic) && text.get(drive + 1) == Some(&b':');
        let after = if is_drive { drive + 2 } else { root };
        let mut folder = after;
        while starts(text, folder, "/") {
            folder += 1;
        }
        if (is_drive || text.get(root) == Some(&b'\\')) && WINDOWS.iter().any(|name| starts(text, folder, name)) {
            signs.add(10, "path-system", root);
        }
    }
    if !is_path && !climbs {
        // In a sentence only what has no other meaning.
        if let Some(at) = text.windows(4).position(|four| four.eq_ignore_ascii_case(b"etc/"))
            && names_at(text, at).is_some()
        {
            signs.add(4, "path-file", at);
        }
        return;
    }
    if !climbs && scheme == 0 && memchr_iter(b':', text).any(|at| text[at..].starts_with(b"://")) {
        return;
    }
    let mut begins = true;
    // A file's address says where it is: only its root is a system's.
    let end = if climbs || scheme == 0 { text.len() } else { text.len().min(root + 2) };
    for (at, byte) in text[..end].iter().enumerate() {
        if begins && let Some(name) = names_at(text, at) {
            let ends =
                text.get(at + name.len()).is_none_or(|byte| !byte.is_ascii_alphanumeric()) || name.ends_with('/');
            let points = match (climbs, ends) {
                (true, _) => 8,
                (false, true) => 9,
                (false, false) => 6,
            };
            signs.add(points + i32::from(at == 0 && is_path) * 2, "path-file", at);
            return;
        }
        // A row of dots begins no name more than once.
        begins = !(byte.is_ascii_alphanumeric() || *byte == b'.' && text.get(at + 1) == Some(&b'.'));
    }
}

fn names_at(text: &[u8], at: usize) -> Option<&'static str> {
    let (start, end) = *INDEX.get(usize::from(fold(*text.get(at)?)))?;
    NAMES[usize::from(start)..usize::from(end)].iter().copied().find(|name| starts(text, at, name))
}
