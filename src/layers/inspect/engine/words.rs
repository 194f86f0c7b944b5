//! The words that mean something to a detector, in one table that is built when the crate is compiled.
//!
//! A word's entry says at once what it is in SQL, to a shell, to a browser and in English: each word of a value is looked up once.

/// What a word is to the detectors.
pub(super) mod mark {
    /// Seldom seen but in SQL.
    pub(in super::super) const SQL: u16 = 1;
    /// SQL, but English as well.
    pub(in super::super) const CONNECTIVE: u16 = 2;
    /// Holds sentences together.
    pub(in super::super) const PROSE: u16 = 4;
    /// A program that nobody names by accident.
    pub(in super::super) const COMMAND: u16 = 8;
    /// A program that is an English word too.
    pub(in super::super) const AMBIGUOUS: u16 = 16;
    /// Of scripts in a page.
    pub(in super::super) const SCRIPT: u16 = 32;
    /// Of scripts on a server.
    pub(in super::super) const CODE: u16 = 64;
    /// Of paths worth stealing.
    pub(in super::super) const PATH: u16 = 128;
    /// A function of SQL, where a parenthesis follows.
    pub(in super::super) const FUNCTION: u16 = 256;
    /// Begins a statement of SQL, and many a sentence.
    pub(in super::super) const VERB: u16 = 512;
    /// Of a batch file, or of a way into a shell.
    pub(in super::super) const BATCH: u16 = 1024;
}

/// What a word is in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sql {
    /// Nothing: a name, or a word of prose.
    None,
    Union,
    Select,
    From,
    Where,
    /// `and`, `or`, `xor`, `div`, `mod`.
    Logic,
    Not,
    /// A comparison in letters: `like`, `in`, `between` ..
    Compare,
    /// Begins a statement.
    Verb,
    /// What a verb is about: `table`, `database` ..
    Object,
    /// `order`, `group`.
    Order,
    By,
    Having,
    Limit,
    Into,
    /// `all`, `distinct`: between `union` and `select`.
    All,
    Join,
    /// `null`, `true` ..: an operand.
    Literal,
    /// Harmless or not, a function where a parenthesis follows.
    Function,
    /// A function that waits, reads files or speaks in error messages; an attack's tool.
    Weapon,
    /// A name out of a catalogue: where an attack looks for names.
    Catalogue,
    /// `case`, `when`, `then`, `else`, `end`.
    Case,
    /// An operator before its operand: `binary`.
    Unary,
    As,
    /// `waitfor`, and what follows it.
    Wait,
    Delay,
    Procedure,
    Type,
    /// Any other keyword.
    Other,
}

/// One word and what it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    text: &'static [u8],
    pub(super) sql: Sql,
    pub(super) marks: u16,
}

const fn group(sql: Sql, marks: u16, words: &'static str) -> (Sql, u16, &'static str) {
    (sql, marks, words)
}

/// A word may stand in several groups: what it is in SQL is the last that says so, the marks add up.
const GROUPS: &[(Sql, u16, &str)] = &[
    group(Sql::Union, mark::SQL, "union intersect except"),
    group(Sql::Select, mark::SQL, "select"),
    group(Sql::From, mark::CONNECTIVE | mark::PROSE, "from"),
    group(Sql::Where, mark::CONNECTIVE | mark::PROSE, "where"),
    group(Sql::Logic, mark::CONNECTIVE | mark::PROSE, "and or"),
    group(Sql::Logic, mark::CONNECTIVE, "xor div mod"),
    group(Sql::Not, mark::CONNECTIVE | mark::PROSE, "not"),
    group(Sql::Compare, mark::CONNECTIVE | mark::PROSE, "in is like between"),
    group(Sql::Compare, mark::SQL, "rlike regexp ilike sounds"),
    group(Sql::Compare, mark::CONNECTIVE, "similar glob match overlaps contains escape"),
    group(
        Sql::Verb,
        mark::VERB,
        "insert update delete drop create alter truncate exec execute declare merge grant revoke shutdown deallocate",
    ),
    group(
        Sql::Verb,
        mark::VERB,
        "call replace rename handler load use show describe desc explain analyze set print begin if while return goto copy prepare with values do backup kill commit rollback attach pragma vacuum reconfigure lock unlock exists",
    ),
    group(Sql::Order, mark::CONNECTIVE, "order group partition"),
    group(Sql::By, mark::CONNECTIVE | mark::PROSE, "by"),
    group(Sql::Having, mark::CONNECTIVE, "having"),
    group(Sql::Limit, mark::CONNECTIVE, "limit offset fetch"),
    group(Sql::Into, mark::CONNECTIVE | mark::PROSE, "into"),
    group(
        Sql::All,
        0,
        "all distinct distinctrow top any some first straight_join high_priority sql_no_cache sql_calc_found_rows",
    ),
    group(Sql::Join, 0, "join inner left right outer natural cross using full on"),
    group(
        Sql::Literal,
        0,
        "null true false unknown current_user current_date current_time current_timestamp session_user system_user localtime localtimestamp sysdate utc_date utc_time utc_timestamp rownum default",
    ),
    group(Sql::Literal, mark::FUNCTION, "current_user session_user system_user"),
    group(
        Sql::Function,
        mark::FUNCTION,
        "abs acos ascii asin atan atan2 avg bin bit_and bit_length bit_or cast ceil ceiling char char_length \
         character_length charindex chr coalesce coercibility collation concat concat_ws connection_id conv convert charset cos cot count crc32 \
         curdate current_database current_schema curtime datalength database date_add date_format datediff day dayname db_name decode degrees des_decrypt des_encrypt \
         encode encrypt exp export_set field find_in_set floor format found_rows getdate geometrycollection greatest group_concat hex host_name ifnull inet_aton \
         inet_ntoa instr isnull is_srvrolemember json_extract json_keys json_array json_object jsonb_agg last_insert_id lcase least left length len ln localtime locate log log10 log2 lower lpad ltrim \
         max md5 mid min month multipoint now nullif nvl object_id object_name oct octet_length ord password patindex pi polygon position pow power quote quotename \
         radians rand random randomblob range repeat replace reverse right round row row_count rpad rtrim schema sha sha1 sha2 sign sin soundex space sqrt stdev strcmp string_agg stuff substr \
         substring substring_index sum suser_sname suser_name sys_context tan time to_char to_date to_number to_base64 from_base64 trim ucase uncompress unhex unicode unistr upper user user_name uuid variance version year zeroblob \
         xmltype xpath xmlagg xmlelement cast_to_varchar2 query_to_xml database_to_xml current_setting listagg wm_concat array_agg array_to_string hashbytes translate regexp_replace regexp_substr aes_decrypt aes_encrypt compress weight_string name_const linestring multilinestring multipolygon",
    ),
    group(
        Sql::Weapon,
        mark::SQL,
        "sleep benchmark pg_sleep pg_sleep_for extractvalue updatexml load_file load_extension xp_cmdshell xp_dirtree xp_regread xp_fileexist xp_servicecontrol xp_availablemedia sp_executesql sp_makewebtask sp_oacreate sp_password \
         sp_addextendedproc sp_configure sp_addlogin sp_start_job openrowset opendatasource openquery opendatasource utl_http utl_inaddr utl_file utl_smtp utl_raw dbms_pipe dbms_lock dbms_xmlgen dbms_ldap dbms_java dbms_utility dbms_random dbms_xslprocessor ctxsys ordsys dbms_assert dbms_cdc_publish dbms_export_extension dbms_xmlquery \
         lo_import lo_export lo_get pg_read_file pg_ls_dir dblink dblink_connect generate_series regexp_substring gtid_subset gtid_subtract ordpath row_to_json httpuritype get_host_address xmltype json_table fn_xe_file_target_read_file fn_get_audit_file fn_trace_gettable loadfile writefile fts3_tokenizer crypt_key java_runtime like_escape call_sys outfile dumpfile \
         master_dbo sys_eval sys_exec name_const elt make_set iif",
    ),
    group(
        Sql::Catalogue,
        mark::SQL,
        "information_schema sysobjects syscolumns sysusers sysdatabases syslogins systables sqlite_master sqlite_schema pg_catalog pg_tables pg_user pg_shadow pg_class pg_database pg_roles pg_stat_activity all_tables all_tab_columns all_users user_tables user_tab_columns dba_users dba_tables \
         v$version v$instance v$database v$session rdb$database rdb$fields rdb$types rdb$collations rdb$functions rdb$relations sysibm syscat sysmaster msysobjects msysaccessobjects msysaces table_schema table_name column_name schema_name schemata character_sets innodb_table_stats user_objects user_constraints sysdummy1 all_objects sysprocesses \
         version_compile_os datadir tmpdir basedir global_variables sysconfig sysibmadm syspassword sys_user",
    ),
    group(
        Sql::Object,
        0,
        "table database schema index view trigger function user role column columns tables databases assembly login",
    ),
    group(Sql::Case, mark::CONNECTIVE | mark::PROSE, "when then"),
    group(Sql::Case, mark::CONNECTIVE, "case else end"),
    group(Sql::Unary, 0, "binary"),
    group(Sql::As, mark::PROSE, "as"),
    group(Sql::Wait, mark::SQL, "waitfor"),
    group(Sql::Delay, 0, "delay"),
    group(Sql::Procedure, mark::CONNECTIVE, "procedure analyse"),
    // The one word that follows it: British prose has it too, and pays a closer look.
    group(Sql::Procedure, mark::SQL, "analyse"),
    group(
        Sql::Type,
        0,
        "int integer varchar nvarchar varchar2 numeric decimal signed unsigned text bigint float boolean bool date datetime timestamp xml smallint double real money bit uniqueidentifier blob clob utf8 utf8mb4 latin1 \
         json jsonb bytea inet cidr macaddr regclass regtype regproc regnamespace oid int2 int4 int8 serial bigserial float4 float8 bpchar timetz timestamptz tsvector tsquery hstore citext varbit",
    ),
    group(
        Sql::Other,
        0,
        "collate interval escape regexp_like within over mode against rollup cursor dbo master tempdb mysql goto label varying",
    ),
    // English that no statement holds: what tells prose from code.
    group(
        Sql::None,
        mark::PROSE,
        "the a an of to for with this that these those it its i you he she we they my your our his her their me us them was were are be been being have has had \
         do does did will would can could should may might must shall but if so because than then there here what which who whom whose why how when while \
         about after again also am any at before both during each few just more most much no nor now off on once only other out over own same some still such too \
         under until up very s t don don't doesn isn aren won didn wasn couldn wouldn shouldn ve ll re im d m please thanks need want get got know using use used \
         one two new good great like make makes made see say says said time way well even want back many people",
    ),
    group(
        Sql::None,
        mark::PROSE,
        "le la les un une des du de et est dans pour que qui sur pas plus par au aux avec ce cette il elle sont der die das und ist nicht ein eine einer eines dem den mit auf von zu sich im el los las una en es por con para se su lo como",
    ),
    // Programs that nobody names in an English sentence.
    group(
        Sql::None,
        mark::COMMAND,
        "wget curl whoami uname ifconfig ipconfig netstat nslookup nmap tftp telnet ncat socat chmod chown chgrp chattr mkfifo mknod rmdir mkdir ls cp rm mv ln dd \
         sudo su passwd useradd userdel usermod groupadd adduser crontab systemctl journalctl iptables ip6tables nft tcpdump arp traceroute tracert tracepath hostname lsof lsblk lsmod lsattr lscpu lspci lsusb \
         bash sh zsh ksh csh tcsh dash ash fish busybox python python2 python3 perl ruby php node lua awk gawk mawk nawk sed grep egrep fgrep zgrep xargs tac rev nl od xxd hexdump strings base64 base32 \
         gcc cc g++ c89 c99 make gdb strace ltrace tar gzip gunzip bzip2 bunzip2 xz unxz zcat bzcat xzcat zip unzip cpio rsync scp sftp ftp ssh telnetd openssl gpg \
         printenv printf env setenv nohup setsid stdbuf timeout pgrep pkill killall kill ps lsns ionice nice renice chroot unshare nsenter docker kubectl podman apt aptitude apt-get yum dnf rpm dpkg apk pacman brew npm pip pip3 gem cpan \
         powershell pwsh cmd wmic reg regedit regsvr32 rundll32 certutil bitsadmin mshta cscript wscript tasklist taskkill schtasks sc netsh net1 icacls cacls attrib xcopy robocopy systeminfo ver fsutil vssadmin bcdedit bcdboot wevtutil diskpart mstsc nltest dsquery setx findstr netdom nbtstat getmac gpresult qwinsta \
         invoke-expression invoke-webrequest invoke-command invoke-restmethod iex iwr irm iwmi start-process new-object get-content get-process get-childitem set-executionpolicy add-type convertto-securestring downloadstring downloadfile \
         mysql mysqldump psql sqlite3 mongo redis-cli vim vi nano ed pico emacs nc ncat lynx w3m aria2c axel fetch ping ping6 dig host whois mail sendmail mutt \
         ansible ansible-playbook ansible-config ansible-inventory ansible-pull terraform vagrant rmt rmt-tar lastlog lastlogin lastcomm last who w id pwd fold comm bridge ip ss tshark",
    ),
    // Programs that are also English words: an argument or a place must speak for them.
    group(
        Sql::None,
        mark::AMBIGUOUS,
        "id cat echo type dir set find sort head tail more less cut paste join split tee touch file stat which who w last date time cal test true false sleep ping host dig net at batch mail man kill top watch expr eval exec source alias export read trap wait time history jobs fg bg \
         copy del move ren erase rename format cls start call fc comp more assoc subst label vol path title color pause exit fold comm diff cmp look spell view ed install make ip ss nice time screen script shred sum sync tree tr tput tsort tty uniq unlink users wall wc whereis write yes fetch node go rust cargo java javac groovy julia scala pwd cd ps sh w run open pr \
         env who mount umount df du free uptime reboot shutdown halt init service nice invoke rmt",
    ),
    group(
        Sql::None,
        mark::SCRIPT,
        "script javascript vbscript livescript mocha alert confirm prompt document cookie eval settimeout setinterval fromcharcode innerhtml outerhtml iframe onerror onload onclick expression srcdoc \
         jndi constructor xmlhttprequest localstorage sessionstorage window location unescape decodeuricomponent atob formaction xlink insertadjacenthtml execscript msgbox activexobject writeln btoa data globaleval",
    ),
    group(
        Sql::None,
        mark::CODE,
        "system exec shell_exec passthru popen proc_open pcntl_exec assert eval phpinfo print_r call_user_func create_function _get _post _request _cookie _server include require include_once require_once file_get_contents fopen readfile base64_decode preg_replace \
         processbuilder getruntime runtime subprocess __import__ __class__ __globals__ __builtins__ __subclasses__ __mro__ __init__ os spawn execsync child_process php jndi getmethod forname freemarker",
    ),
    group(
        Sql::None,
        mark::BATCH,
        "systemroot windir comspec appdata temp programfiles userprofile errorlevel cmd sh bash busybox bin dev hklm hkcu hkey_local_machine hkey_current_user hkey_classes_root hkey_users",
    ),
    group(
        Sql::None,
        mark::PATH,
        "etc passwd shadow proc var windows winnt system32 boot htaccess htpasswd inetpub xampp wamp root ssh id_rsa web apache apache2 httpd nginx logs conf opt usr home config sysprep sam",
    ),
];

const SLOTS: usize = 8192;
const LIMIT: usize = 1500;
const FILTER: usize = 512;

#[derive(Clone, Copy)]
struct Slot {
    /// Where the word stands in `words`, from one; nought is nobody's.
    word: u16,
    /// More of the hash: another word's is seldom the same.
    tag: u16,
    marks: u16,
}

struct Table {
    /// A bit for each place and some of the tag where a word is that sets something off. It stays in the cache, and most words
    /// of most texts go no further.
    filter: [u64; FILTER],
    /// The same for what is a word of SQL.
    sql: [u64; FILTER],
    slots: [Slot; SLOTS],
    words: [Word; LIMIT],
}

static TABLE: Table = build();

/// Longer words mean nothing to anybody.
const LONGEST: usize = 30;

/// Four letters and the length tell most words apart: where a word is looked for, and its tag.
#[expect(clippy::cast_possible_truncation, reason = "a length under 31, and parts of a hash")]
#[inline]
const fn place(word: &[u8]) -> (usize, u16) {
    let length = word.len();
    let letters = u32::from_le_bytes([word[0], word[length / 4], word[length / 2], word[length - 1]]) | 0x2020_2020;
    let mixed = ((letters as u64) << 8 | length as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed >> 51) as usize, (mixed >> 35) as u16)
}

/// Where a word's bit is in the filter.
#[inline]
const fn filtered(at: usize, tag: u16) -> (usize, u64) {
    let bit = (at << 2 | (tag & 3) as usize) % (FILTER * 64);
    (bit / 64, 1 << (bit % 64))
}

#[expect(clippy::large_stack_arrays, reason = "on the compiler's stack")]
const fn build() -> Table {
    let empty = Word { text: b"", sql: Sql::None, marks: 0 };
    let free = Slot { word: 0, tag: 0, marks: 0 };
    let mut table = Table { filter: [0; FILTER], sql: [0; FILTER], slots: [free; SLOTS], words: [empty; LIMIT] };
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        let (sql, marks, text) = GROUPS[group];
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let mut end = 0;
            while end < rest.len() && !rest[end].is_ascii_whitespace() {
                end += 1;
            }
            let (word, after) = rest.split_at(end);
            if !word.is_empty() {
                count += insert(&mut table, count, Word { text: word, sql, marks });
            }
            rest = if after.is_empty() { after } else { after.split_at(1).1 };
        }
        group += 1;
    }
    table
}

/// Adds a word or what more it is; says how many words are new.
#[expect(clippy::cast_possible_truncation, reason = "fewer words than LIMIT")]
const fn insert(table: &mut Table, count: usize, word: Word) -> usize {
    let (mut at, tag) = place(word.text);
    if word.marks & !mark::PROSE != 0 {
        let (index, bit) = filtered(at, tag);
        table.filter[index] |= bit;
    }
    if !matches!(word.sql, Sql::None) {
        let (index, bit) = filtered(at, tag);
        table.sql[index] |= bit;
    }
    while table.slots[at].word != 0 {
        let slot = &mut table.slots[at];
        let known = &mut table.words[slot.word as usize - 1];
        if known.text.eq_ignore_ascii_case(word.text) {
            known.marks |= word.marks;
            slot.marks |= word.marks;
            if !matches!(word.sql, Sql::None) {
                known.sql = word.sql;
            }
            return 0;
        }
        at = (at + 1) % SLOTS;
    }
    table.words[count] = word;
    table.slots[at] = Slot { word: count as u16 + 1, tag, marks: word.marks };
    1
}

/// What is known of a word, whatever its case.
#[inline]
pub(super) fn look_up(word: &[u8]) -> Option<&'static Word> {
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let (mut at, tag) = place(word);
    loop {
        let slot = TABLE.slots[at];
        let known = usize::from(slot.word).checked_sub(1)?;
        if slot.tag == tag && is_same(TABLE.words[known].text, word) {
            return Some(&TABLE.words[known]);
        }
        at = (at + 1) % SLOTS;
    }
}

/// The table's words are in lower case.
#[inline]
fn is_same(known: &[u8], word: &[u8]) -> bool {
    known.len() == word.len() && known.iter().zip(word).all(|(known, byte)| known == byte || *known == (byte | 0x20))
}

/// What is known of a word, as marks.
#[inline]
pub(super) fn marks(word: &[u8]) -> u16 {
    look_up(word).map_or(0, |word| word.marks)
}

/// What a word is in SQL.
#[inline]
pub(super) fn sql(word: &[u8]) -> Sql {
    if word.is_empty() || word.len() > LONGEST {
        return Sql::None;
    }
    let (at, tag) = place(word);
    let (index, bit) = filtered(at, tag);
    if TABLE.sql[index] & bit == 0 { Sql::None } else { look_up(word).map_or(Sql::None, |word| word.sql) }
}

/// The same of words that set something off; what is prose at most is nothing here.
#[inline]
pub(super) fn triggers(word: &[u8]) -> u16 {
    if word.is_empty() || word.len() > LONGEST {
        return 0;
    }
    let (at, tag) = place(word);
    let (index, bit) = filtered(at, tag);
    if TABLE.filter[index] & bit == 0 { 0 } else { marks(word) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_in_any_case_and_by_both_ways() {
        let words: Vec<&Word> = TABLE.words.iter().filter(|word| !word.text.is_empty()).collect();
        assert!(words.len() > 1000);
        for word in words {
            let found = look_up(&word.text.to_ascii_uppercase()).unwrap();
            assert_eq!(found.text, word.text);
            assert!(triggers(word.text) == word.marks || word.marks & !mark::PROSE == 0);
            assert!(word.text.len() <= LONGEST);
        }
    }
}
