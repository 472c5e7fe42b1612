//! HTTP/1.1, as little of it as the registry needs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};

pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// What the length in front says; `None` for none.
    pub(super) length: Option<usize>,
}

impl Response {
    pub(super) fn new(status: u16, body: Vec<u8>) -> Response {
        let length = Some(body.len());
        Response {
            status,
            headers: Vec::new(),
            body,
            length,
        }
    }

    pub(super) fn error(status: u16, message: &str) -> Response {
        let body = serde_json::json!({ "errors": [{ "code": "ERROR", "message": message }] });
        Response::new(status, body.to_string().into_bytes())
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
        self
    }
}

/// `None` for what is not HTTP: a TLS handshake, for example.
pub(super) fn read(stream: &mut impl Read) -> std::io::Result<Option<Request>> {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    reader.by_ref().take(8192).read_until(b'\n', &mut line)?;
    let Ok(line) = String::from_utf8(line) else {
        return Ok(None);
    };
    let mut words = line.split_whitespace();
    let (Some(method), Some(target), Some(_)) = (words.next(), words.next(), words.next()) else {
        return Ok(None);
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok(Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body,
    }))
}

/// Writes an answer; that to `HEAD` has no body.
pub(super) fn write(
    stream: &mut impl Write,
    method: &str,
    response: &Response,
) -> std::io::Result<()> {
    let mut head = format!(
        "HTTP/1.1 {} Whatever\r\nConnection: close\r\n",
        response.status
    );
    for (name, value) in &response.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if let Some(length) = response.length {
        head += &format!("Content-Length: {length}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if method != "HEAD" {
        stream.write_all(&response.body)?;
    }
    stream.flush()
}
