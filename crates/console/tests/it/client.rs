//! A plain HTTP/1.1 client: one connection a request, or one for a stream of events.

use serde_json::Value;
use std::collections::HashMap;
use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// An answer, its header names in lower case.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
    /// Whether the body came to its end; a stream that was broken off did not.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    /// The body in lines that can be read, broken between members.
    pub(crate) fn lines(&self) -> String {
        let mut text = String::new();
        let mut width = 0;
        for part in self.body.split_inclusive(',') {
            if width + part.len() > 100 {
                text.push('\n');
                width = 0;
            }
            text.push_str(part);
            width += part.len();
        }
        text
    }

    /// Status and code of a problem.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let json = self.json();
        assert_eq!(json["status"], self.status);
        (self.status, json["code"].as_str().expect("a code").to_owned())
    }

    /// `name=value` of the cookie that it sets.
    pub(crate) fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
    }
}

/// A request in the making.
#[derive(Clone)]
pub(crate) struct Request {
    address: SocketAddr,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    pub(crate) fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        Self {
            address,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// Sets a header; an earlier one of this name goes.
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.text("application/json", &body.to_string())
    }

    pub(crate) fn text(mut self, content_type: &str, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self.header("Content-Type", content_type)
    }

    async fn open(&self) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.address).await.expect("connects");
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        let has = |name: &str| self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        if !has("host") {
            head += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\nConnection: close\r\n\r\n", self.body.len());
        stream.write_all((head + &self.body).as_bytes()).await.expect("sends");
        BufReader::new(stream)
    }

    /// Sends it and reads the whole answer.
    pub(crate) async fn send(&self) -> Answer {
        let mut reader = self.open().await;
        let (status, headers) = head(&mut reader).await;
        let (body, whole) = body(&mut reader, &headers).await;
        Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned(), whole }
    }

    /// Sends it; headers and body as they came.
    pub(crate) async fn send_raw(&self) -> (HashMap<String, String>, Vec<u8>) {
        let mut reader = self.open().await;
        let (_, headers) = head(&mut reader).await;
        let (body, whole) = body(&mut reader, &headers).await;
        assert!(whole, "the body came to its end");
        (headers, body)
    }

    /// Sends it and reads events as they come.
    pub(crate) async fn listen(&self) -> Events {
        let mut reader = self.open().await;
        let (status, headers) = head(&mut reader).await;
        Events { status, headers, reader, text: String::new() }
    }
}

async fn head(reader: &mut BufReader<TcpStream>) -> (u16, HashMap<String, String>) {
    let status = line(reader).await.expect("a status line");
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let mut headers = HashMap::new();
    while let Some(line) = line(reader).await.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').expect("a header");
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    (status, headers)
}

async fn body(reader: &mut BufReader<TcpStream>, headers: &HashMap<String, String>) -> (Vec<u8>, bool) {
    if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        return chunks(reader).await;
    }
    let mut body = Vec::new();
    let read = reader.read_to_end(&mut body).await;
    (body, read.is_ok())
}

async fn line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut text = String::new();
    let read = reader.read_line(&mut text).await.ok()?;
    (read > 0).then(|| text.trim_end().to_owned())
}

async fn chunk(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let size = usize::from_str_radix(&line(reader).await?, 16).ok()?;
    let mut bytes = vec![0; size];
    reader.read_exact(&mut bytes).await.ok()?;
    line(reader).await?;
    Some(bytes)
}

async fn chunks(reader: &mut BufReader<TcpStream>) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        match chunk(reader).await {
            Some(bytes) if bytes.is_empty() => return (body, true),
            Some(bytes) => body.extend(bytes),
            None => return (body, false),
        }
    }
}

/// Server-sent events as they come.
pub(crate) struct Events {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    reader: BufReader<TcpStream>,
    text: String,
}

impl Events {
    /// The next event and its data; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let prefix = format!("{name}: ");
                    event.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
                };
                let found = field("event").zip(field("data"));
                self.text = rest.to_owned();
                if let Some((name, data)) = found {
                    return Some((name, serde_json::from_str(&data).expect("data is JSON")));
                }
                continue;
            }
            let bytes = chunk(&mut self.reader).await.filter(|bytes| !bytes.is_empty())?;
            self.text.push_str(&String::from_utf8(bytes).expect("is text"));
        }
    }

    /// The data of the next event of this name.
    pub(crate) async fn next_named(&mut self, name: &str) -> Value {
        loop {
            let (found, data) = self.next().await.expect("the stream goes on");
            if found == name {
                return data;
            }
        }
    }
}
