//! The settings that URLs and connection strings have in common.

use std::path::PathBuf;
use std::time::Duration;

use super::{Encryption, Endpoint, Password, Trust};
use crate::edits::edits;
use crate::error::{Result, SqlServerError};

/// Every name that is accepted, without blanks and underscores and in lower case, and what it sets. The
/// synonyms are SqlClient's (`SqlConnection.ConnectionString`), ODBC's and go-mssqldb's.
const NAMES: &[(&str, Setting)] = &[
    ("server", Setting::Server),
    ("datasource", Setting::Server),
    ("address", Setting::Server),
    ("addr", Setting::Server),
    ("networkaddress", Setting::Server),
    ("port", Setting::Port),
    ("database", Setting::Database),
    ("initialcatalog", Setting::Database),
    ("userid", Setting::User),
    ("user", Setting::User),
    ("username", Setting::User),
    ("uid", Setting::User),
    ("password", Setting::Password),
    ("pwd", Setting::Password),
    ("encrypt", Setting::Encrypt),
    ("trustservercertificate", Setting::TrustServerCertificate),
    ("certificate", Setting::Authority),
    ("servercertificate", Setting::Authority),
    ("trustservercertificateca", Setting::Authority),
    ("hostnameincertificate", Setting::CertificateHost),
    ("applicationname", Setting::ApplicationName),
    ("app", Setting::ApplicationName),
    ("appname", Setting::ApplicationName),
    ("connecttimeout", Setting::ConnectTimeout),
    ("connectiontimeout", Setting::ConnectTimeout),
    ("dialtimeout", Setting::ConnectTimeout),
    ("timeout", Setting::ConnectTimeout),
    ("packetsize", Setting::PacketSize),
    ("applicationintent", Setting::ApplicationIntent),
    ("integratedsecurity", Setting::IntegratedSecurity),
    ("trustedconnection", Setting::IntegratedSecurity),
    ("authentication", Setting::Authentication),
    // What a client library does with many connections; it changes nothing about one.
    ("connectretrycount", Setting::Pool),
    ("connectretryinterval", Setting::Pool),
    ("enlist", Setting::Pool),
    ("maxpoolsize", Setting::Pool),
    ("minpoolsize", Setting::Pool),
    ("multipleactiveresultsets", Setting::Pool),
    ("multisubnetfailover", Setting::Pool),
    ("persistsecurityinfo", Setting::Pool),
    ("pooling", Setting::Pool),
];

/// The settings, as they are documented.
const KNOWN: &str = "server, port, database, user id, password, encrypt, trust_server_certificate, certificate, \
                     hostname_in_certificate, application_name, connect_timeout, packet_size, application_intent";

/// Most bytes of a host's name (RFC 1035, 2.3.4).
const MAX_HOST: usize = 255;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    Server,
    Port,
    Database,
    User,
    Password,
    Encrypt,
    TrustServerCertificate,
    Authority,
    CertificateHost,
    ApplicationName,
    ConnectTimeout,
    PacketSize,
    ApplicationIntent,
    IntegratedSecurity,
    Authentication,
    Pool,
}

impl Setting {
    /// The setting with this name or synonym.
    pub(super) fn from_name(name: &str) -> Option<Setting> {
        let plain = plain(name);
        NAMES
            .iter()
            .find_map(|(known, setting)| (*known == plain).then_some(*setting))
    }

    /// Sets it to `value`. `name` is how the text called it; values are never echoed, since a badly quoted
    /// password can end up in any of them.
    pub(super) fn apply(self, name: &str, value: String, endpoint: &mut Endpoint) -> Result<()> {
        let wrong = |expected: &str| {
            SqlServerError::address(format!("the value of '{name}' is not {expected}"))
                .with_hint(format!("write {expected}, or leave '{name}' out"))
        };
        if self != Setting::Password && holds_password(&value) {
            return Err(SqlServerError::address(format!(
                "the value of '{name}' seems to have the password in it"
            ))
            .with_hint("separate settings by ';' in a connection string, by '&' in a URL"));
        }
        match self {
            Setting::Server => apply_server(&value, endpoint)?,
            Setting::Port => endpoint.port = port(&value)?,
            Setting::Database => endpoint.database = (!value.is_empty()).then_some(value),
            Setting::User => endpoint.user = Some(value),
            Setting::Password => endpoint.password = Some(Password(value)),
            Setting::Encrypt => {
                endpoint.encryption = Encryption::from_word(&value).ok_or_else(|| {
                    wrong("one that SQL Server's drivers know")
                        .with_hint("write true (mandatory), false (optional), strict or disable")
                })?;
            }
            Setting::TrustServerCertificate => {
                let blindly = boolean(&value).ok_or_else(|| wrong("true or false"))?;
                match (&endpoint.trust, blindly) {
                    (Trust::Authority(_), true) => return Err(two_trusts()),
                    (_, true) => endpoint.trust = Trust::Anyone,
                    (_, false) => {}
                }
            }
            Setting::Authority => {
                if endpoint.trust == Trust::Anyone {
                    return Err(two_trusts());
                }
                endpoint.trust = Trust::Authority(PathBuf::from(value));
            }
            Setting::CertificateHost => endpoint.certificate_host = Some(host_name(&value)?),
            Setting::ApplicationName => endpoint.application_name = Some(value),
            Setting::ConnectTimeout => {
                let seconds: u64 = value
                    .trim()
                    .parse()
                    .map_err(|_| wrong("a number of seconds"))?;
                // SqlClient: 0 waits without end
                endpoint.connect_timeout = Some(match seconds {
                    0 => Duration::MAX,
                    _ => Duration::from_secs(seconds),
                });
            }
            Setting::PacketSize => {
                let size = value.trim().parse().ok();
                endpoint.packet_size = Some(
                    size.filter(|size| (512..=32767).contains(size))
                        .ok_or_else(|| wrong("a size from 512 to 32767"))?,
                );
            }
            Setting::ApplicationIntent => {
                endpoint.read_only = match value.trim().to_ascii_lowercase().as_str() {
                    "readonly" => true,
                    "readwrite" => false,
                    _ => return Err(wrong("ReadOnly or ReadWrite")),
                };
            }
            Setting::IntegratedSecurity => {
                if boolean(&value) != Some(false) {
                    return Err(SqlServerError::address(format!(
                        "'{name}' asks for a Windows login, which icehost does not have"
                    ))
                    .with_hint("use a SQL Server login: User Id=…;Password=…"));
                }
            }
            Setting::Authentication => {
                let plain = value.replace([' ', '_'], "").to_ascii_lowercase();
                if plain != "sqlpassword" {
                    return Err(SqlServerError::address(format!(
                        "the value of '{name}' asks for a kind of login that icehost does not have"
                    ))
                    .with_hint("use a SQL Server login: User Id=…;Password=…"));
                }
            }
            Setting::Pool => {}
        }
        Ok(())
    }
}

/// The error for a name that nothing goes by. It is not quoted: it may be anything, where a separator is missing.
/// What it nearly is, is known.
pub(super) fn unknown(name: &str) -> SqlServerError {
    const SLIPS: usize = 2;
    let plain = plain(name);
    let near = NAMES
        .iter()
        .map(|(known, _)| (edits(&plain, known), *known))
        .filter(|(edits, known)| *edits <= SLIPS && *edits * 2 < known.len())
        .min();
    let error = SqlServerError::address("a setting of the connection is none that icehost knows");
    if let Some((_, near)) = near {
        let documented = KNOWN.split(", ").find(|known| self::plain(known) == near);
        return error.with_hint(format!("did you mean '{}'?", documented.unwrap_or(near)));
    }
    error.with_hint(format!("known are: {KNOWN}"))
}

fn two_trusts() -> SqlServerError {
    SqlServerError::address(
        "trust_server_certificate=true and certificate contradict each other: one verifies, the other does not",
    )
    .with_hint("leave one of them out")
}

fn boolean(word: &str) -> Option<bool> {
    match word.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// A TCP port.
pub(super) fn port(text: &str) -> Result<u16> {
    match text.trim().parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(SqlServerError::address(
            "the port is not a number from 1 to 65535",
        )),
    }
}

/// SqlClient's data source: `[tcp:]host[\instance][,port]`.
fn apply_server(text: &str, endpoint: &mut Endpoint) -> Result<()> {
    let text = text.trim();
    let text = match text.split_once(':') {
        Some((protocol, rest)) if protocol.eq_ignore_ascii_case("tcp") => rest,
        Some((protocol, _))
            if ["np", "lpc", "admin"]
                .iter()
                .any(|p| protocol.eq_ignore_ascii_case(p)) =>
        {
            return Err(SqlServerError::address(format!(
                "the protocol '{}' of the server is not TCP",
                protocol.to_ascii_lowercase()
            ))
            .with_hint("write Server=tcp:host,port"));
        }
        _ => text,
    };
    let host = match text.rsplit_once(',') {
        Some((host, number)) => {
            endpoint.port = port(number)?;
            host
        }
        None => text,
    };
    // A name has no colon, and an IPv6 address more than one.
    if let Some((name, number)) = host.split_once(':')
        && !name.is_empty()
        && number.chars().all(|c| c.is_ascii_digit())
    {
        return Err(
            SqlServerError::address("the server's name has a ':' in it").with_hint(
                "in a connection string the port stands behind a comma: Server=host,1433;…",
            ),
        );
    }
    endpoint.host = host_name(host)?;
    Ok(())
}

/// A name without blanks and underscores and in lower case.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, ' ' | '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether a value that is no password has one in it: `Shop Password=…`, `Shop Pwd secret`.
fn holds_password(value: &str) -> bool {
    let lower = value.to_lowercase();
    ["password", "passwd", "pwd"].iter().any(|word| {
        lower.match_indices(word).any(|(at, word)| {
            let behind = lower.get(at + word.len()..).unwrap_or_default();
            let value = behind.trim_start().trim_start_matches([':', '=']);
            value.len() < behind.len() && !value.trim().is_empty()
        })
    })
}

/// A host without brackets, `(local)` and `.` resolved, a named instance refused. What is returned is one that a
/// message may name.
pub(super) fn host_name(text: &str) -> Result<String> {
    let text = text.trim();
    if text.contains('\\') {
        return Err(SqlServerError::address(
            "named instances are found by the SQL Server Browser, which icehost does not ask",
        )
        .with_hint("name the instance's port instead: host,port or host:port"));
    }
    let host = match text {
        "." | "(local)" => "localhost",
        _ => match text.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').unwrap_or(rest),
            None => text,
        },
    };
    // Letters of any script, for internationalised names; ':' and '%' are those of IPv6 addresses and their zones.
    let is_known = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '%');
    if host.len() > MAX_HOST || !host.chars().all(is_known) {
        return Err(
            SqlServerError::address("the server's name has what no name of a host has").with_hint(
                "settings stand behind ';' in a connection string, Server=host,1433;User Id=…;Password=…, and behind '?' and '&' in a URL, mssql://user:password@host:1433/database?encrypt=true",
            ),
        );
    }
    Ok(host.to_owned())
}
