//! What a registry answers, and what its failures mean.

use std::error::Error;
use std::io;

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use url::Url;

use crate::error::{ErrorKind, RegistryError, Result};
use crate::reference::is_loopback;
use crate::text::{reason, shown};

/// Most bytes of an error's body.
const MAX_ERROR: u64 = 64 << 10;

/// What came back; its body is not read yet.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    url: Url,
    response: Response,
}

impl Answer {
    pub(crate) fn new(url: Url, response: Response) -> Answer {
        Answer {
            status: response.status(),
            url,
            response,
        }
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Where it says to go on.
    pub(crate) fn location(&self, what: &str) -> Result<Url> {
        let location = self
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            // Joined, it would be the same address again.
            .filter(|location| !location.trim().is_empty());
        let url = location.and_then(|location| self.url.join(location).ok());
        url.ok_or_else(|| {
            let status = self.status.as_u16();
            let why = format!(
                "{} answers {status} without saying where to go on",
                place(&self.url)
            );
            RegistryError::refused(what, why)
        })
    }

    /// The body, if it is no larger than this.
    pub(crate) async fn body(mut self, what: &str, most: u64) -> Result<Vec<u8>> {
        let too_large = || RegistryError::refused(what, format!("it has more than {most} bytes"));
        if self
            .response
            .content_length()
            .is_some_and(|length| length > most)
        {
            return Err(too_large());
        }
        let mut body = Vec::new();
        loop {
            let chunk = self.response.chunk().await;
            match chunk.map_err(|error| unreachable(what, &self.url, error))? {
                Some(chunk) if (body.len() + chunk.len()) as u64 > most => return Err(too_large()),
                Some(chunk) => body.extend_from_slice(&chunk),
                None => return Ok(body),
            }
        }
    }

    /// The failure that an answer other than success is.
    pub(crate) async fn failure(self, what: &str) -> RegistryError {
        let (status, place) = (self.status, place(&self.url));
        let said = self.body(what, MAX_ERROR).await.ok();
        let said = said
            .as_deref()
            .and_then(said_by)
            .map_or(String::new(), |said| format!(": {said}"));
        let (kind, why, hint) = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => (
                ErrorKind::Denied,
                "denies it",
                Some(
                    "log in with 'docker login', or set ICEHOST_REGISTRY_USER and ICEHOST_REGISTRY_PASSWORD; \
                     the login needs the right to do this",
                ),
            ),
            StatusCode::NOT_FOUND => (
                ErrorKind::NotFound,
                "does not have it",
                Some("check the reference; some registries say so too where a login is missing"),
            ),
            StatusCode::TOO_MANY_REQUESTS => (
                ErrorKind::Unreachable,
                "is asked too often",
                Some("wait, or log in"),
            ),
            status if status.is_server_error() => (
                ErrorKind::Unreachable,
                "fails",
                Some(
                    "the registry has a fault of its own: try again later, and tell who runs it where it stays",
                ),
            ),
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::INSUFFICIENT_STORAGE => (
                ErrorKind::Unreachable,
                "takes no more",
                Some("make room there, or ask who runs it for a larger share"),
            ),
            _ => (
                ErrorKind::Unreachable,
                "fails",
                Some(
                    "check the reference, and that a registry answers there (OCI distribution), no website or proxy",
                ),
            ),
        };
        let message = format!("{what}: {place} {why} ({}{said})", status.as_u16());
        let error = RegistryError::new(kind, message);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// What a registry says in an error's body.
fn said_by(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        errors: Vec<Said>,
    }
    #[derive(Deserialize)]
    struct Said {
        code: Option<String>,
        message: Option<String>,
    }
    let body: Body = serde_json::from_slice(body).ok()?;
    let first = body.errors.into_iter().next()?;
    let said = first
        .message
        .filter(|message| !message.is_empty())
        .or(first.code)?;
    Some(shown(&said))
}

/// An address without its query, which may hold a signature; of one without a host, what kind it is.
pub(crate) fn place(url: &Url) -> String {
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return format!("{}: and no host", shown(url.scheme()));
    };
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

pub(crate) fn unreachable(what: &str, url: &Url, error: reqwest::Error) -> RegistryError {
    let host = url.host_str().unwrap_or_default();
    let hint = match url.scheme() {
        _ if is_of_certificate(&error) => {
            "its certificate needs an authority that this system trusts; SSL_CERT_FILE names others"
        }
        _ if error.is_timeout() => "the registry does not answer in time; try again later",
        "https" if !is_loopback(host) => {
            "check host and network; a registry without TLS needs --plain-http, or plain-http in [registry]"
        }
        _ => "check that the registry runs there",
    };
    let place = place(url);
    // The address may hold a query with a signature.
    let why = reason(&error.without_url());
    RegistryError::new(
        ErrorKind::Unreachable,
        format!("{what}: cannot reach {place}: {why}"),
    )
    .with_hint(hint)
}

/// Whether an error is that a certificate is not trusted. An `io::Error` hides what it holds from its sources.
pub(crate) fn is_of_certificate(error: &(dyn Error + 'static)) -> bool {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return matches!(tls, rustls::Error::InvalidCertificate(_));
    }
    let inner = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    let inner = inner.map(|inner| inner as &(dyn Error + 'static));
    inner.or(error.source()).is_some_and(is_of_certificate)
}
