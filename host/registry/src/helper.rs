//! Credential helpers: programs that know logins, as docker calls them.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use crate::credentials::{Login, PASSWORD, USER};
use crate::error::{ErrorKind, RegistryError, Result};
use crate::text::shown;

/// How long a helper may think.
const LIMIT: Duration = Duration::from_secs(30);
/// Most bytes of its answer.
const MOST: u64 = 64 << 10;

/// Asks a credential helper, whose answer is never shown.
pub(crate) async fn ask(helper: String, host: String) -> Result<Option<Login>> {
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
        let mut answer = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MOST).read_to_end(&mut answer)?;
        }
        // What it has more to say ends with the pipe.
        Ok((child.wait()?, answer))
    });
    let (status, answer) = match tokio::time::timeout(LIMIT, asking).await {
        Ok(Ok(Ok(answer))) => answer,
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
    if !status.success() {
        // Helpers say so where they have no login for the registry, which may do without.
        let said = String::from_utf8_lossy(&answer);
        return match said.contains("credentials not found") {
            true => Ok(None),
            false => Err(failed("it failed")),
        };
    }
    let answer: Answer = serde_json::from_slice(&answer)
        .map_err(|_| failed("it answers with something else than a login"))?;
    if answer.username == "<token>" {
        return Err(failed("it has an identity token, which is not supported"));
    }
    Ok(Some(Login {
        user: answer.username,
        password: answer.secret,
    }))
}
