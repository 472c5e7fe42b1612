//! Configuration files on a bed.

use std::path::PathBuf;

use icehost_tests::{Bed, Command};

/// Where the password of the bed's server is.
pub(crate) const PASSWORD: &str = "ICEHOST_CASE_PASSWORD";

/// A file with the bed's warehouse, its connections `source` and `target`, and what else it is to hold.
pub(crate) fn write(bed: &Bed, more: &str) -> PathBuf {
    let text = format!(
        "warehouse = \"warehouse\"\n\n{}{}{more}",
        connection("source", &bed.source_url()),
        connection("target", &bed.target_url())
    );
    write_raw(bed, &text)
}

/// A file with just this text.
pub(crate) fn write_raw(bed: &Bed, text: &str) -> PathBuf {
    let path = bed.path("icehost.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn connection(name: &str, url: &str) -> String {
    let url = without_password(url);
    format!("[connections.{name}]\nurl = \"{url}\"\npassword-env = \"{PASSWORD}\"\n\n")
}

/// `mssql://user@host/…` of `mssql://user:password@host/…`.
pub(crate) fn without_password(url: &str) -> String {
    let (login, rest) = url.rsplit_once('@').unwrap();
    let (scheme, login) = login.split_once("://").unwrap();
    let (user, _) = login.split_once(':').unwrap();
    format!("{scheme}://{user}@{rest}")
}

/// `icehost SUBCOMMAND --config` on the bed's file, with the password where the file says that it is.
pub(crate) fn with_config<'a>(bed: &Bed, subcommand: impl IntoIterator<Item = &'a str>) -> Command {
    Command::new(subcommand)
        .args(["--config", &bed.path("icehost.toml").display().to_string()])
        .env(PASSWORD, &bed.login().1)
}
