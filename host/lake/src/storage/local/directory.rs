//! Directories as people name them: by a path or a `file:` URL.

use std::path::{Path, PathBuf};

use crate::error::{LakeError, LakeErrorKind, Result};

/// The directory that a path or a `file:` URL (RFC 8089) names.
///
/// # Errors
/// [`LakeErrorKind::InvalidName`] for places of other schemes: a path `s3://bucket` would be a directory `s3:`
/// below the present one. A path of that spelling is written `./s3:/bucket`.
pub fn local_directory(name: &Path) -> Result<PathBuf> {
    let connection =
        |text: &str| !text.starts_with(['/', '.']) && icehost_untrusted::may_hold_secret(text);
    if name.to_str().is_some_and(connection) {
        return Err(refusal(
            name,
            "it looks like a connection, or a login".to_owned(),
            "give a directory; one of such a name is written with ./ in front",
        ));
    }
    let Some((scheme, rest)) = name.to_str().and_then(split_scheme) else {
        return Ok(name.to_owned());
    };
    if !scheme.eq_ignore_ascii_case("file") {
        return Err(refusal(
            name,
            format!("{scheme} is no local file system"),
            "icehost keeps tables on local or mounted file systems so far: give a directory, or file:///DIRECTORY",
        ));
    }
    let wrong = |why: &str| {
        let hint = "write file:///DIRECTORY, with %20 for a blank, or the directory itself";
        Err(refusal(name, why.to_owned(), hint))
    };
    let path = match rest
        .strip_prefix("//")
        .map(|rest| rest.split_at(rest.find('/').unwrap_or(rest.len())))
    {
        None => rest,
        Some(("" | "localhost", path)) => path,
        Some(_) => return wrong("it names another machine"),
    };
    if !path.starts_with('/') {
        return wrong("it names no absolute path");
    }
    if path.contains(['?', '#']) {
        return wrong("a query or a fragment belongs to no directory");
    }
    match percent_decoded(path) {
        Some(path) => Ok(PathBuf::from(path)),
        None => wrong("its escapes do not decode to text"),
    }
}

/// A scheme (RFC 3986, section 3.1) and what follows its colon, where that is a path.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let mut bytes = scheme.bytes();
    let known = bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let file = scheme.eq_ignore_ascii_case("file");
    (known && (file || rest.starts_with('/'))).then_some((scheme, rest))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digit = |b: Option<u8>| char::from(b?).to_digit(16);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded)
        .ok()
        .filter(|path| !path.contains('\0'))
}

fn refusal(name: &Path, why: String, hint: &str) -> LakeError {
    LakeError::new(
        LakeErrorKind::InvalidName,
        format!(
            "{} is no directory: {why}",
            icehost_untrusted::given(&name.display().to_string())
        ),
    )
    .with_hint(hint)
}

/// The directory without links and dots, so far as it exists: metadata holds absolute paths, which must not
/// depend on the working directory.
pub(crate) fn absolute(dir: &Path) -> Result<PathBuf> {
    let io = |e| LakeError::io("resolve", &dir.to_string_lossy(), e);
    let absolute = std::path::absolute(dir).map_err(io)?;
    let existing = absolute.ancestors().find(|ancestor| ancestor.exists());
    match existing.and_then(|part| Some((part, absolute.strip_prefix(part).ok()?))) {
        Some((part, rest)) => Ok(part.canonicalize().map_err(io)?.join(rest)),
        None => Ok(absolute),
    }
}

/// The path as text, which Iceberg's metadata needs.
pub(crate) fn path_text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        LakeError::new(
            LakeErrorKind::InvalidName,
            format!("the path {} is not valid Unicode", path.display()),
        )
        .with_hint("Iceberg records paths as text; choose another directory")
    })
}

/// The path behind a recorded location; `None` for one that is on no local file system.
pub(crate) fn local_path(location: &str) -> Option<&str> {
    match location.strip_prefix("file:") {
        Some(rest) => Some(rest.strip_prefix("//").unwrap_or(rest)),
        None if has_scheme(location) => None,
        None => Some(location),
    }
}

fn has_scheme(location: &str) -> bool {
    location.split_once("://").is_some_and(|(scheme, _)| {
        scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn file_urls_and_plain_paths_are_local() {
        assert_eq!(local_path("/a/b"), Some("/a/b"));
        assert_eq!(local_path("file:///a/b"), Some("/a/b"));
        assert_eq!(local_path("file:/a/b c"), Some("/a/b c"));
        for elsewhere in ["s3://bucket/a", "x-y.z+1://bucket/a"] {
            assert_eq!(local_path(elsewhere), None);
        }
    }

    #[test]
    fn paths_and_file_urls_name_directories() {
        for (name, path) in [
            ("/lake", "/lake"),
            ("lake", "lake"),
            ("./s3:/bucket", "./s3:/bucket"),
            ("a:b", "a:b"),
            ("/a%20b", "/a%20b"),
            ("file:///lake", "/lake"),
            ("file:/lake", "/lake"),
            ("FILE://localhost/lake", "/lake"),
            ("file:///with%20blank/%C3%A4", "/with blank/ä"),
            ("file:///a%25b", "/a%b"),
        ] {
            assert_eq!(
                local_directory(Path::new(name)).unwrap(),
                Path::new(path),
                "{name}"
            );
        }
    }

    #[test]
    fn other_places_are_refused_by_name() {
        for name in [
            "s3://bucket/lake",
            "S3A://bucket",
            "s3:/bucket",
            "abfss://container@account.dfs.core.windows.net/lake",
            "gs://bucket",
            "https://example.com/lake",
            "file://server/share",
            "file:lake",
            "file:",
            "file://",
            "file:///lake?x=1",
            "file:///lake#x",
            "file:///lake%2",
            "file:///lake%zz",
            "file:///lake%ff",
            "file:///lake%00",
        ] {
            let error = local_directory(Path::new(name)).unwrap_err();
            assert_eq!(error.kind(), LakeErrorKind::InvalidName, "{name}");
            assert!(error.to_string().contains(name), "{error}");
            assert!(error.hint().is_some(), "{name}");
        }
    }

    #[test]
    fn a_login_in_the_wrong_place_is_not_repeated() {
        for name in [
            "abfss://user:Secret-1@account/lake",
            "abfss://SECRET@account/lake",
            "mssql://sa:secret@host/db",
            "https://secret@host/lake",
        ] {
            let said = local_directory(Path::new(name)).unwrap_err().to_string();
            assert!(!said.to_lowercase().contains("secret"), "{said}");
        }
    }
}
