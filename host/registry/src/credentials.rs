//! Logins for registries: from the environment, or where `docker login` leaves them.

use std::collections::BTreeSet;
use std::fmt;

use crate::docker::{DockerConfig, Found};
use crate::error::{ErrorKind, RegistryError, Result};
use crate::helper;

pub(crate) const USER: &str = "ICEHOST_REGISTRY_USER";
pub(crate) const PASSWORD: &str = "ICEHOST_REGISTRY_PASSWORD";

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
        } else if variable(USER)?.is_some() {
            tracing::warn!(
                "{USER} is not used: there are several registries; log in with 'docker login'"
            );
        }
        let Some(config) = DockerConfig::read()? else {
            return Ok(None);
        };
        match config.find(host)? {
            Found::Login(login) => Ok(Some(login)),
            Found::Helper(helper) => helper::ask(helper, host.to_owned()).await,
            Found::Nothing => Ok(None),
        }
    }
}

fn from_environment() -> Result<Option<Login>> {
    let Some(user) = variable(USER)? else {
        return Ok(None);
    };
    let password = variable(PASSWORD)?.ok_or_else(|| {
        let message = format!("{USER} is set, and {PASSWORD} is not");
        RegistryError::new(ErrorKind::Usage, message).with_hint("set both, or neither")
    })?;
    Ok(Some(Login { user, password }))
}

/// What an environment variable says; an empty one says nothing.
fn variable(name: &str) -> Result<Option<String>> {
    match std::env::var_os(name).filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) => value.into_string().map(Some).map_err(|_| {
            let message = format!("the environment variable {name} is no valid text (UTF-8)");
            RegistryError::new(ErrorKind::Usage, message).with_hint("set it anew, or unset it")
        }),
    }
}
