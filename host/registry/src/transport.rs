//! HTTP, with a bound on everything that the other side decides.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use crate::answer::{Answer, is_of_certificate, place, unreachable};
use crate::error::{ErrorKind, RegistryError, Result};
use crate::reference::is_loopback;
use crate::text::reason;

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Longest silence.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// Longest that one request may take in all.
const REQUEST_LIMIT: Duration = Duration::from_secs(300);
const MAX_REDIRECTS: usize = 5;
/// How long a registry on this machine may take to say whether it speaks TLS.
const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// Where TLS may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plain {
    /// Nowhere.
    Nowhere,
    /// On this machine.
    Here,
    /// Everywhere, as the user said.
    Everywhere,
}

/// A client of one registry and of what it redirects to.
pub(crate) struct Transport {
    client: reqwest::Client,
    plain: Plain,
}

impl Transport {
    /// For a registry that is reached over TLS, or without; on this machine no proxy stands between.
    pub(crate) fn new(plain: Plain, local: bool) -> Result<Transport> {
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

    /// Whether an address may be asked: over TLS any, without it only where TLS may be left out.
    pub(crate) fn may_reach(&self, url: &Url) -> bool {
        match (url.scheme(), self.plain) {
            ("https", _) | ("http", Plain::Everywhere) => true,
            ("http", Plain::Here) => url.host_str().is_some_and(is_loopback),
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
        Ok(Answer::new(url, response))
    }

    /// Whether this address, on this machine, speaks TLS: yes too where its certificate is not trusted.
    pub(crate) async fn speaks_tls(&self, url: Url) -> bool {
        match self.client.get(url).timeout(PROBE_LIMIT).send().await {
            Ok(_) => true,
            Err(error) => is_of_certificate(&error),
        }
    }
}
