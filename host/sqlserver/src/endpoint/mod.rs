//! Where a SQL Server is and how to log in there.

mod ado;
mod encryption;
mod setting;
mod url;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use encryption::Encryption;

use crate::error::{Result, SqlServerError};

/// SQL Server's own port (IANA `ms-sql-s`).
pub const DEFAULT_PORT: u16 = 1433;

/// How the server's certificate is checked.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// Against the authorities of the operating system.
    #[default]
    System,
    /// Against the authorities in this PEM or DER file, and those of the operating system.
    Authority(PathBuf),
    /// Not at all.
    Anyone,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trust::System => f.write_str("System"),
            Trust::Authority(file) => write!(f, "Authority({})", shown_path(file)),
            Trust::Anyone => f.write_str("Anyone"),
        }
    }
}

/// The path of a certificate, for messages: up to the first blank, behind which a setting may stand whose `;` or `=` was
/// mistyped.
pub(crate) fn shown_path(file: &Path) -> String {
    let text = file.display().to_string();
    let (path, rest) = match text.split_once(char::is_whitespace) {
        Some((path, _)) => (path, "…"),
        None => (text.as_str(), ""),
    };
    let lower = path.to_lowercase();
    match icehost_untrusted::may_hold_secret(path)
        || lower.contains("password")
        || lower.contains("pwd")
    {
        true => "…".to_owned(),
        false => format!("{}{rest}", icehost_untrusted::shown(path)),
    }
}

/// A server, a database, a login and how to talk to them.
///
/// Neither `Display` nor `Debug` shows the password, nor what may hold it by mistake.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address; an IPv6 address stands without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The database; `None` is the login's default database.
    pub database: Option<String>,
    /// The SQL Server login.
    pub user: Option<String>,
    /// How much of the traffic is encrypted.
    pub encryption: Encryption,
    /// How the server's certificate is checked.
    pub trust: Trust,
    /// The name that the certificate must have; `None` is the host.
    pub certificate_host: Option<String>,
    /// What the server's views show as `program_name`; `None` is `icehost`.
    pub application_name: Option<String>,
    /// How long connecting and logging in may take together; `None` is [`Endpoint::CONNECT_TIMEOUT`].
    pub connect_timeout: Option<Duration>,
    /// Bytes in a TDS packet, 512 to 32767; `None` leaves it to icehost.
    pub packet_size: Option<u32>,
    /// The connection only reads, so an availability group may route it to a secondary.
    pub read_only: bool,
    password: Option<Password>,
}

/// A password that no formatting shows.
#[derive(Clone, PartialEq, Eq)]
struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Endpoint {
    /// How long connecting and logging in may take where nothing else is said.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

    fn new() -> Self {
        Endpoint {
            host: String::new(),
            port: DEFAULT_PORT,
            database: None,
            user: None,
            encryption: Encryption::default(),
            trust: Trust::default(),
            certificate_host: None,
            application_name: None,
            connect_timeout: None,
            packet_size: None,
            read_only: false,
            password: None,
        }
    }

    /// Reads a URL, `mssql://user:password@host:port/database?option=value&…` (`sqlserver://` is the same),
    /// or an ADO.NET connection string, `Server=host,port;Database=…;User Id=…;Password=…;…`.
    ///
    /// # Errors
    /// [`ErrorKind::Address`](crate::ErrorKind::Address), never with any part of the password in it.
    pub fn parse(text: &str) -> Result<Endpoint> {
        let text = text.trim();
        let endpoint = match text.split_once("://") {
            Some((scheme, rest)) if !scheme.contains([';', '=']) => url::parse(scheme, rest)?,
            _ if text.contains('=') => ado::parse(text)?,
            _ => {
                return Err(SqlServerError::address(
                    "this is neither a SQL Server URL nor an ADO.NET connection string",
                )
                .with_hint(
                    "write mssql://user:password@host:1433/database or Server=host,1433;Database=…;User Id=…;Password=…",
                ));
            }
        };
        if endpoint.host.is_empty() {
            return Err(SqlServerError::address("no server is named").with_hint(
                "write mssql://user:password@host:1433/database or Server=host,1433;…",
            ));
        }
        if endpoint.encryption == Encryption::Strict && endpoint.trust == Trust::Anyone {
            return Err(SqlServerError::address(
                "strict encryption always verifies the server's certificate, so it cannot be trusted blindly",
            )
            .with_hint("leave trust_server_certificate out, or name the authority with certificate=FILE"));
        }
        Ok(endpoint)
    }

    /// The same endpoint with this password, for a password that is kept apart from the URL.
    #[must_use]
    pub fn with_password(mut self, password: impl Into<String>) -> Endpoint {
        self.password = Some(Password(password.into()));
        self
    }

    /// Whether there is a password.
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// The endpoint as a URL without password, for logs and messages; [`Display`](fmt::Display) is the same.
    pub fn redacted(&self) -> String {
        self.to_string()
    }

    pub(crate) fn password(&self) -> Option<&str> {
        self.password
            .as_ref()
            .map(|Password(password)| password.as_str())
    }

    /// `text` without the password, for words that come from elsewhere.
    pub(crate) fn scrub(&self, text: &str) -> String {
        match self.password() {
            Some(password) if !password.is_empty() && text.contains(password) => {
                text.replace(password, "***")
            }
            _ => text.to_owned(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mssql://")?;
        // A login that stands alone may be the password, where the user was forgotten.
        let user = self.user.as_deref().filter(|_| self.password.is_some());
        if let Some(user) = user.filter(|user| is_harmless(user)) {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        write!(f, ":{}", self.port)?;
        match &self.database {
            Some(database) if is_harmless(database) => write!(f, "/{database}"),
            Some(_) => f.write_str("/…"),
            None => Ok(()),
        }
    }
}

/// Whether a name can be shown: nothing in it separates settings or parts of a URL, which a name may have swallowed
/// together with the password behind it.
fn is_harmless(name: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || " _-.$#\\(){}[]+!~".contains(c);
    name.chars().count() <= 128 && name.chars().all(is_plain)
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("server", &format_args!("{self}"))
            .field("encryption", &self.encryption)
            .field("trust", &self.trust)
            .field("certificate_host", &self.certificate_host)
            .field("connect_timeout", &self.connect_timeout)
            .field("packet_size", &self.packet_size)
            .field("read_only", &self.read_only)
            .field("password", &self.password)
            .finish()
    }
}

impl std::str::FromStr for Endpoint {
    type Err = SqlServerError;

    fn from_str(text: &str) -> Result<Self> {
        Endpoint::parse(text)
    }
}
