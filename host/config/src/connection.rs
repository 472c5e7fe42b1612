//! Connections, and the secrets that they need.

use std::path::{Path, PathBuf};

use icehost_sqlserver::{Endpoint, SqlServerError, Trust};
use icehost_untrusted as untrusted;

use crate::problem::Findings;
use crate::section::{Layers, Section};
use crate::{Place, Problem};

/// Most bytes of a password's file.
const MAX_PASSWORD: u64 = 64 << 10;

/// Where a server is, and where the password for it is kept. Neither `Debug` nor an error shows the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    endpoint: Endpoint,
    secret: Secret,
    place: Option<Place>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Secret {
    /// In the endpoint, or not needed.
    None,
    Environment(String),
    File(PathBuf),
}

impl Connection {
    /// A connection that has all that it needs, as a flag gives it.
    pub fn to(endpoint: Endpoint) -> Connection {
        Connection {
            endpoint,
            secret: Secret::None,
            place: None,
        }
    }

    /// The same server and login, in another database.
    #[must_use]
    pub(crate) fn with_database(mut self, database: &str) -> Connection {
        self.endpoint.database = Some(database.to_owned());
        self
    }

    /// Whether it has a password, or says where one is.
    fn has_secret(&self) -> bool {
        self.secret != Secret::None || self.endpoint.has_password()
    }

    /// Where the file names it.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// The endpoint, with its password.
    ///
    /// # Errors
    /// A password whose environment variable or file is missing, unreadable or empty.
    pub fn endpoint(&self) -> Result<Endpoint, Problem> {
        let problem =
            |message: String, hint: &str| Problem::new(self.place.clone(), message).with_hint(hint);
        let lacking = match (&self.endpoint.user, self.has_secret()) {
            (None, false) => Some("no user and no password"),
            (None, true) => Some("no user"),
            (Some(_), false) => Some("no password"),
            (Some(_), true) => None,
        };
        if let Some(lacking) = lacking.filter(|_| self.place.is_some()) {
            return Err(problem(
                format!("the connection has {lacking} for {}", self.endpoint),
                match self.endpoint.user {
                    None => {
                        "write the user into its url, mssql://user@host/database, or as user = \"…\"; the password is \
                         elsewhere: password-env names an environment variable, password-file a file"
                    }
                    Some(_) => {
                        "name an environment variable with password-env or a file with password-file"
                    }
                },
            ));
        }
        let password = match &self.secret {
            Secret::None => return Ok(self.endpoint.clone()),
            Secret::Environment(name) => std::env::var(name).map_err(|error| {
                let why = match error {
                    std::env::VarError::NotPresent => "is not set",
                    std::env::VarError::NotUnicode(_) => "is not text",
                };
                problem(
                    format!("{}, for the password, {why}", untrusted::variable(name)),
                    "set it where icehost runs, or keep the password in a file: password-file",
                )
            })?,
            Secret::File(path) => {
                let unreadable = |why: String| {
                    let path = untrusted::file_of_secret(path);
                    problem(
                        format!("cannot read the password from {path}: {why}"),
                        "the path is relative to the directory of the configuration file",
                    )
                };
                let bytes = untrusted::read_file_or_pipe(path, MAX_PASSWORD)
                    .map_err(|error| unreadable(error.to_string()))?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| unreadable("it is not text in UTF-8".to_owned()))?;
                let line = text.strip_suffix('\n').unwrap_or(&text);
                line.strip_suffix('\r').unwrap_or(line).to_owned()
            }
        };
        if password.is_empty() {
            return Err(problem(
                "the password is empty".to_owned(),
                "see what password-env or password-file names",
            ));
        }
        Ok(self.endpoint.clone().with_password(password))
    }

    /// Reads `[connections.NAME]`.
    pub(crate) fn resolve(
        findings: &mut Findings<'_>,
        section: &Section,
        directory: &Path,
    ) -> Option<Connection> {
        let settings = Layers(vec![section]);
        let place = Some(findings.place(section.at));
        let endpoint = match settings.text("url") {
            Some(url) => {
                for part in PARTS {
                    if let Some(at) = settings.at(part) {
                        findings.hinted(
                            at,
                            format!("'{part}' stands beside 'url', which has a place for it"),
                            "give the url, or server, port, database and the others, but not both",
                        );
                    }
                }
                Endpoint::parse(url.value).map_err(|error| (url.at, error))
            }
            None => from_parts(findings, section, &settings, directory)?,
        };
        let endpoint = match endpoint {
            Ok(endpoint) => endpoint,
            Err((at, error)) => {
                findings.add(at, error.to_string(), error.hint().map(Into::into));
                return None;
            }
        };
        let (endpoint, secret) = secret(findings, section, &settings, endpoint, directory)?;
        Some(Connection {
            endpoint,
            secret,
            place,
        })
    }
}

/// What a URL says in another way.
const PARTS: &[&str] = &[
    "server",
    "port",
    "database",
    "user",
    "encrypt",
    "trust-server-certificate",
    "certificate",
];

type Parsed = Result<Endpoint, (usize, SqlServerError)>;

/// An endpoint from its parts; `None` where one is missing.
fn from_parts(
    findings: &mut Findings<'_>,
    section: &Section,
    settings: &Layers<'_>,
    directory: &Path,
) -> Option<Parsed> {
    let Some(server) = settings.text("server") else {
        if !settings.was_wrong("url") && !settings.was_wrong("server") {
            findings.hinted(
                section.at,
                format!("connection {} names no server", section.name),
                "give it a url, or server, database and user",
            );
        }
        return None;
    };
    // One reader for what a server's name and 'encrypt' may be.
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut text = format!("Server={}", quoted(server.value));
    if let Some(encrypt) = settings.text("encrypt") {
        text.push_str(&format!(";Encrypt={}", quoted(encrypt.value)));
    }
    let mut endpoint = match Endpoint::parse(&text) {
        Ok(endpoint) => endpoint,
        Err(error) => {
            let at = settings.at("encrypt").unwrap_or(server.at);
            return Some(Err((at, error)));
        }
    };
    if let Some(port) = settings.count("port").and_then(|port| port.try_into().ok()) {
        endpoint.port = port;
    }
    endpoint.database = settings.text("database").map(|text| text.value.to_owned());
    endpoint.user = settings.text("user").map(|text| text.value.to_owned());
    match (
        settings.text("certificate"),
        settings.flag("trust-server-certificate"),
    ) {
        (Some(certificate), true) => {
            findings.hinted(
                certificate.at,
                "'certificate' names an authority, and 'trust-server-certificate' trusts anyone",
                "leave one of them out",
            );
            return None;
        }
        (Some(file), false) => endpoint.trust = Trust::Authority(directory.join(file.value)),
        (None, true) => endpoint.trust = Trust::Anyone,
        (None, false) => {}
    }
    Some(Ok(endpoint))
}

/// Where the password is: one place, and not the file itself unless the file says that it may be.
fn secret(
    findings: &mut Findings<'_>,
    section: &Section,
    settings: &Layers<'_>,
    endpoint: Endpoint,
    directory: &Path,
) -> Option<(Endpoint, Secret)> {
    let inline_url = endpoint
        .has_password()
        .then(|| settings.at("url"))
        .flatten();
    let inline = settings.text("password");
    let environment = settings.text("password-env");
    let file = settings.text("password-file");
    let places: Vec<usize> = [
        inline_url,
        inline.map(|text| text.at),
        environment.map(|text| text.at),
        file.map(|text| text.at),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let [_, second, ..] = places[..] {
        findings.hinted(
            second,
            format!("connection {} has more than one password", section.name),
            "keep one: password-env or password-file",
        );
        return None;
    }
    let in_file = inline_url.or(inline.map(|text| text.at));
    if let Some(at) = in_file.filter(|_| !settings.flag("allow-inline-secret")) {
        findings.hinted(
            at,
            format!("connection {} has its password in the file", section.name),
            "name an environment variable with password-env or a file with password-file; for a test, allow-inline-secret = true lets it stand",
        );
        return None;
    }
    Some(match (inline, environment, file) {
        (Some(password), _, _) => (endpoint.with_password(password.value), Secret::None),
        (_, Some(name), _) => (endpoint, Secret::Environment(name.value.to_owned())),
        (_, _, Some(path)) => (endpoint, Secret::File(directory.join(path.value))),
        _ => (endpoint, Secret::None),
    })
}
