//! HTTP, with a bound on everything that the other side decides.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use url::Url;

use crate::error::{ErrorKind, RegistryError, Result};
use crate::reference::is_loopback;
use crate::text::{reason, shown};

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Longest silence.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// Longest that one request may take in all.
const REQUEST_LIMIT: Duration = Duration::from_secs(300);
const MAX_REDIRECTS: usize = 5;
/// Most bytes of an error's body.
const MAX_ERROR: u64 = 64 << 10;

/// A client of one registry and of what it redirects to.
pub(crate) struct Transport {
    client: reqwest::Client,
    /// Whether the registry may be reached without TLS.
    plain: bool,
}

impl Transport {
    /// For a registry that is reached over TLS, or without.
    pub(crate) fn new(plain: bool, local: bool) -> Result<Transport> {
        let failed = |why: String| {
            RegistryError::new(ErrorKind::Unreachable, format!("cannot set up TLS: {why}"))
        };
        let mut roots = RootCertStore::empty();
        // Some may be unreadable; what is missing shows as a certificate that is not trusted.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut builder = reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .user_agent(concat!("icehost/", env!("CARGO_PKG_VERSION")))
            // Followed by hand: credentials stay with the registry, and TLS is not left.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_LIMIT)
            .read_timeout(READ_LIMIT)
            .timeout(REQUEST_LIMIT);
        if local {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| failed(reason(&error)))?;
        Ok(Transport { client, plain })
    }

    /// Whether an address may be asked: over TLS any, without it only a registry that is reached so too.
    pub(crate) fn may_reach(&self, url: &Url) -> bool {
        match url.scheme() {
            "https" => true,
            "http" => self.plain,
            _ => false,
        }
    }

    /// Asks for something, redirected up to five times. The credential goes to the first address, and to
    /// others only of the same origin.
    pub(crate) async fn get(
        &self,
        what: &str,
        url: Url,
        authorization: Option<HeaderValue>,
        accept: &'static str,
    ) -> Result<Answer> {
        let origin = url.origin();
        let mut at = url;
        for _ in 0..=MAX_REDIRECTS {
            let authorization = authorization.clone().filter(|_| at.origin() == origin);
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            let answer = self
                .send(
                    what,
                    Method::GET,
                    at.clone(),
                    authorization,
                    headers,
                    Vec::new(),
                )
                .await?;
            if !answer.status.is_redirection() {
                return Ok(answer);
            }
            at = answer.location(what)?;
            if !self.may_reach(&at) {
                return Err(RegistryError::refused(
                    what,
                    format!(
                        "{} redirects to {}, which is not https",
                        origin.ascii_serialization(),
                        place(&at)
                    ),
                ));
            }
        }
        Err(RegistryError::refused(
            what,
            format!(
                "{} redirects more than {MAX_REDIRECTS} times",
                origin.ascii_serialization()
            ),
        ))
    }

    /// Sends one request.
    pub(crate) async fn send(
        &self,
        what: &str,
        method: Method,
        url: Url,
        authorization: Option<HeaderValue>,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer> {
        let mut request = self.client.request(method, url.clone()).headers(headers);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if !body.is_empty() {
            request = request.body(body);
        }
        let response = request
            .send()
            .await
            .map_err(|error| unreachable(what, &url, error))?;
        Ok(Answer {
            status: response.status(),
            url,
            response,
        })
    }

    /// Whether this address, on this machine, speaks TLS: yes too where its certificate is not trusted.
    pub(crate) async fn speaks_tls(&self, url: Url) -> bool {
        match self.client.get(url).send().await {
            Ok(_) => true,
            Err(error) => {
                let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
                while let Some(each) = cause {
                    let inner = each
                        .downcast_ref::<std::io::Error>()
                        .and_then(|io| io.get_ref());
                    let tls = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
                    if matches!(tls, Some(rustls::Error::InvalidCertificate(_))) {
                        return true;
                    }
                    cause = each.source();
                }
                false
            }
        }
    }
}

/// What came back; its body is not read yet.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    url: Url,
    response: Response,
}

impl Answer {
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
            .and_then(|value| value.to_str().ok());
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
            _ => (ErrorKind::Unreachable, "fails", None),
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

/// An address without its query, which may hold a signature.
fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn unreachable(what: &str, url: &Url, error: reqwest::Error) -> RegistryError {
    let host = url.host_str().unwrap_or_default();
    let hint = match url.scheme() {
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
