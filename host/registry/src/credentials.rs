//! Logins for registries: from the environment, or where `docker login` leaves them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use crate::error::{ErrorKind, RegistryError, Result};
use crate::text::shown;

const USER: &str = "ICEHOST_REGISTRY_USER";
const PASSWORD: &str = "ICEHOST_REGISTRY_PASSWORD";
const MAX_FILE: u64 = 1 << 20;
/// How long a credential helper may think.
const HELPER_LIMIT: Duration = Duration::from_secs(30);

/// A login.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

/// Where logins are looked for.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    hosts: BTreeSet<String>,
}

impl Credentials {
    /// For a run that deals with these registries. The environment has one login, so it counts only where
    /// there is one registry: it must not be shown to the others.
    pub fn for_hosts<'a>(hosts: impl IntoIterator<Item = &'a str>) -> Credentials {
        Credentials {
            hosts: hosts.into_iter().map(str::to_owned).collect(),
        }
    }

    /// The login for a registry, if there is one.
    pub(crate) async fn find(&self, host: &str) -> Result<Option<Login>> {
        if self.hosts.len() == 1 && self.hosts.contains(host) {
            if let Some(login) = from_environment()? {
                return Ok(Some(login));
            }
        } else if std::env::var_os(USER).is_some() {
            tracing::warn!(
                "{USER} is not used: there are several registries; log in with 'docker login'"
            );
        }
        let Some(path) = docker_config() else {
            return Ok(None);
        };
        let Some(config) = DockerConfig::read(&path)? else {
            return Ok(None);
        };
        match config.find(&path, host)? {
            Found::Login(login) => Ok(Some(login)),
            Found::Helper(helper) => ask(helper, host.to_owned()).await,
            Found::Nothing => Ok(None),
        }
    }
}

fn from_environment() -> Result<Option<Login>> {
    let Ok(user) = std::env::var(USER) else {
        return Ok(None);
    };
    let password = std::env::var(PASSWORD).map_err(|_| {
        let message = format!("{USER} is set, and {PASSWORD} is not");
        RegistryError::new(ErrorKind::Usage, message).with_hint("set both, or neither")
    })?;
    Ok(Some(Login { user, password }))
}

/// `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`.
fn docker_config() -> Option<PathBuf> {
    let directory = match std::env::var_os("DOCKER_CONFIG") {
        Some(directory) if !directory.is_empty() => PathBuf::from(directory),
        _ => std::env::home_dir()?.join(".docker"),
    };
    Some(directory.join("config.json"))
}

/// The part of docker's configuration that has logins.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

#[derive(Debug, PartialEq)]
enum Found {
    Login(Login),
    /// The program `docker-credential-NAME` knows it.
    Helper(String),
    Nothing,
}

impl DockerConfig {
    /// `None` where there is no file.
    fn read(path: &Path) -> Result<Option<DockerConfig>> {
        let unusable = |why: String| {
            // serde_json's errors name a place and a type, and may quote a value: only the place is told.
            let message = format!("cannot read logins from {}: {why}", path.display());
            RegistryError::new(ErrorKind::Usage, message)
                .with_hint(format!("mend it, or set {USER} and {PASSWORD}"))
        };
        let mut text = Vec::new();
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(error.to_string())),
        };
        file.take(MAX_FILE + 1)
            .read_to_end(&mut text)
            .map_err(|error| unusable(error.to_string()))?;
        if text.len() as u64 > MAX_FILE {
            return Err(unusable("it has more than 1 MiB".to_owned()));
        }
        let parsed = serde_json::from_slice(&text);
        parsed.map(Some).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            unusable(format!(
                "it is not docker's configuration, at line {line}, column {column}"
            ))
        })
    }

    fn find(&self, path: &Path, host: &str) -> Result<Found> {
        let names = names(host);
        let helper = names.iter().find_map(|name| self.cred_helpers.get(name));
        if let Some(helper) = helper {
            return Ok(Found::Helper(helper.clone()));
        }
        let entry = names.iter().find_map(|name| self.auths.get(name));
        if let Some(entry) = entry {
            if let Some(auth) = entry.auth.as_deref().filter(|auth| !auth.is_empty()) {
                let login = BASE64.decode(auth).ok();
                let login = login.and_then(|login| String::from_utf8(login).ok());
                let login = login.as_deref().and_then(|login| login.split_once(':'));
                return match login {
                    Some((user, password)) => Ok(Found::Login(Login {
                        user: user.to_owned(),
                        password: password.trim_end_matches('\0').to_owned(),
                    })),
                    None => Err(RegistryError::new(
                        ErrorKind::Usage,
                        format!("the login for {host} in {} cannot be read", path.display()),
                    )
                    .with_hint(format!("log in again: docker login {host}"))),
                };
            }
            if let (Some(user), Some(password)) = (&entry.username, &entry.password) {
                return Ok(Found::Login(Login {
                    user: user.clone(),
                    password: password.clone(),
                }));
            }
        }
        Ok(match &self.creds_store {
            Some(store) if !store.is_empty() => Found::Helper(store.clone()),
            _ => Found::Nothing,
        })
    }
}

/// What docker calls a registry, the likeliest first.
fn names(host: &str) -> Vec<String> {
    let mut names = vec![
        host.to_owned(),
        format!("https://{host}"),
        format!("https://{host}/"),
        format!("https://{host}/v2/"),
        format!("https://{host}/v1/"),
    ];
    if host == "docker.io" {
        names.push("https://index.docker.io/v1/".to_owned());
    }
    names
}

/// Asks a credential helper, whose answer is never shown.
async fn ask(helper: String, host: String) -> Result<Option<Login>> {
    let program = format!("docker-credential-{helper}");
    let failed = |why: &str| {
        let message = format!(
            "cannot get the login for {host} from {}: {why}",
            shown(&program)
        );
        RegistryError::new(ErrorKind::Usage, message).with_hint(format!(
            "see docker's configuration, or set {USER} and {PASSWORD}"
        ))
    };
    if !helper
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    {
        return Err(failed("that is no name of a program"));
    }
    let (name, server) = (program.clone(), host.clone());
    let asking = tokio::task::spawn_blocking(move || -> std::io::Result<_> {
        let mut child = Command::new(name)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(server.as_bytes())?;
        }
        child.wait_with_output()
    });
    let output = match tokio::time::timeout(HELPER_LIMIT, asking).await {
        Ok(Ok(Ok(output))) => output,
        Ok(Ok(Err(error))) => return Err(failed(&error.to_string())),
        Ok(Err(_)) => return Err(failed("it was interrupted")),
        Err(_) => return Err(failed("it does not answer")),
    };
    /// What a helper prints.
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: String,
    }
    if !output.status.success() {
        // Helpers say so where they have no login for the registry, which may do without.
        let said = String::from_utf8_lossy(&output.stdout);
        return match said.contains("credentials not found") {
            true => Ok(None),
            false => Err(failed("it failed")),
        };
    }
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed("it answers with something else than a login"))?;
    if answer.username == "<token>" {
        return Err(failed("it has an identity token, which is not supported"));
    }
    Ok(Some(Login {
        user: answer.username,
        password: answer.secret,
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn find(text: &str, host: &str) -> Result<Found> {
        let config: DockerConfig = serde_json::from_str(text).unwrap();
        config.find(Path::new("config.json"), host)
    }

    fn login(user: &str, password: &str) -> Found {
        Found::Login(Login {
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }

    #[test]
    fn logins_are_found_as_docker_leaves_them() {
        let text = r#"{
            "auths": {
                "ghcr.io": {"auth": "bWU6cGFzczp3b3Jk"},
                "https://index.docker.io/v1/": {"username": "hub", "password": "secret"},
                "store.example.com": {},
                "broken.example.com": {"auth": "bm90aGluZw=="}
            },
            "credHelpers": {"helped.example.com": "pass"},
            "HttpHeaders": {}
        }"#;
        assert_eq!(find(text, "ghcr.io").unwrap(), login("me", "pass:word"));
        assert_eq!(find(text, "docker.io").unwrap(), login("hub", "secret"));
        assert_eq!(
            find(text, "helped.example.com").unwrap(),
            Found::Helper("pass".to_owned())
        );
        assert_eq!(find(text, "store.example.com").unwrap(), Found::Nothing);
        // Of another port there is none.
        assert_eq!(find(text, "ghcr.io:444").unwrap(), Found::Nothing);
        let error = find(text, "broken.example.com").unwrap_err();
        assert!(!error.to_string().contains("bm90"), "{error}");
        let stored = text.replace("\"HttpHeaders\": {}", "\"credsStore\": \"desktop\"");
        assert_eq!(
            find(&stored, "store.example.com").unwrap(),
            Found::Helper("desktop".to_owned())
        );
    }
}
