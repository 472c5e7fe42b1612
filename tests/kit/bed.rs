//! A server with two databases, and a warehouse.

use std::path::PathBuf;

use icehost_devserver::{Builder, DevServer, RunningServer};
use tempfile::TempDir;
use tiberius::{AuthMethod, Config, EncryptionLevel};

use crate::readers::{Dump, python_script};
use crate::sql::runtime;
use crate::{Client, Command};

pub(crate) const PASSWORD: &str = "T3st;pass'word";
/// The login of development servers that may only read.
pub const READER: &str = "reader";
/// The login of development servers that may read and write rows, and change no table.
pub const WRITER: &str = "writer";

/// The directory for what clients send to development servers, which tests/run.sh has judged afterwards.
const STATEMENTS: &str = "ICEHOST_TEST_STATEMENTS";

fn builder() -> Builder {
    DevServer::builder()
        .password(PASSWORD)
        .reader(READER)
        .writer(WRITER)
}

/// What an end-to-end case runs on. Its databases are its own.
pub struct Bed {
    server: Option<RunningServer>,
    damaged: bool,
    config: Config,
    source_database: String,
    target_database: String,
    directory: TempDir,
}

impl Bed {
    /// A bed on the server that `ICEHOST_TEST_SQLSERVER` names, else on a development server of its own.
    pub fn new() -> Bed {
        match std::env::var("ICEHOST_TEST_SQLSERVER") {
            Ok(url) => Bed::on(None, external(&url)),
            Err(_) => Bed::on_development_server(),
        }
    }

    /// A bed on a development server of its own, for cases that inject faults.
    pub fn on_development_server() -> Bed {
        match std::env::var_os(STATEMENTS) {
            Some(directory) => Bed::served(builder().record_statements(directory)),
            None => Bed::served(builder()),
        }
    }

    /// The same for cases that damage what the program sends: what arrives there is not what the program said, and no
    /// judge is to look at it.
    pub fn for_damage() -> Bed {
        let mut bed = Bed::served(builder());
        bed.damaged = true;
        bed
    }

    /// Whether what clients send may be damaged on its way.
    pub(crate) fn may_be_damaged(&self) -> bool {
        self.damaged
    }

    fn served(builder: Builder) -> Bed {
        let server = runtime()
            .block_on(builder.start())
            .expect("start the development server");
        let mut config = Config::new();
        config.host("127.0.0.1");
        config.port(server.addr().port());
        config.authentication(AuthMethod::sql_server("sa", PASSWORD));
        config.encryption(EncryptionLevel::NotSupported);
        Bed::on(Some(server), config)
    }

    fn on(server: Option<RunningServer>, config: Config) -> Bed {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let bed = Bed {
            server,
            damaged: false,
            config,
            source_database: format!("icehost_source_{unique}"),
            target_database: format!("icehost_target_{unique}"),
            directory: tempfile::tempdir().expect("a temporary directory"),
        };
        let mut master = bed.client("master");
        master.execute(&format!("CREATE DATABASE {}", bed.source_database));
        master.execute(&format!("CREATE DATABASE {}", bed.target_database));
        bed
    }

    /// The development server, for faults and statistics.
    pub fn server(&self) -> &RunningServer {
        self.server
            .as_ref()
            .expect("this case is for the development server")
    }

    fn client(&self, database: &str) -> Client {
        Client::connect(self.config.clone(), database)
    }

    /// A connection to the source database.
    pub fn source(&self) -> Client {
        self.client(&self.source_database)
    }

    /// A connection to the target database.
    pub fn target(&self) -> Client {
        self.client(&self.target_database)
    }

    /// The source database's name.
    pub fn source_database(&self) -> &str {
        &self.source_database
    }

    /// The source database's URL.
    pub fn source_url(&self) -> String {
        self.url(&self.source_database)
    }

    /// The target database's URL.
    pub fn target_url(&self) -> String {
        self.url(&self.target_database)
    }

    fn url(&self, database: &str) -> String {
        match std::env::var("ICEHOST_TEST_SQLSERVER") {
            Ok(url) if self.server.is_none() => with_database(&url, database),
            _ => format!(
                "mssql://sa:{}@{}/{database}?trust_server_certificate=true",
                percent_encoded(PASSWORD),
                self.config.get_addr()
            ),
        }
    }

    /// The password in those URLs, which no output may hold.
    pub fn password(&self) -> &str {
        PASSWORD
    }

    /// The warehouse.
    pub fn warehouse(&self) -> PathBuf {
        self.directory.path().join("warehouse")
    }

    /// A file or directory of the bed's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The directory of a lake table such as `demo.customers`.
    pub fn lake(&self, table: &str) -> PathBuf {
        self.warehouse().join(table.replace('.', "/"))
    }

    /// `icehost sync` of a table into the lake.
    pub fn sync(&self, table: &str, lake_table: &str) -> Command {
        Command::new(["sync"])
            .args(["--source", &self.source_url()])
            .args(["--table", table])
            .args(["--warehouse", &self.warehouse().display().to_string()])
            .args(["--lake-table", lake_table])
    }

    /// `icehost sync` with `timestamp` and `upsert`, through the lake to the target.
    pub fn sync_to_target(&self, table: &str, lake_table: &str) -> Command {
        self.sync(table, lake_table)
            .args(["--strategy", "timestamp", "--merge", "upsert"])
            .args(["--target", &self.target_url()])
    }

    /// `icehost verify` of a source table and its lake table.
    pub fn verify(&self, table: &str, lake_table: &str) -> Command {
        Command::new(["verify"])
            .args(["--source", &self.source_url()])
            .args(["--table", table])
            .args(["--warehouse", &self.warehouse().display().to_string()])
            .args(["--lake-table", lake_table])
    }

    /// `icehost load` of a lake table into a table of the target.
    pub fn load(&self, lake_table: &str, table: &str) -> Command {
        Command::new(["load"])
            .args(["--warehouse", &self.warehouse().display().to_string()])
            .args(["--lake-table", lake_table])
            .args(["--target", &self.target_url()])
            .args(["--target-table", table])
    }

    /// `icehost SUBCOMMAND` on a lake table.
    pub fn on_lake<'a>(
        &self,
        subcommand: impl IntoIterator<Item = &'a str>,
        lake_table: &str,
    ) -> Command {
        Command::new(subcommand)
            .args(["--warehouse", &self.warehouse().display().to_string()])
            .args(["--lake-table", lake_table])
    }

    /// A source table's contents, as python-tds reads them.
    pub fn source_dump(&self, table: &str) -> Dump {
        self.dump(&self.source_database, table)
    }

    /// A target table's contents, as python-tds reads them.
    pub fn target_dump(&self, table: &str) -> Dump {
        self.dump(&self.target_database, table)
    }

    fn dump(&self, database: &str, table: &str) -> Dump {
        let address = self.config.get_addr();
        let (host, port) = address.rsplit_once(':').expect("host:port");
        let (schema, table) = table.split_once('.').expect("schema.table");
        let (user, password) = self.login();
        let arguments = [
            host,
            port,
            &user,
            &password,
            "--database",
            database,
            "--schema",
            schema,
            "--table",
            table,
        ]
        .map(str::to_owned)
        .to_vec();
        Dump::parse(&python_script("readers/read_sqlserver.py", &arguments))
    }

    /// User and password for the server.
    pub fn login(&self) -> (String, String) {
        match std::env::var("ICEHOST_TEST_SQLSERVER") {
            Ok(url) if self.server.is_none() => {
                let parts = parts(&url);
                (parts.user, parts.password)
            }
            _ => ("sa".to_owned(), PASSWORD.to_owned()),
        }
    }
}

impl Default for Bed {
    fn default() -> Self {
        Bed::new()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        // A development server goes with its databases; a real one is left as it was.
        if self.server.is_none() && !std::thread::panicking() {
            let mut master = self.client("master");
            for database in [&self.source_database, &self.target_database] {
                master.execute(&format!("DROP DATABASE {database}"));
            }
        }
    }
}

struct Parts {
    user: String,
    password: String,
    host: String,
    port: u16,
}

/// `mssql://user:password@host:port/…`, the only form that the tests' variable takes.
fn parts(url: &str) -> Parts {
    let parsed = url
        .strip_prefix("mssql://")
        .and_then(|rest| rest.rsplit_once('@'))
        .and_then(|(login, rest)| {
            let (user, password) = login.split_once(':')?;
            let address = rest.split(['/', '?']).next()?;
            let (host, port) = address.split_once(':').unwrap_or((address, "1433"));
            Some(Parts {
                user: user.to_owned(),
                password: password.to_owned(),
                host: host.to_owned(),
                port: port.parse().ok()?,
            })
        });
    parsed.expect("ICEHOST_TEST_SQLSERVER is mssql://USER:PASSWORD@HOST:PORT?…, without escapes")
}

fn external(url: &str) -> Config {
    let parts = parts(url);
    let mut config = Config::new();
    config.host(parts.host);
    config.port(parts.port);
    config.authentication(AuthMethod::sql_server(parts.user, parts.password));
    config
}

fn with_database(url: &str, database: &str) -> String {
    let (base, options) = url.split_once('?').unwrap_or((url, ""));
    let scheme_end = base.find("://").map_or(0, |i| i + 3);
    let address_end = base[scheme_end..]
        .find('/')
        .map_or(base.len(), |i| scheme_end + i);
    format!("{}/{database}?{options}", &base[..address_end])
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
