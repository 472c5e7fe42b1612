//! How a registry is told who asks: what it wants stands in its answer 401, and is a login or a token that
//! another address gives for one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use serde::Deserialize;
use url::Url;

use crate::credentials::Login;
use crate::error::{ErrorKind, RegistryError, Result};
use crate::reference::without_port;
use crate::text::shown;
use crate::transport::Transport;

/// Most bytes of a token's answer.
const MAX_TOKEN: u64 = 64 << 10;

/// What a registry wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
    },
}

impl Challenge {
    /// Reads the headers of an answer 401; a token is taken rather than a login.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Challenge> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter();
        let read: Vec<Challenge> = values
            .filter_map(|value| Challenge::parse(value.to_str().ok()?))
            .collect();
        let bearer = read.iter().find(|each| **each != Challenge::Basic);
        bearer.or(read.first()).cloned()
    }

    fn parse(text: &str) -> Option<Challenge> {
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service) = (None, None);
        let mut rest = rest.trim_start();
        while let Some((name, after)) = rest.split_once('=') {
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_at(after.find(',').unwrap_or(after.len())),
            };
            match name.trim().to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value.to_owned()),
                "service" => service = Some(value.to_owned()),
                _ => {}
            }
            rest = after.trim_start_matches([',', ' ']);
        }
        Some(Challenge::Bearer {
            realm: realm?,
            service,
        })
    }
}

/// The header that a login is sent in.
pub(crate) fn basic(login: &Login) -> Result<HeaderValue> {
    let pair = BASE64.encode(format!("{}:{}", login.user, login.password));
    secret(&format!("Basic {pair}"))
}

/// A header that no log shows.
fn secret(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        RegistryError::new(
            ErrorKind::Refused,
            "the registry's token has letters that no token has",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Gets a token for what is to be done to a repository.
///
/// A registry names the address itself. Without a login that is harmless; a login goes only where the
/// registry is at home.
pub(crate) async fn token(
    transport: &Transport,
    host: &str,
    realm: &str,
    service: Option<&str>,
    scope: &str,
    login: Option<&Login>,
) -> Result<HeaderValue> {
    let refused = |why: &str| {
        RegistryError::new(
            ErrorKind::Refused,
            format!(
                "the registry {host} wants a token from {}: {why}",
                shown(realm)
            ),
        )
    };
    let mut url = Url::parse(realm).map_err(|_| refused("that is no address"))?;
    if !transport.may_reach(&url) {
        return Err(refused("tokens are fetched over https"));
    }
    let at = url.host_str().unwrap_or_default();
    if login.is_some() && !at_home(host, at) {
        return Err(
            refused("that is another host, and the login is not sent there").with_hint(
                "take the login away to get a token without one, or ask the registry's operator",
            ),
        );
    }
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = service {
            query.append_pair("service", service);
        }
        query.append_pair("scope", scope);
    }
    let authorization = login.map(basic).transpose()?;
    let what = format!("a token for {host}");
    let answer = transport
        .get(&what, url, authorization, "application/json")
        .await?;
    if !answer.status.is_success() {
        return Err(answer.failure(&what).await);
    }
    let body = answer.body(&what, MAX_TOKEN).await?;
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
    }
    // The error is not told: it may quote the token.
    let answer: Answer =
        serde_json::from_slice(&body).map_err(|_| refused("what came is no token"))?;
    let token = answer.token.or(answer.access_token);
    let token = token.ok_or_else(|| refused("what came has no token"))?;
    secret(&format!("Bearer {token}"))
}

/// Whether a login for a registry may be sent to this host: the registry's own, or one of the domain that
/// the registry's name lies in, as `auth.docker.io` for `registry-1.docker.io`.
fn at_home(registry: &str, host: &str) -> bool {
    let registry = without_port(registry);
    if registry.eq_ignore_ascii_case(host) {
        return true;
    }
    // An address has no domain, and neither has a name of two parts.
    let is_name =
        registry.contains(|c: char| c.is_ascii_alphabetic()) && !registry.starts_with('[');
    match registry.split_once('.') {
        Some((_, domain)) if is_name && domain.contains('.') => {
            let host = host.to_ascii_lowercase();
            host == domain
                || host
                    .strip_suffix(domain)
                    .is_some_and(|rest| rest.ends_with('.'))
        }
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        Challenge::read(&headers)
    }

    #[test]
    fn challenges_are_read() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.to_owned(),
                service: service.map(str::to_owned),
            })
        };
        assert_eq!(read(&["Basic realm=\"x\""]), Some(Challenge::Basic));
        assert_eq!(read(&["basic"]), Some(Challenge::Basic));
        let ghcr = r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull,push""#;
        assert_eq!(
            read(&["Basic", ghcr]),
            bearer("https://ghcr.io/token", Some("ghcr.io"))
        );
        assert_eq!(
            read(&["bearer realm=https://a/t, error=x"]),
            bearer("https://a/t", None)
        );
        for nothing in [
            &[][..],
            &["Negotiate"],
            &["Bearer"],
            &["Bearer realm=\"x"],
            &["Bearer service=\"x\""],
        ] {
            assert_eq!(read(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_login_stays_in_the_registrys_domain() {
        for (registry, host, at_home_there) in [
            ("ghcr.io", "ghcr.io", true),
            ("localhost:5000", "localhost", true),
            ("registry-1.docker.io", "auth.docker.io", true),
            ("registry.gitlab.com", "gitlab.com", true),
            ("ghcr.io", "evil.io", false),
            ("ghcr.io", "token.ghcr.io", false),
            ("registry.gitlab.com", "evilgitlab.com", false),
            ("registry.gitlab.com", "com", false),
            ("10.0.0.1:5000", "10.1.0.1", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("127.0.0.1:5000", "localhost", false),
        ] {
            assert_eq!(at_home(registry, host), at_home_there, "{registry} {host}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_challenge_is_read_or_not(text in "(Bearer |bearer|Basic)?[a-z=\",é ]{0,40}") {
            let _ = Challenge::parse(&text);
        }
    }
}
