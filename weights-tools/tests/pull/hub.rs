//! A hub on this machine: a server that answers as Hugging Face's does, with faults on request.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use sha1::Sha1;
use sha2::{Digest, Sha256};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What a client sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
}

/// What it is answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The connection ends after so many bytes of the body.
    pub(crate) cut: Option<usize>,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }
}

type Fault = Box<dyn FnMut(&Request) -> Option<Answer> + Send>;

/// What the hub has, what it was asked, and how it misbehaves.
#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    requests: Vec<Request>,
    fault: Option<Fault>,
}

/// A running hub; it ends with the process.
pub(crate) struct Hub {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
}

impl Hub {
    /// Serves the model `org/name` with these files; `.safetensors` and `.bin` are large ones, kept
    /// elsewhere under `/storage`.
    pub(crate) fn start(files: &[(&str, Vec<u8>)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone()));
        let state = Arc::new(Mutex::new(State { files: files.collect(), ..State::default() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream.unwrap(), &shared));
            }
        });
        Self { endpoint, state }
    }

    /// Answers with whatever `fault` gives, and as a hub does where it gives nothing.
    pub(crate) fn misbehave(&self, fault: impl FnMut(&Request) -> Option<Answer> + Send + 'static) {
        self.state.lock().unwrap().fault = Some(Box::new(fault));
    }

    /// What was asked since the last call.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let Some(request) = read_request(&stream) else { return };
    let answer = {
        let mut state = state.lock().unwrap();
        state.requests.push(request.clone());
        let fault = state.fault.as_mut().and_then(|fault| fault(&request));
        fault.unwrap_or_else(|| answer(&state.files, &request))
    };
    let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", answer.status);
    let has_length = answer.headers.iter().any(|(name, _)| name == "content-length");
    if !has_length {
        head += &format!("content-length: {}\r\n", answer.body.len());
    }
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let body = if request.method == "HEAD" { &[][..] } else { &answer.body };
    let body = &body[..answer.cut.unwrap_or(body.len()).min(body.len())];
    // A client that has seen enough closes the connection.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(b"\r\n"));
    let _ = stream.write_all(body);
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    Some(Request { method, path, headers })
}

pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn git_hash(bytes: &[u8]) -> String {
    hex(Sha1::new().chain_update(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize())
}

/// What a well-behaved hub answers.
fn answer(files: &BTreeMap<String, Vec<u8>>, request: &Request) -> Answer {
    if let Some(revision) = request.path.strip_prefix("/api/models/org/name/revision/") {
        if !matches!(revision, "main" | "v2" | COMMIT | "refs%2Fpr%2F1") {
            return Answer::status(404).header("x-error-code", "RevisionNotFound");
        }
        let names: Vec<String> =
            files.keys().map(|name| format!("{{\"rfilename\":{name:?}}}")).collect();
        let body = format!("{{\"sha\":{COMMIT:?},\"siblings\":[{}]}}", names.join(","));
        return Answer { status: 200, body: body.into_bytes(), ..Answer::default() };
    }
    let resolve = format!("/org/name/resolve/{COMMIT}/");
    let (name, is_stored) = match request.path.strip_prefix(&resolve) {
        Some(name) => (name, false),
        None => (request.path.strip_prefix("/storage/").unwrap_or_default(), true),
    };
    let Some(bytes) = files.get(name) else {
        return Answer::status(404).header("x-error-code", "EntryNotFound");
    };
    let is_large = name.ends_with(".safetensors") || name.ends_with(".bin");
    if is_large && !is_stored {
        return Answer::status(302)
            .header("location", format!("http://{}/storage/{name}", other_name(request)))
            .header("x-linked-etag", format!("\"{}\"", hex(Sha256::digest(bytes))))
            .header("x-linked-size", bytes.len())
            .header("etag", "\"of-the-redirection\"");
    }
    let start = request
        .headers
        .get("range")
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let whole = Answer::status(200).header("etag", format!("\"{}\"", git_hash(bytes)));
    match start {
        None => Answer { body: bytes.clone(), ..whole },
        Some(start) if start < bytes.len() => Answer {
            status: 206,
            body: bytes[start..].to_vec(),
            ..whole.header(
                "content-range",
                format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len()),
            )
        },
        Some(_) => Answer::status(416),
    }
}

/// This server under another name: for a client another host.
fn other_name(request: &Request) -> String {
    request.headers["host"].replace("127.0.0.1", "localhost")
}
