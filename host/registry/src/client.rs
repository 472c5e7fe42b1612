//! The distribution protocol: manifests and blobs of one repository.

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use tokio::sync::Mutex;
use url::Url;

use crate::Digest;
use crate::answer::Answer;
use crate::auth::{self, Challenge};
use crate::credentials::Credentials;
use crate::error::{ErrorKind, RegistryError, Result};
use crate::manifest::{Descriptor, MAX_MANIFEST};
use crate::reference::Reference;
use crate::transport::{Plain, Transport};

/// What manifests may be; lists are asked for to be told apart.
const ACCEPT: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";

/// What is to be done in a repository, which a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read.
    Pull,
    /// Read and write.
    Push,
}

/// A repository of a registry.
pub struct Client {
    transport: Transport,
    base: Url,
    host: String,
    repository: String,
    access: Access,
    credentials: Credentials,
    /// What the registry has been told who asks with.
    authorization: Mutex<Option<HeaderValue>>,
}

impl Client {
    /// For the repository of a reference. On this machine TLS is used where it is spoken; elsewhere it is
    /// left out only where `plain_http` says so.
    ///
    /// # Errors
    /// TLS that cannot be set up.
    pub async fn open(
        reference: &Reference,
        access: Access,
        credentials: Credentials,
        plain_http: bool,
    ) -> Result<Client> {
        // What everybody calls docker.io is served elsewhere.
        let host = match reference.host() {
            "docker.io" => "registry-1.docker.io",
            host => host,
        };
        let address = |scheme: &str| {
            Url::parse(&format!("{scheme}://{host}/v2/")).map_err(|_| {
                RegistryError::new(
                    ErrorKind::Usage,
                    format!("'{host}' is no host of a registry"),
                )
            })
        };
        let local = reference.is_local();
        let secure = Transport::new(Plain::Nowhere, local)?;
        let plain = match (local, plain_http) {
            (true, _) if secure.speaks_tls(address("https")?).await => Plain::Nowhere,
            (true, false) => Plain::Here,
            (_, true) => Plain::Everywhere,
            (false, false) => Plain::Nowhere,
        };
        let (transport, scheme) = match plain {
            Plain::Nowhere => (secure, "https"),
            plain => (Transport::new(plain, local)?, "http"),
        };
        Ok(Client {
            transport,
            base: address(scheme)?,
            host: reference.host().to_owned(),
            repository: reference.repository().to_owned(),
            access,
            credentials,
            authorization: Mutex::new(None),
        })
    }

    /// The repository, as `HOST/NAME`.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.host, self.repository)
    }

    /// A manifest by its tag or digest; the digest is that of the bytes that came.
    pub(crate) async fn manifest(&self, version: &str) -> Result<(Digest, Vec<u8>)> {
        let separator = if version.starts_with("sha256:") {
            '@'
        } else {
            ':'
        };
        let what = format!("{}{separator}{version}", self.name());
        let answer = self
            .get(&what, &format!("manifests/{version}"), ACCEPT)
            .await?;
        if answer.status != StatusCode::OK {
            return Err(answer.failure(&what).await);
        }
        let told = answer.headers().get("docker-content-digest");
        let told = told.and_then(|value| Digest::parse(value.to_str().ok()?));
        let bytes = answer.body(&what, MAX_MANIFEST).await?;
        let digest = Digest::of(&bytes);
        // A registry that says another digest than its bytes have is mistaken about either.
        let wanted = match version.starts_with("sha256:") {
            true => Digest::parse(version),
            false => told,
        };
        if wanted.is_some_and(|wanted| wanted != digest) {
            return Err(mismatch(&what, "its manifest", digest, wanted));
        }
        Ok((digest, bytes))
    }

    /// A blob, with the size and the digest that its descriptor says.
    pub(crate) async fn blob(&self, blob: &Descriptor, most: u64) -> Result<Vec<u8>> {
        let what = format!("{}@{}", self.name(), blob.digest.qualified());
        if blob.size > most {
            let why = format!("it has {} bytes, of at most {most}", blob.size);
            return Err(RegistryError::refused(&what, why));
        }
        let path = format!("blobs/{}", blob.digest.qualified());
        let answer = self.get(&what, &path, "*/*").await?;
        if answer.status != StatusCode::OK {
            return Err(answer.failure(&what).await);
        }
        let bytes = answer.body(&what, blob.size).await?;
        let digest = Digest::of(&bytes);
        if digest != blob.digest {
            return Err(mismatch(&what, "what came", digest, Some(blob.digest)));
        }
        Ok(bytes)
    }

    /// Uploads a blob, unless it is there.
    pub(crate) async fn push_blob(&self, bytes: &[u8]) -> Result<()> {
        let digest = Digest::of(bytes).qualified();
        let what = format!("{}@{digest}", self.name());
        let url = self.url(&format!("blobs/{digest}"))?;
        let there = self
            .send(&what, Method::HEAD, url, HeaderMap::new(), Vec::new())
            .await?;
        if there.status == StatusCode::OK {
            return Ok(());
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        let url = self.url("blobs/uploads/")?;
        let begun = self
            .send(&what, Method::POST, url, headers, Vec::new())
            .await?;
        if begun.status != StatusCode::ACCEPTED {
            return Err(begun.failure(&what).await);
        }
        let mut url = begun.location(&what)?;
        if !self.transport.may_reach(&url) {
            return Err(RegistryError::refused(
                &what,
                "it would be uploaded without TLS",
            ));
        }
        url.query_pairs_mut().append_pair("digest", &digest);
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        let ended = self
            .send(&what, Method::PUT, url, headers, bytes.to_vec())
            .await?;
        match ended.status.is_success() {
            true => Ok(()),
            false => Err(ended.failure(&what).await),
        }
    }

    /// Puts a manifest under a tag.
    pub(crate) async fn push_manifest(
        &self,
        tag: &str,
        media_type: &'static str,
        bytes: &[u8],
    ) -> Result<Digest> {
        let what = format!("{}:{tag}", self.name());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        let url = self.url(&format!("manifests/{tag}"))?;
        let put = self
            .send(&what, Method::PUT, url, headers, bytes.to_vec())
            .await?;
        // 201, as it should be, or 202.
        match put.status.is_success() {
            true => Ok(Digest::of(bytes)),
            false => Err(put.failure(&what).await),
        }
    }

    fn url(&self, path: &str) -> Result<Url> {
        self.base
            .join(&format!("{}/{path}", self.repository))
            .map_err(|_| {
                RegistryError::new(
                    ErrorKind::Usage,
                    format!("'{path}' is no path in a registry"),
                )
            })
    }

    /// Gets what lies under a path, redirected or not.
    async fn get(&self, what: &str, path: &str, accept: &'static str) -> Result<Answer> {
        let url = self.url(path)?;
        let known = self.authorization.lock().await.clone();
        let answer = self.transport.get(what, url.clone(), known, accept).await?;
        match self.authorize(&answer).await? {
            Some(authorization) => {
                self.transport
                    .get(what, url, Some(authorization), accept)
                    .await
            }
            None => Ok(answer),
        }
    }

    /// Sends what changes something, which is not redirected.
    async fn send(
        &self,
        what: &str,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer> {
        // Some registries take uploads at other hosts, which need no login of ours.
        let ours = url.origin() == self.base.origin();
        let known = self.authorization.lock().await.clone().filter(|_| ours);
        let (again, copy) = (url.clone(), body.clone());
        let answer = self
            .transport
            .send(what, method.clone(), url, known, headers.clone(), body)
            .await?;
        if !ours {
            return Ok(answer);
        }
        match self.authorize(&answer).await? {
            Some(authorization) => {
                self.transport
                    .send(what, method, again, Some(authorization), headers, copy)
                    .await
            }
            None => Ok(answer),
        }
    }

    /// What to ask again with, where the answer is that the registry wants to know who asks. It is asked
    /// for once: who is denied then is denied.
    async fn authorize(&self, answer: &Answer) -> Result<Option<HeaderValue>> {
        let mut known = self.authorization.lock().await;
        // What a host that was redirected to wants is none of our business.
        let ours = answer.url().origin() == self.base.origin();
        if answer.status != StatusCode::UNAUTHORIZED || !ours || known.is_some() {
            return Ok(None);
        }
        let login = self.credentials.find(&self.host).await?;
        let authorization = match (Challenge::read(answer.headers()), login) {
            (Some(Challenge::Basic), Some(login)) => auth::basic(&login)?,
            (Some(Challenge::Bearer { realm, service }), login) => {
                let actions = match self.access {
                    Access::Pull => "pull",
                    Access::Push => "pull,push",
                };
                let scope = format!("repository:{}:{actions}", self.repository);
                let host = self.base.host_str().unwrap_or_default();
                auth::token(
                    &self.transport,
                    host,
                    &realm,
                    service.as_deref(),
                    &scope,
                    login.as_ref(),
                )
                .await?
            }
            _ => return Ok(None),
        };
        *known = Some(authorization.clone());
        Ok(Some(authorization))
    }
}

fn mismatch(what: &str, which: &str, found: Digest, wanted: Option<Digest>) -> RegistryError {
    let wanted = wanted.map_or(String::new(), |wanted| format!(", not {wanted}"));
    RegistryError::refused(what, format!("the SHA-256 of {which} is {found}{wanted}")).with_hint(
        "the registry, or something before it, sends other bytes than it says; nothing was kept",
    )
}
