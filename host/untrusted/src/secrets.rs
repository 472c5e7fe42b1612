//! Text that nobody has understood, and in which a secret may stand.

use std::borrow::Cow;
use std::path::Path;

use crate::shown;

/// Words behind which a secret stands where `=` or `:` follows, without blanks and in lower case.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "accesstoken",
    "secret",
    "apikey",
];

/// What stands in hints and in help instead of a password.
const PLACEHOLDERS: &[&str] = &["password", "PASSWORD", "…", "***"];

const HIDDEN: &str = "***";

/// Schemes of connections to databases.
const SCHEMES: &[&str] = &["mssql:", "sqlserver:", "jdbc:", "odbc:"];

/// What a user gave where something else is wanted, for a message: in quotes, or, where it looks like a connection
/// that stands in the wrong place, by no letter of it.
pub fn given(text: &str) -> String {
    match may_hold_secret(text) {
        true => "what was given".to_owned(),
        false => format!("'{}'", shown(text)),
    }
}

/// Whether a text looks like a connection, a login or a setting with a password, whatever it was meant to be.
pub fn may_hold_secret(text: &str) -> bool {
    let text = behind_container_of_azure(text);
    let lower = text.to_lowercase();
    // A reference to a registry ends so, and has a colon before it too.
    let address = match lower.rsplit_once("@sha256:") {
        Some((address, _)) => address,
        None => &lower,
    };
    let login = address
        .rsplit_once('@')
        .is_some_and(|(login, _)| login.contains(':'));
    login
        || (lower.contains('=') && lower.contains(';'))
        || SCHEMES.iter().any(|scheme| lower.contains(scheme))
        || NAMES.iter().any(|name| {
            lower.match_indices(name).any(|(at, name)| {
                let behind = lower.get(at + name.len()..).unwrap_or_default();
                // As part of a longer name or of a path it is only a word: `passwords`, `password-file`.
                let parted = behind.starts_with(|c: char| {
                    !c.is_alphanumeric() && !matches!(c, '-' | '_' | '.' | '/' | '\\')
                });
                parted && behind.chars().any(char::is_alphanumeric)
            })
        })
}

/// What follows the container in `abfss://CONTAINER@ACCOUNT…`, where no login stands before the `@`: a container's name
/// has up to 63 lower-case letters, digits and hyphens (Azure Storage, naming of containers).
fn behind_container_of_azure(text: &str) -> &str {
    let Some(("abfs" | "abfss" | "wasb" | "wasbs", rest)) = text.split_once("://") else {
        return text;
    };
    let of_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    match rest.split_once('@') {
        Some((name, behind)) if name.len() <= 63 && name.bytes().all(of_name) => behind,
        _ => text,
    }
}

/// The environment variable that a user named as the place of a secret, for a message: by its name where that can be one.
/// The secret itself may stand there, which seldom looks like a name.
pub fn variable(name: &str) -> String {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    match first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        true => format!("the environment variable {name}"),
        false => {
            "an environment variable that cannot be (a name has letters, digits and '_')".to_owned()
        }
    }
}

/// The file that a user named as the place of a secret, for a message: by its name where that looks like a file's.
pub fn file_of_secret(path: &Path) -> String {
    let plain = |text: &str| {
        let of_name = |c: char| c.is_alphanumeric() || "._+-/\\".contains(c);
        text.chars().all(of_name)
    };
    match path.to_str() {
        Some(text) if plain(text) => shown(text),
        _ => "the file that was named (whose name is not shown)".to_owned(),
    }
}

/// A message without what looks like a password: the login of a URL, and everything behind `password=` up to the end
/// of the line, since nobody can say where a secret ends that was not understood.
///
/// This is the last wall and no more. Messages quote only what was understood, so that nothing comes here that has to
/// be taken out.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    let mut kept = Cow::Borrowed(text);
    if let Some(clean) = without_logins(&kept) {
        kept = Cow::Owned(clean);
    }
    if let Some(clean) = without_settings(&kept) {
        kept = Cow::Owned(clean);
    }
    kept
}

/// `scheme://user:secret@host` becomes `scheme://***@host`.
fn without_logins(text: &str) -> Option<String> {
    let mut clean = String::new();
    let mut rest = text;
    let mut found = false;
    while let Some(at) = rest.find("://") {
        let (before, behind) = rest.split_at(at + "://".len());
        clean.push_str(before);
        rest = behind;
        // Up to the next blank: a secret that was not percent-encoded may have '/', '?' or '@' in it.
        let end = behind.find(char::is_whitespace).unwrap_or(behind.len());
        let Some(host) = behind.get(..end).and_then(|address| address.rfind('@')) else {
            continue;
        };
        let (login, host) = behind.split_at(host);
        let secret = login.split_once(':').map(|(_, secret)| secret);
        if secret.is_some_and(|secret| !PLACEHOLDERS.contains(&secret)) {
            clean.push_str(HIDDEN);
            found = true;
        } else {
            clean.push_str(login);
        }
        rest = host;
    }
    clean.push_str(rest);
    found.then_some(clean)
}

/// `…password=…` becomes `…password=***`, line by line.
fn without_settings(text: &str) -> Option<String> {
    let mut found = false;
    let lines: Vec<Cow<'_, str>> = text
        .split('\n')
        .map(|line| match secret_from(line) {
            None => Cow::Borrowed(line),
            Some(at) => {
                found = true;
                Cow::Owned(format!("{}{HIDDEN}", line.get(..at).unwrap_or_default()))
            }
        })
        .collect();
    found.then(|| lines.join("\n"))
}

/// Where the first secret of a line begins.
fn secret_from(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    NAMES
        .iter()
        .flat_map(|name| lower.match_indices(name))
        .filter_map(|(at, name)| {
            let end = at + name.len();
            let behind = lower.get(end..)?;
            let value = behind.trim_start().strip_prefix('=')?.trim_start();
            let shown = value.trim_start_matches(['"', '\'']);
            let placeholder = PLACEHOLDERS.iter().any(|word| {
                shown
                    .strip_prefix(word)
                    .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
            });
            let empty = shown.is_empty();
            (!placeholder && !empty).then(|| line.len() - value.len())
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_and_what_follows_the_word_are_hidden() {
        for (text, clean) in [
            (
                "cannot reach mssql://sa:hunter2@db/x: no",
                "cannot reach mssql://***@db/x: no",
            ),
            ("a://u:p@ss/w@rd@h and b://v:q@i", "a://***@h and b://***@i"),
            (
                "no Server=db;Pwd = hunter2;Database=x here",
                "no Server=db;Pwd = ***",
            ),
            (
                "'host password=\"a b\"'\nnext line",
                "'host password=***\nnext line",
            ),
            ("PASSWORD=hünter2", "PASSWORD=***"),
        ] {
            assert_eq!(without_secrets(text), clean);
        }
    }

    #[test]
    fn what_looks_like_a_connection_is_not_told() {
        for text in [
            "mssql//sa:hunter2@db",
            "mssql://sa:hunter2/db",
            "me:hunter2@ghcr.io/x:1",
            "Server=db;Uid=sa;x='hunter2",
            "x Pwd hunter2",
        ] {
            assert_eq!(given(text), "what was given");
        }
        for text in [
            "dbo.T",
            "column=Modified",
            "ghcr.io/x:1@sha256:12",
            "s3://bucket/a",
            "x;y",
            "a@b",
            "passwords",
            "password-env",
        ] {
            assert_eq!(given(text), format!("'{text}'"));
        }
    }

    #[test]
    fn a_secret_in_the_place_of_a_name_is_not_told() {
        for secret in [
            "P@ssw0rd! 2026",
            "sa:hunter2@db/Shop",
            "Server=db;Pasword=x",
            "9lives",
        ] {
            assert!(!variable(secret).contains(secret), "{secret}");
        }
        for secret in ["P@ssw0rd! 2026", "sa:hunter2@db/Shop", "/etc/P@ssw0rd"] {
            let told = file_of_secret(Path::new(secret));
            assert!(!told.contains("hunter2") && !told.contains("P@"), "{told}");
        }
        assert_eq!(
            variable("SHOP_PASSWORD"),
            "the environment variable SHOP_PASSWORD"
        );
        assert_eq!(
            file_of_secret(Path::new("/run/secrets/shop-1.txt")),
            "/run/secrets/shop-1.txt"
        );
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "write mssql://user:password@host:1433/database or Server=host,1433;User Id=…;Password=…",
            "cannot connect to mssql://sa@db:1433/Shop: refused",
            "the password is empty, see password-env",
            "https://ghcr.io/acme/x:1 at sha256:12@",
            "mssql://USER:PASSWORD@HOST:PORT/DATABASE",
        ] {
            assert_eq!(without_secrets(text), text);
        }
    }
}
