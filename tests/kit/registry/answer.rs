//! What the registry answers.

use super::encoding::{base64, sha256};
use super::http::{Request, Response};
use super::{Login, Misbehaviour, State};

const TOKEN: &str = "a-token-for-tests";

impl State {
    pub(super) fn answer(&mut self, request: &Request, port: u16) -> Response {
        let misbehaviour = self.misbehaviour.clone();
        if misbehaviour == Some(Misbehaviour::Fails) {
            return Response::error(500, "no\u{1b}[31m luck\u{202e}");
        }
        if let Some(refusal) = self.refusal(request, port) {
            return refusal;
        }
        let Some(rest) = request.path.strip_prefix("/v2/") else {
            return Response::error(404, "no such page");
        };
        if let Some((repository, version)) = rest.split_once("/manifests/") {
            return self.on_manifest(request, repository, version, misbehaviour);
        }
        if let Some((repository, what)) = rest.split_once("/blobs/") {
            return self.on_blob(request, repository, what, misbehaviour);
        }
        Response::new(200, b"{}".to_vec())
    }

    /// The answer to those who have no business here, and the token for those who want one.
    fn refusal(&self, request: &Request, port: u16) -> Option<Response> {
        let given = request.headers.get("authorization").map(String::as_str);
        let basic =
            |user: &str, password: &str| format!("Basic {}", base64(&format!("{user}:{password}")));
        match self.login.as_ref()? {
            Login::Basic(user, password) => (given != Some(&basic(user, password))).then(|| {
                Response::error(401, "authentication required")
                    .with("WWW-Authenticate", "Basic realm=\"registry\"")
            }),
            Login::Token(user, password) if request.path == "/token" => {
                let body = match given {
                    Some(given)
                        if given == basic(user, password)
                            && request.query.contains("scope=repository") =>
                    {
                        serde_json::json!({ "token": TOKEN })
                    }
                    _ => return Some(Response::error(401, "wrong password")),
                };
                Some(Response::new(200, body.to_string().into_bytes()))
            }
            Login::Token(..) if given == Some(&format!("Bearer {TOKEN}")) => None,
            Login::Token(..) => {
                let realm = match &self.misbehaviour {
                    Some(Misbehaviour::TokensAt(realm)) => realm.clone(),
                    _ => format!("http://127.0.0.1:{port}/token"),
                };
                let challenge = format!("Bearer realm=\"{realm}\",service=\"tests\"");
                Some(
                    Response::error(401, "authentication required")
                        .with("WWW-Authenticate", challenge),
                )
            }
        }
    }

    fn on_manifest(
        &mut self,
        request: &Request,
        repository: &str,
        version: &str,
        misbehaviour: Option<Misbehaviour>,
    ) -> Response {
        let key = (repository.to_owned(), version.to_owned());
        if request.method == "PUT" {
            let kind = request
                .headers
                .get("content-type")
                .cloned()
                .unwrap_or_default();
            let digest = sha256(&request.body);
            self.manifests.insert(
                (repository.to_owned(), digest.clone()),
                (kind, request.body.clone()),
            );
            self.tags.insert(key, digest.clone());
            return Response::new(201, Vec::new()).with("Docker-Content-Digest", digest);
        }
        let digest = match version.starts_with("sha256:") {
            true => Some(version.to_owned()),
            false => self.tags.get(&key).cloned(),
        };
        let found = digest.and_then(|digest| {
            let manifest = self
                .manifests
                .get(&(repository.to_owned(), digest.clone()))?;
            Some((digest, manifest.clone()))
        });
        let Some((digest, (kind, mut bytes))) = found else {
            return Response::error(404, "manifest unknown");
        };
        match misbehaviour {
            Some(Misbehaviour::WrongManifest) => bytes.push(b' '),
            Some(Misbehaviour::HugeManifest) => bytes.resize(2 << 20, b' '),
            _ => {}
        }
        Response::new(200, bytes)
            .with("Content-Type", kind)
            .with("Docker-Content-Digest", digest)
    }

    fn on_blob(
        &mut self,
        request: &Request,
        repository: &str,
        what: &str,
        misbehaviour: Option<Misbehaviour>,
    ) -> Response {
        match request.method.as_str() {
            "POST" => {
                let location = format!("/v2/{repository}/blobs/uploads/1?state=x");
                return Response::new(202, Vec::new()).with("Location", location);
            }
            "PUT" => {
                let digest = sha256(&request.body);
                if !request.query.contains(&digest.replace(':', "%3A")) {
                    return Response::error(400, "digest did not match uploaded content");
                }
                self.blobs
                    .insert((repository.to_owned(), digest), request.body.clone());
                return Response::new(201, Vec::new());
            }
            _ => {}
        }
        let Some(mut bytes) = self
            .blobs
            .get(&(repository.to_owned(), what.to_owned()))
            .cloned()
        else {
            return Response::error(404, "blob unknown");
        };
        match misbehaviour {
            Some(Misbehaviour::RedirectBlobs(to)) => {
                return Response::new(307, Vec::new())
                    .with("Location", format!("{to}{}", request.path));
            }
            Some(Misbehaviour::WrongBlob) => bytes[0] ^= 1,
            Some(Misbehaviour::TruncatedBlob) => {
                let mut response = Response::new(200, bytes);
                response.body.truncate(10);
                return response;
            }
            Some(Misbehaviour::EndlessBlob) => {
                bytes.resize(bytes.len() + (1 << 20), 0);
                let mut response = Response::new(200, bytes);
                response.length = None;
                return response;
            }
            _ => {}
        }
        Response::new(200, bytes)
    }
}
