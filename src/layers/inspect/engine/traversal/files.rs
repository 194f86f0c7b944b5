//! Files and directories of a system that no request has to name.

use crate::inspect::engine::verdict::Signs;

/// Where a system keeps what it keeps to itself; at a path's start.
const ROOTS: [(&str, i32); 40] = [
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
    ("/var/nm", 8),
    ("/var/local/", 9),
    ("/var/backups/", 10),
    ("/var/webmin/", 10),
    ("/root/", 10),
    ("/boot/", 10),
    ("/dev/", 8),
    ("/sys/", 8),
    ("/private/etc/", 10),
    ("/usr/local/", 8),
    ("/usr/lib/", 8),
    ("/usr/etc/", 10),
    ("/usr/pkg", 9),
    ("/usr/ports", 9),
    ("/usr/home/", 9),
    ("/usr/share/", 7),
    ("/usr/sbin/", 9),
    ("/usr/bin/", 9),
    ("/usr/apache", 10),
    ("/opt/", 8),
    ("/home/", 7),
    ("/bin/", 8),
    ("/sbin/", 9),
    ("/tmp/", 7),
    ("/logs/", 7),
    ("/apache", 9),
    ("/xampp", 10),
    ("/mysql/", 8),
];

/// Files by name, wherever they are.
const NAMES: [&str; 52] = [
    "etc/passwd",
    "etc/shadow",
    "etc/group",
    "etc/hosts",
    "etc/issue",
    "etc/motd",
    "etc/fstab",
    "etc/crontab",
    "etc/master.passwd",
    "etc/security/",
    "proc/self/",
    "proc/version",
    "boot.ini",
    "win.ini",
    "system.ini",
    "php.ini",
    "my.cnf",
    "my.ini",
    ".htaccess",
    ".htpasswd",
    "web.config",
    "web-inf/",
    "meta-inf/",
    "global.asa",
    ".ssh/",
    "id_rsa",
    ".bash_history",
    ".bashrc",
    ".mysql_history",
    "httpd.conf",
    "access_log",
    "error_log",
    "access.log",
    "error.log",
    "wp-config",
    "config.inc.php",
    "system32/",
    "repair/sam",
    "sysprep.inf",
    "sysprep.xml",
    "unattend.xml",
    "cmd.exe",
    "authorized_keys",
    ".git/config",
    ".aws/",
    ".env",
    "config.php",
    "autoexec.bat",
    "ntuser.dat",
    "winnt/",
    "{file}",
    "apache2.conf",
];

/// What of a Windows disk is asked for.
const WINDOWS: [&str; 20] = [
    "windows",
    "winnt",
    "boot.ini",
    "inetpub",
    "program files",
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
        if let Some((_, points)) = ROOTS.iter().find(|(name, _)| starts(text, root, name)) {
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
    for (at, byte) in text.iter().enumerate() {
        let begins = matches!(
            fold(*byte),
            b'e' | b'p'
                | b'b'
                | b'w'
                | b's'
                | b'm'
                | b'.'
                | b'g'
                | b'i'
                | b'h'
                | b'a'
                | b'c'
                | b'r'
                | b'u'
                | b'n'
                | b'{'
        ) && (at == 0 || !text[at - 1].is_ascii_alphanumeric());
        if begins && let Some(name) = NAMES.iter().find(|name| starts(text, at, name)) {
            let ends =
                text.get(at + name.len()).is_none_or(|byte| !byte.is_ascii_alphanumeric()) || name.ends_with('/');
            let points = match (climbs, is_path) {
                (true, _) => 8,
                (false, true) if at == 0 || ends => 7,
                (false, true) => 5,
                (false, false) if name.starts_with("etc/") && ends => 4,
                (false, false) => 0,
            };
            if points > 0 {
                signs.add(points + i32::from(at == 0 && is_path) * 2, "path-file", at);
            }
            break;
        }
    }
}
