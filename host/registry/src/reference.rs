//! What people call a component in a registry: `ghcr.io/acme/by-version:1.2.0`.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use icehost_untrusted::given;

use crate::Digest;
use crate::error::{ErrorKind, RegistryError, Result};

/// Most characters of a name without its version, as registries have it.
const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;

/// A component in a registry: host, repository, and a tag, a digest or both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    host: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Reads `HOST[:PORT]/REPOSITORY:TAG`, `…@sha256:DIGEST` or both; `oci://` may stand in front.
    ///
    /// # Errors
    /// Text of another form: no host, no version, letters that registries do not take.
    pub fn parse(text: &str) -> Result<Reference> {
        let wrong = |why: &str, hint: &str| {
            RegistryError::new(
                ErrorKind::Usage,
                format!("{} is no registry reference: {why}", given(text)),
            )
            .with_hint(hint)
        };
        const FORM: &str = "write HOST/REPOSITORY:VERSION, such as ghcr.io/acme/by-version:1.2.0";
        let rest = text.strip_prefix("oci://").unwrap_or(text);
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => {
                let digest = digest.strip_prefix("sha256:").and_then(Digest::parse);
                let digest = digest.ok_or_else(|| {
                    wrong(
                        "what follows '@' is no digest",
                        "a digest is sha256: and 64 hexadecimal digits",
                    )
                })?;
                (rest, Some(digest))
            }
            None => (rest, None),
        };
        let (host, path) = rest
            .split_once('/')
            .filter(|(host, _)| host.contains(['.', ':']) || *host == "localhost")
            .ok_or_else(|| wrong("it names no registry", FORM))?;
        let host = host.to_ascii_lowercase();
        if !is_host(&host) {
            return Err(wrong("its host is no host", FORM));
        }
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            None => (path, None),
        };
        if host.len() + repository.len() >= MAX_NAME || !repository.split('/').all(is_component) {
            return Err(wrong(
                "its repository is no name",
                "a repository has lower-case letters, digits and single '.', '_' and '-' between them",
            ));
        }
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong(
                "its version is no tag",
                "a tag has letters, digits, '.', '_' and '-', up to 128 of them",
            ));
        }
        if tag.is_none() && digest.is_none() {
            return Err(wrong("it names no version", FORM));
        }
        Ok(Reference {
            host,
            repository: repository.to_owned(),
            tag,
            digest,
        })
    }

    /// The registry, with its port where one is named.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The manifest's digest, where the reference has one.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// What the registry is asked for: the digest, or else the tag.
    pub(crate) fn version(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.qualified(),
            (None, tag) => tag.clone().unwrap_or_default(),
        }
    }

    /// Whether its registry is this machine.
    pub fn is_local(&self) -> bool {
        is_loopback(without_port(&self.host))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{}", digest.qualified()),
            None => Ok(()),
        }
    }
}

impl FromStr for Reference {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Reference> {
        Reference::parse(text)
    }
}

/// The host of `host:port`.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Whether a host, without its port, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || bare.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
}

/// A name or address, maybe with a port.
fn is_host(host: &str) -> bool {
    let name = without_port(host);
    let port = host.get(name.len() + 1..);
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return false;
    }
    if let Some(address) = name.strip_prefix('[') {
        let address = address.strip_suffix(']');
        return address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    name.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    })
}

/// A part of a repository's name: letters and digits, with `.`, `_`, `__` or dashes between them.
fn is_component(part: &str) -> bool {
    let is_letter = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    bytes.first().is_some_and(is_letter)
        && bytes.last().is_some_and(is_letter)
        && part
            .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .all(|between| {
                matches!(between, "" | "." | "_" | "__") || between.bytes().all(|b| b == b'-')
            })
}

fn is_tag(tag: &str) -> bool {
    let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    tag.len() <= MAX_TAG
        && tag.as_bytes().first().is_some_and(is_word)
        && tag.bytes().all(|b| is_word(&b) || matches!(b, b'.' | b'-'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn parts_are_told_apart() {
        let reference =
            Reference::parse(&format!("oci://LocalHost:5000/acme/x:1.2@{DIGEST}")).unwrap();
        assert_eq!(reference.host(), "localhost:5000");
        assert_eq!(reference.repository(), "acme/x");
        assert_eq!(reference.tag(), Some("1.2"));
        assert_eq!(reference.version(), DIGEST);
        assert!(reference.is_local());
        for (host, local) in [
            ("127.0.0.1", true),
            ("127.3.2.1:80", true),
            ("[::1]:5000", true),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com", false),
            ("ghcr.io", false),
        ] {
            let reference = Reference::parse(&format!("{host}/x:1")).unwrap();
            assert_eq!(reference.is_local(), local, "{host}");
        }
    }

    #[test]
    fn what_is_none_is_refused_with_the_reason() {
        let long = format!("ghcr.io/{}:1", "a".repeat(250));
        for (text, why) in [
            ("", "names no registry"),
            ("by-version:1", "names no registry"),
            ("acme/by-version:1", "names no registry"),
            ("ghcr.io/acme/by-version", "names no version"),
            ("ghcr.io/acme/by-version@sha256:ab", "no digest"),
            ("ghcr.io/acme/by-version@sha512:ab", "no digest"),
            ("ghcr.io/Acme/x:1", "repository"),
            ("ghcr.io/acme//x:1", "repository"),
            ("ghcr.io/../x:1", "repository"),
            ("ghcr.io/a..b:1", "repository"),
            (&long, "repository"),
            ("ghcr.io/x:-1", "tag"),
            ("ghcr.io/x:a/b", "tag"),
            ("ghcr.io/x:a b", "tag"),
            ("user@ghcr.io/x:1", "no digest"),
            ("ghcr..io/x:1", "host"),
            ("ghcr.io:0/x:1", "host"),
            ("ghcr.io:99999/x:1", "host"),
            ("[::1/x:1", "host"),
        ] {
            let error = Reference::parse(text).unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
            assert!(error.hint().is_some(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn references_are_read_as_they_are_written(
            host in "([a-z][a-z0-9]{0,8}\\.){1,3}[a-z]{2,4}(:[1-9][0-9]{0,3})?|localhost",
            repository in "[a-z0-9]{1,8}((\\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}(/[a-z0-9]{1,5}){0,3}",
            tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"),
            digest in proptest::option::of(any::<[u8; 4]>()),
        ) {
            prop_assume!(tag.is_some() || digest.is_some());
            let reference = Reference {
                host,
                repository,
                tag,
                digest: digest.map(|bytes| Digest::of(&bytes)),
            };
            prop_assert_eq!(Reference::parse(&reference.to_string()).unwrap(), reference);
        }

        #[test]
        fn any_text_is_a_reference_or_an_error(text in "\\PC{0,40}|[a-z./:@]{0,30}") {
            if let Ok(reference) = Reference::parse(&text) {
                prop_assert_eq!(Reference::parse(&reference.to_string()).unwrap(), reference);
            }
        }
    }
}
