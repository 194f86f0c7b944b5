//! The words that mean something to a detector, in one table that is built when the crate is compiled.
//!
//! A word's entry says at once what it is in SQL, to a shell, to a browser and in English: each word of a value is looked up once.

mod table;

pub(super) use self::table::{Key, hint, look_up, marks, sql, triggers};

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
    /// Begins a statement of SQL, and few sentences.
    pub(in super::super) const VERB: u16 = 512;
    /// Begins a statement of SQL, and many a sentence.
    pub(in super::super) const IMPERATIVE: u16 = 2048;
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
        mark::IMPERATIVE,
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
         ansible ansible-playbook ansible-config ansible-inventory ansible-pull terraform vagrant rmt rmt-tar lastlog lastlogin lastcomm last who w id pwd fold comm bridge ip ss tshark \
         b2sum basenc chcon cksum csplit dircolors dirname basename hostid logname md5sum mktemp nproc numfmt pathchk pinky ptx readlink realpath runcon \
         sha1sum sha224sum sha256sum sha384sum sha512sum shuf unexpand vdir stty addpart agetty blkdiscard blkid blkzone blockdev cfdisk chcpu chfn chmem choom \
         chrt chsh ctrlaltdel delpart dmesg fallocate fdformat fdisk fincore findfs findmnt flock fsck fsfreeze fstrim getopt hwclock ipcmk ipcrm ipcs isosize \
         ldattach losetup lsfd lsipc lsirq lslocks lslogins lsmem mcookie mkfs mkswap mountpoint namei newgrp nologin partx pivot_root prlimit readprofile \
         resizepart rfkill rtcwake runuser scriptlive scriptreplay setarch setpriv setterm sfdisk sulogin swaplabel swapon swapoff switch_root taskset \
         uclampset utmpdump uuidgen uuidparse vipw vigr wdctl wipefs zramctl colcrt colrm pidof pidwait pmap pwdx slabtop snice sysctl tload vmstat fuser \
         pstree prtstat peekfd htop iotop iostat mpstat pidstat ipmaddr iptunnel mii-tool nameif plipconfig rarp slattach dnsdomainname domainname \
         nisdomainname ypdomainname arping clockdiff ping4 mtr fping hping3 delv nsupdate rndc ethtool iwconfig brctl chage chgpasswd chpasswd faillog gpasswd \
         groupdel groupmems groupmod grpck newusers pwck pwconv pwunconv deluser delgroup addgroup visudo sudoedit pkexec doas getent getconf iconv ldconfig \
         ldd localedef pldd tzselect zdump zic addr2line elfedit gprof objcopy objdump ranlib readelf nm valgrind vimdiff rvim rview nvim zless zmore zcmp \
         zdiff zegrep zfgrep bzdiff bzgrep bzless bzmore lz4 lzcat lzma lzop unlzma xzdiff xzgrep zstd zstdcat unzstd 7z 7za unrar uncompress pigz uuencode \
         uudecode lftp ncftp wput rcp rsh rexec rlogin smbclient rclone s3cmd sshpass sshfs ssh-keygen ssh-keyscan ssh-agent ssh-add ssh-copy-id elinks tmux \
         byobu tmate rbash pdksh mksh yash tclsh nodejs npx jrunscript jshell rscript irb php-cgi phpize gmake nmake cmake msbuild loginctl hostnamectl \
         timedatectl localectl machinectl networkctl resolvectl busctl systemd-run chkconfig update-rc.d initctl rc-service telinit runlevel start-stop-daemon \
         run-parts auditctl ausearch aureport firewall-cmd ufw ebtables arptables setenforce getenforce sestatus semanage restorecon setcap getcap setfacl \
         getfacl capsh dmidecode dmsetup lvm pg_dump pg_dumpall mysqladmin mysqlimport mongodump mongosh redis-server cqlsh sqlcmd osql isql sqlplus sqlldr \
         gcloud gsutil helm eksctl docker-compose buildah skopeo nerdctl crictl runc lxc virsh zypper dpkg-query apt-cache apt-key rpmquery rpmverify rpmdb \
         opkg snap flatpak easy_install update-alternatives ansible-console ansible-doc ansible-galaxy ansible-test ansible-vault launchctl osascript dscl \
         sw_vers ioreg pbcopy pbpaste kldload pfctl sysrc jexec jls jq cpulimit logsave rlwrap scanmem softlimit soelim nroff troff torify torsocks xdotool \
         xmodmap zsoelim multitime msgfilter compgen compopt getopts pushd popd mapfile readarray shopt typeset ulimit umask unalias unset disown usleep atmadm \
         auditpol autochk bootcfg certreq chdir chkdsk chkntfs cmdkey cmstp csvde dcdiag defrag diantz diskcomp diskcopy diskperf diskraid diskshadow dnscmd \
         doskey driverquery dsacls dsadd dsget dsmod dsmove dsrm esentutl eventcreate eventvwr extrac32 forfiles fltmc ftype gpupdate ipxroute irftp klist \
         ksetup ktmutil ktpass lodctr logman lpq lpr makecab manage-bde mklink mmc mountvol mqbkup msdt msiexec msinfo32 netcfg ntbackup openfiles odbcconf \
         pathping pcalua perfmon pnputil powercfg prncnfg prndrvr prnmngr psexec pubprn qappsrv qprocess quser rasdial rdpsign regini regsvcs regasm relog \
         rpcping runas rwinsta secedit sfc sxstrace takeown tracerpt tscon tsdiscon tskill typeperf tzutil unlodctr verclsid w32tm wbadmin wdsutil wecutil \
         winrm winrs winsat wsl wuauclt xwizard installutil ilasm mavinject ieexec gci gwmi icm saps spps ogv",
    ),
    // Programs that are also English words: an argument or a place must speak for them.
    group(
        Sql::None,
        mark::AMBIGUOUS,
        "id cat echo type dir set find sort head tail more less cut paste join split tee touch file stat which who w last date time cal test true false sleep ping host dig net at batch mail man kill top watch expr eval exec source alias export read trap wait time history jobs fg bg \
         copy del move ren erase rename format cls start call fc comp more assoc subst label vol path title color pause exit fold comm diff cmp look spell view ed install make ip ss nice time screen script shred sum sync tree tr tput tsort tty uniq unlink users wall wc whereis write yes fetch node go rust cargo java javac groovy julia scala pwd cd ps sh w run open pr \
         env who mount umount df du free uptime reboot shutdown halt init service nice invoke rmt \
         bash zsh ksh csh tcsh dash ash fish python python2 python3 perl ruby php lua mysql mongo psql sqlite3 powershell cmd terraform vagrant ansible docker \
         kubectl helm npm pip gem brew apt yum dnf rpm apk snap ssh ftp telnet zip unzip tar gzip gcc cc awk sed grep git vi vim nvim nano pico emacs nc lynx \
         axel mutt hostname passwd whois dirname basename timeout sftp openssl gpg lxc jq aws ln dd su od nl rev sc reg ver strings base64 base32 rm cp mv \
         runas unset notepad calc route finger expand factor truncate column declare builtin enable eject bridge iex",
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
         processbuilder getruntime runtime subprocess __import__ __class__ __globals__ __builtins__ __subclasses__ __mro__ __init__ os spawn execsync child_process php jndi getmethod forname freemarker \
         proc_close proc_get_status proc_nice proc_terminate escapeshellcmd call_user_func_array forward_static_call forward_static_call_array register_shutdown_function register_tick_function \
         array_map array_walk array_filter array_reduce usort uasort uksort ob_start preg_replace_callback iterator_apply highlight_file show_source php_strip_whitespace file_put_contents \
         fsockopen pfsockopen stream_socket_client curl_exec curl_init parse_ini_file posix_getpwuid posix_kill php_uname php_sapi_name get_current_user ini_set putenv gzinflate gzuncompress str_rot13 hex2bin \
         unserialize move_uploaded_file scandir opendir symlink get_defined_vars set_error_handler spl_autoload_register pcntl_fork",
    ),
    group(
        Sql::None,
        mark::BATCH,
        "systemroot windir comspec appdata temp programfiles userprofile errorlevel cmd sh bash busybox bin dev hklm hkcu hkey_local_machine hkey_current_user hkey_classes_root hkey_users",
    ),
    group(
        Sql::None,
        mark::PATH,
        "etc passwd shadow proc var windows winnt system32 boot htaccess htpasswd inetpub xampp wamp root ssh id_rsa web apache apache2 httpd nginx logs conf opt usr home config sysprep sam \
         ini cnf",
    ),
];
