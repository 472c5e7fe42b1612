//! Docker's configuration file, where `docker login` and others leave logins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use crate::credentials::{Login, PASSWORD, USER};
use crate::error::{ErrorKind, RegistryError, Result};

const MAX_FILE: u64 = 1 << 20;

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
pub(crate) struct DockerConfig {
    /// Where it stands, for messages.
    #[serde(skip)]
    path: PathBuf,
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

/// Where a login is.
#[derive(Debug, PartialEq)]
pub(crate) enum Found {
    Login(Login),
    /// The program `docker-credential-NAME` knows it.
    Helper(String),
    Nothing,
}

impl DockerConfig {
    /// `None` where there is no file.
    pub(crate) fn read() -> Result<Option<DockerConfig>> {
        match docker_config() {
            Some(path) => DockerConfig::read_from(&path),
            None => Ok(None),
        }
    }

    fn read_from(path: &Path) -> Result<Option<DockerConfig>> {
        let unusable = |why: String| {
            let message = format!("cannot read logins from {}: {why}", path.display());
            RegistryError::new(ErrorKind::Usage, message)
                .with_hint(format!("mend it, or set {USER} and {PASSWORD}"))
        };
        let text = match icehost_untrusted::read(path, MAX_FILE) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(error.to_string())),
        };
        let parsed: std::result::Result<DockerConfig, _> = serde_json::from_slice(&text);
        let placed = parsed.map(|config| DockerConfig {
            path: path.to_owned(),
            ..config
        });
        // serde_json's errors may quote a value: only the place is told.
        placed.map(Some).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            unusable(format!(
                "it is not docker's configuration, at line {line}, column {column}"
            ))
        })
    }

    /// Where the login for a registry is.
    pub(crate) fn find(&self, host: &str) -> Result<Found> {
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
                        format!(
                            "the login for {host} in {} cannot be read",
                            self.path.display()
                        ),
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn find(text: &str, host: &str) -> Result<Found> {
        let config: DockerConfig = serde_json::from_str(text).unwrap();
        config.find(host)
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
