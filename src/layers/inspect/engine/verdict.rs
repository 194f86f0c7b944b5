//! What inspection says of a value.

/// What kind of attack a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// Text that would become part of an SQL statement.
    SqlInjection,
    /// Markup or script that would run in somebody's page.
    Xss,
    /// A path that leaves its root, or names a file of the system.
    PathTraversal,
    /// Text that would become a command of a shell, or code on the server.
    CommandInjection,
}

impl Class {
    /// All of them, in the order in which they are looked at.
    pub const ALL: [Self; 4] = [Self::SqlInjection, Self::Xss, Self::PathTraversal, Self::CommandInjection];

    /// The name in metrics, logs and settings: `sql-injection`, `xss`, `path-traversal`, `command-injection`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SqlInjection => "sql-injection",
            Self::Xss => "xss",
            Self::PathTraversal => "path-traversal",
            Self::CommandInjection => "command-injection",
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// Where in a request a value was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Location {
    /// The path, or one of its parameters.
    Path,
    /// A name or a value of the query.
    Query,
    /// A header's value.
    Header,
    /// A cookie's value.
    Cookie,
    /// A name or a value of a form.
    Form,
    /// A string or a key of a JSON document.
    Json,
    /// A part of a multipart body.
    Multipart,
    /// Any other text.
    Text,
}

impl Location {
    /// The name in logs and summaries.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::Form => "form",
            Self::Json => "json",
            Self::Multipart => "multipart",
            Self::Text => "text",
        }
    }

    /// People write prose into bodies and seldom into addresses: what is odd is odder there.
    pub(super) const fn prior(self) -> i32 {
        match self {
            Self::Path | Self::Query => 1,
            Self::Header | Self::Cookie | Self::Form | Self::Json | Self::Multipart | Self::Text => 0,
        }
    }
}

/// How easily a class of attacks is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Sensitivity {
    /// Not looked for.
    Off,
    /// What is refused is an attack: almost nothing that people write is.
    #[default]
    Default,
    /// What only looks like one is refused too: for values that hold no prose and no code.
    Strict,
}

impl Sensitivity {
    /// The least [`score`](Scores::of) that is refused.
    pub const fn threshold(self) -> u16 {
        match self {
            Self::Off => u16::MAX,
            Self::Default => 9,
            Self::Strict => 4,
        }
    }
}

/// That a value looks like an attack, and why. It never holds the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub(super) class: Class,
    pub(super) finding: Finding,
}

impl Verdict {
    /// What kind of attack.
    pub const fn class(&self) -> Class {
        self.class
    }

    /// What gave it away, in a word of a stable vocabulary. Its beginning says what was seen, which the class may be more than:
    ///
    /// | rule | seen |
    /// |---|---|
    /// | `sql-break-out` | a quote that ends a text, with a comment, a connective or a statement behind it |
    /// | `sql-case` | `case when .. then` |
    /// | `sql-cast` | `::type`, as `PostgreSQL` has it |
    /// | `sql-catalogue` | a table that describes the database: `information_schema`, `sqlite_master` |
    /// | `sql-characters` | text spelled out as `char(65)` |
    /// | `sql-comment` | a comment where none belongs: `--`, `#`, `/*! */` |
    /// | `sql-condition` | `and` or `or` with a comparison |
    /// | `sql-density` | more SQL than words of anything else (strict) |
    /// | `sql-expression` | operators around what would stand between quotes: `'+'`, `'\|\|'` |
    /// | `sql-file` | `into outfile`, `into dumpfile` |
    /// | `sql-from` | `from` a table |
    /// | `sql-function` | a function of a database, above all one that waits, reads files or tells of errors |
    /// | `sql-having` | `having` a condition |
    /// | `sql-hexadecimal` | a whole text as `0x..` |
    /// | `sql-limit` | `limit` of a query |
    /// | `sql-number` | `1.e(`, which only `MySQL` reads |
    /// | `sql-operator` | an operator of a database of documents: `{"$ne": ..` |
    /// | `sql-order` | `order by`, `group by` |
    /// | `sql-procedure` | `procedure analyse` |
    /// | `sql-select` | `select` with what may be selected |
    /// | `sql-stacked` | a second statement behind a `;` |
    /// | `sql-statement` | a statement: `drop table`, `insert into` |
    /// | `sql-subquery` | a query in parentheses |
    /// | `sql-tautology` | a condition that is always true: `1=1` |
    /// | `sql-union` | `union select` |
    /// | `sql-variable` | a variable of the server: `@@version` |
    /// | `sql-wait` | `waitfor delay` |
    /// | `ldap-filter` | a filter of LDAP that ends one and begins another (of the class SQL injection) |
    /// | `xss-attribute` | an attribute that runs, or loads what runs |
    /// | `xss-break-out` | a quote that ends a script's text, with a call behind it |
    /// | `xss-comment` | a conditional comment, `<![` |
    /// | `xss-entity` | `<!ENTITY`, or a doctype that defines |
    /// | `xss-escaped` | that it was written in entities or escapes |
    /// | `xss-handler` | a handler: `onerror=` |
    /// | `xss-include` | `<!--#`, which a server carries out |
    /// | `xss-instruction` | `<?import`, `<?xml-stylesheet` |
    /// | `xss-likeness` | what looks like markup or a script and does nothing yet (strict) |
    /// | `xss-scheme` | an address that runs: `javascript:`, `data:text/html` |
    /// | `xss-script` | a `<script>`, or what follows one |
    /// | `xss-script-call` | a call in a script: `alert(1)` |
    /// | `xss-script-object` | an object of scripts: `document.cookie`, `window[..]` |
    /// | `xss-style` | a style that runs: `expression(..)`, `@import` |
    /// | `xss-symbols` | a script of brackets and signs alone |
    /// | `xss-tag` | a tag that runs, loads or asks for input |
    /// | `xss-template` | a template's expression that reaches a script |
    /// | `xss-utf7` | a `<` in UTF-7 |
    /// | `path-climb` | `../`, plain or encoded |
    /// | `path-disk` | a path on a disk of Windows: `c:\\x` |
    /// | `path-dots` | segments of dots that lead nowhere, or far too many |
    /// | `path-encoding` | dots and slashes in an encoding that nobody needs for them |
    /// | `path-file` | a file that attackers ask for: `etc/passwd`, `web.config` |
    /// | `path-hidden` | a hidden file or directory in a path |
    /// | `path-nul` | a NUL in a path |
    /// | `path-padding` | a path long enough to cut off what is appended to it |
    /// | `path-scheme` | an address that opens files or commands: `php://`, `jar:` |
    /// | `path-share` | another host's share: `\\host\share` |
    /// | `path-system` | an absolute path into the system |
    /// | `command` | a command behind `;`, `\|`, `&`, a line end, or first of all |
    /// | `command-argument` | an option where a program may take the value as one: `--name=value` |
    /// | `command-arithmetic` | a sum for a shell: `$((1+1))` |
    /// | `command-batch` | `if` and `for` of Windows' shell |
    /// | `command-braces` | `{cat,/etc/passwd}` |
    /// | `command-expression` | `$(..)`, `` `..` `` |
    /// | `command-function` | a function in the place of a variable: `() {` |
    /// | `command-holes` | a name with holes that a shell fills: `/b?n/c?t` |
    /// | `command-ifs` | `$IFS` for a space |
    /// | `command-path` | a program by its path: `/bin/sh` |
    /// | `command-quoting` | a command taken apart by quotes: `c'a't` |
    /// | `command-redirection` | `> file`, `< file` |
    /// | `command-registry` | a key of Windows' registry |
    /// | `command-separator` | what separates commands at the edge of an address |
    /// | `command-shell` | a shell with a command: `sh -c`, `cmd /c` |
    /// | `command-variable` | a variable of a shell or of Windows: `$HOME`, `%COMSPEC%` |
    /// | `code-call` | a call of what runs code: `eval(..)`, `system(..)` |
    /// | `code-include` | `<!--#exec` |
    /// | `code-object` | an object that leads to such: `__class__`, `$_GET[..]` |
    /// | `code-tag` | `<?php`, `<%` |
    /// | `code-template` | an expression of a server's template: `{{7*7}}`, `${..}` |
    ///
    /// Summaries have `own` for [rules of one's own](crate::inspect::InspectLayer::rule).
    pub const fn rule(&self) -> &'static str {
        self.finding.rule
    }

    /// Where, in bytes of the value as it came in; where the value was encoded, about where.
    pub const fn offset(&self) -> usize {
        self.finding.offset
    }

    /// How much speaks for it: at least the [`threshold`](Sensitivity::threshold) of the class's sensitivity.
    pub const fn score(&self) -> u16 {
        self.finding.score
    }
}

/// What a detector found: the strongest sign and the sum of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Finding {
    pub(super) score: u16,
    pub(super) rule: &'static str,
    pub(super) offset: usize,
}

impl Finding {
    pub(super) fn or(self, other: Self) -> Self {
        if other.score > self.score { other } else { self }
    }
}

/// Signs, added up. The strongest names the rule.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signs {
    sum: i32,
    strongest: i32,
    rule: &'static str,
    offset: usize,
}

impl Signs {
    pub(super) fn add(&mut self, points: i32, rule: &'static str, offset: usize) {
        self.sum += points;
        if points > self.strongest {
            (self.strongest, self.rule, self.offset) = (points, rule, offset);
        }
    }

    pub(super) fn sum(&self) -> i32 {
        self.sum
    }

    /// The sum less what speaks against it.
    pub(super) fn less(self, against: i32) -> Finding {
        let score = u16::try_from((self.sum - against).clamp(0, 1000)).unwrap_or(0);
        if score == 0 { Finding::default() } else { Finding { score, rule: self.rule, offset: self.offset } }
    }
}

/// The score of each class, from one look at a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scores {
    findings: [Finding; 4],
}

impl Scores {
    /// How much speaks for an attack of this class: 0 for nothing, from the [`threshold`](Sensitivity::threshold) on it is
    /// refused.
    pub const fn of(&self, class: Class) -> u16 {
        self.findings[class.index()].score
    }

    /// The clearest attack, were every class as sensitive as this.
    pub fn verdict(&self, sensitivity: Sensitivity) -> Option<Verdict> {
        self.verdict_by(|_| sensitivity)
    }

    pub(super) fn verdict_by(&self, sensitivity: impl Fn(Class) -> Sensitivity) -> Option<Verdict> {
        let refused = Class::ALL.into_iter().filter(|class| self.of(*class) >= sensitivity(*class).threshold());
        let class = refused.max_by_key(|class| self.of(*class))?;
        Some(Verdict { class, finding: self.findings[class.index()] })
    }

    pub(super) fn raise(&mut self, class: Class, finding: Finding) {
        let known = &mut self.findings[class.index()];
        *known = known.or(finding);
    }
}
