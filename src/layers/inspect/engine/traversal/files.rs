//! Files and directories of a system that no request has to name.

use memchr::memchr_iter;

use crate::inspect::engine::verdict::Signs;

/// Where a system keeps what it keeps to itself; at a path's start.
const ROOTS: [(&str, i32); 76] = [
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
    // A route may be called so, a device is not.
    ("/dev/disk/", 10),
    ("/dev/fd", 10),
    ("/dev/hd", 10),
    ("/dev/kmem", 10),
    ("/dev/mapper/", 10),
    ("/dev/mem", 10),
    ("/dev/null", 10),
    ("/dev/pts/", 10),
    ("/dev/random", 10),
    ("/dev/sd", 10),
    ("/dev/shm/", 10),
    ("/dev/std", 10),
    ("/dev/tcp/", 10),
    ("/dev/tty", 10),
    ("/dev/udp/", 10),
    ("/dev/urandom", 10),
    ("/dev/zero", 10),
    ("/dev/", 5),
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
    ("/apache/", 9),
    ("/apache2/", 9),
    ("/httpd/", 8),
    ("/nginx/", 8),
    ("/export/home/", 10),
    ("/lib64/", 8),
    ("/lost+found/", 9),
    ("/mnt/", 6),
    ("/srv/", 6),
    ("/selinux/", 9),
    ("/run/", 3),
    ("/private/", 7),
    ("/library/logs/", 9),
    ("/library/preferences/", 9),
    ("/library/launchdaemons/", 9),
    ("/system/library/", 10),
    ("/users/shared/", 8),
    ("/volumes/", 7),
    ("/xampp", 10),
    ("/mysql/", 8),
    ("/var/", 9),
    ("/usr/", 8),
    ("/www/", 8),
];

/// Files by name, wherever they are; by their first letters.
const NAMES: [&str; 77] = [
    ".aws/",
    ".azure/",
    ".bash_history",
    ".bash_profile",
    ".bash_logout",
    ".bashrc",
    ".config/gcloud",
    ".cshrc",
    ".docker/config",
    ".ds_store",
    ".env",
    ".git/",
    ".gnupg/",
    ".hg/",
    ".htaccess",
    ".htpasswd",
    ".kube/",
    ".my.cnf",
    ".mysql_history",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".profile",
    ".psql_history",
    ".pypirc",
    ".python_history",
    ".rediscli_history",
    ".rhosts",
    ".s3cfg",
    ".ssh/",
    ".svn/",
    ".viminfo",
    ".zsh_history",
    ".zshrc",
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
    "nginx.conf",
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
const WINDOWS: [&str; 32] = [
    "cygwin",
    "easyphp",
    "iis",
    "msys",
    "perflogs",
    "postgres",
    "tomcat",
    "uniserv",
    "wwwroot",
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

/// What files end with that a server keeps to itself: logs, copies, keys, settings, databases.
const PRIVATE: [&str; 22] = [
    ".asa", ".bak", ".cfg", ".conf", ".core", ".db", ".dump", ".inc", ".ini", ".key", ".log", ".mdb", ".old", ".orig",
    ".p12", ".pem", ".pfx", ".save", ".sql", ".sqlite", ".swp", "~",
];

/// Whether a path ends with such a file.
pub(super) fn is_private(text: &[u8]) -> bool {
    let end = text.len().saturating_sub(8);
    let Some(dot) = text[end..].iter().rposition(|byte| matches!(byte, b'.' | b'~')) else { return false };
    let at = end + dot;
    at > 1 && text[at - 1] != b'/' && PRIVATE.iter().any(|name| text.len() == at + name.len() && starts(text, at, name))
}

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

/// The points of the directory that a path begins with.
fn of_root(text: &[u8], root: usize) -> Option<i32> {
    let second = fold(*text.get(root + 1)?);
    let mut alike = ROOTS.iter().filter(|(name, _)| name.as_bytes()[1] == second);
    alike.find(|(name, _)| starts(text, root, name)).map(|(_, points)| *points)
}

/// How long the scheme `file:` is, if there is one, and where the path behind it begins.
fn root_of(text: &[u8]) -> (usize, usize) {
    let scheme = if starts(text, 0, "file:") { 5 } else { 0 };
    let mut root = scheme;
    if starts(text, root, "//localhost/") {
        root += 11;
    }
    // `//x` and `/./x` are `/x`.
    while let step = usize::from(starts(text, root, "//")) + 2 * usize::from(starts(text, root, "/./"))
        && step > 0
    {
        root += step;
    }
    (scheme, root)
}

/// Whether the address of a file begins as one of a system does.
pub(super) fn is_address(text: &[u8]) -> bool {
    let (scheme, root) = root_of(text);
    let is_drive = || text[root..].iter().take(3).any(|byte| matches!(byte, b':' | b'|' | b'\\'));
    scheme > 0 && (of_root(text, root).is_some() || is_drive() || names_at(text, root + 1).is_some())
}

/// Adds what the files of a path are worth: with a climb before them, at the start of a value that is a path, or after `file:`.
pub(super) fn named(text: &[u8], is_path: bool, climbs: bool, signs: &mut Signs) {
    let (scheme, root) = root_of(text);
    if is_path {
        let rooted = starts(text, root, "/");
        if rooted && let Some(points) = of_root(text, root) {
            signs.add(points, "path-system", root);
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
            // `.profile-picture`
            let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' && name.starts_with('.');
            let ends = !text.get(at + name.len()).is_some_and(goes_on) || name.ends_with('/');
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
    let second = fold(*text.get(at + 1)?);
    let mut alike = NAMES[usize::from(start)..usize::from(end)].iter().filter(|name| name.as_bytes()[1] == second);
    alike.find(|name| starts(text, at, name)).copied()
}
