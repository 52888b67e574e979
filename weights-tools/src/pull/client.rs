//! Requests to a hub.

use std::env;
use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nervio_weights::hub::{HubName, hub_home, is_commit};
use serde::Deserialize;
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::{Agent, Body};
use url::Url;

use super::verify::Identity;

/// The hub that is asked unless `HF_ENDPOINT` names another.
const HUB: &str = "https://huggingface.co";

/// Most redirections of one request.
const MAX_REDIRECTS: usize = 8;

/// Attempts at a request that a fault of the network or the server spoils, and the pause after the
/// first; each further one is twice as long.
pub(super) const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// Largest listing of a repository, in bytes.
const MAX_LISTING: u64 = 64 << 20;

/// A hub, and who asks.
pub(super) struct Client {
    agent: Agent,
    endpoint: Url,
    token: Option<String>,
}

/// A failure that may pass by itself.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Passing(pub(super) String);

/// The answer to a listing.
#[derive(Deserialize)]
struct Listing {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

impl Client {
    /// A client for the hub and with the token that the environment names.
    pub(super) fn from_env() -> Result<Self> {
        let endpoint = env::var("HF_ENDPOINT").ok().filter(|url| !url.is_empty());
        let endpoint = endpoint.unwrap_or_else(|| HUB.to_owned());
        let parsed = Url::parse(endpoint.trim_end_matches('/')).ok();
        let parsed = parsed.filter(|url| matches!(url.scheme(), "http" | "https"));
        let endpoint = parsed
            .with_context(|| format!("HF_ENDPOINT: expected an address, found {endpoint:?}"))?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(Duration::from_secs(15)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .user_agent(concat!("nervio-weights/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: config.into(), endpoint, token: token() })
    }

    /// The commit of a model's revision, and the names of its files.
    pub(super) fn list(&self, name: &HubName) -> Result<(String, Vec<String>)> {
        let revision = name.revision().replace('/', "%2F");
        let url = self.address(&format!("api/models/{}/revision/{revision}", name.name()))?;
        let mut response = retried(|| self.get(&url, None))?;
        check(&response, &name.to_string())?;
        let body = response.body_mut().with_config().limit(MAX_LISTING);
        let text = body.read_to_string().with_context(|| url.to_string())?;
        let listing: Listing = serde_json::from_str(&text)
            .with_context(|| format!("{url}: expected the listing of a repository"))?;
        ensure!(is_commit(&listing.sha), "{url}: sha: expected a commit, found {:?}", listing.sha);
        Ok((listing.sha, listing.siblings.into_iter().map(|file| file.rfilename).collect()))
    }

    /// The address of a file of a commit.
    pub(super) fn file(&self, name: &HubName, commit: &str, file: &str) -> Result<Url> {
        self.address(&format!("{}/resolve/{commit}/{file}", name.name()))
    }

    /// What identifies the file at an address.
    pub(super) fn identify(&self, url: &Url) -> Result<Identity> {
        let response = retried(|| self.head(url))?;
        check(&response, url.as_str())?;
        identity(response.headers()).with_context(|| url.to_string())
    }

    /// Asks for the file at an address from byte `start` on, at whatever address it is sent to.
    pub(super) fn get(&self, url: &Url, start: Option<u64>) -> Result<Response<Body>> {
        let mut url = url.clone();
        for _ in 0..MAX_REDIRECTS {
            let mut request = self.agent.get(url.as_str());
            if let Some(token) = self.token_for(&url) {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            if let Some(start) = start {
                request = request.header("range", format!("bytes={start}-"));
            }
            let response = request.call().map_err(|error| passing(&url, &error.to_string()))?;
            match redirection(&url, &response)? {
                Some((next, _)) => url = next,
                None => return passing_status(&url, response),
            }
        }
        bail!("{url}: expected at most {MAX_REDIRECTS} redirections, found more")
    }

    /// Asks for the headers at an address. The hub's own answer says what a file is, not that of the
    /// storage that it redirects to, so only redirections within the hub are followed.
    fn head(&self, url: &Url) -> Result<Response<Body>> {
        let mut url = url.clone();
        for _ in 0..MAX_REDIRECTS {
            let mut request = self.agent.head(url.as_str());
            if let Some(token) = self.token_for(&url) {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let response = request.call().map_err(|error| passing(&url, &error.to_string()))?;
            match redirection(&url, &response)? {
                Some((next, true)) => url = next,
                _ => return passing_status(&url, response),
            }
        }
        bail!("{url}: expected at most {MAX_REDIRECTS} redirections, found more")
    }

    fn address(&self, path: &str) -> Result<Url> {
        let address = format!("{}/{path}", self.endpoint.as_str().trim_end_matches('/'));
        Url::parse(&address).with_context(|| address)
    }

    fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.endpoint.origin()
    }

    /// The token goes to the hub alone, never to where it redirects.
    fn token_for(&self, url: &Url) -> Option<&str> {
        self.token.as_deref().filter(|_| self.is_own(url))
    }
}

/// Makes a request again, after a pause, as long as its failure may pass.
pub(super) fn retried<T>(mut request: impl FnMut() -> Result<T>) -> Result<T> {
    let mut pause = PAUSE;
    for _ in 1..ATTEMPTS {
        match request() {
            Err(error) if error.is::<Passing>() => thread::sleep(pause),
            done => return done,
        }
        pause *= 2;
    }
    request()
}

/// `HF_TOKEN`, else the file that `huggingface-cli login` writes.
fn token() -> Option<String> {
    let variable = |name| env::var(name).ok();
    let file = || {
        let path = env::var_os("HF_TOKEN_PATH").map(Into::into);
        fs::read_to_string(path.or_else(|| Some(hub_home()?.join("token")))?).ok()
    };
    let token =
        variable("HF_TOKEN").or_else(|| variable("HUGGING_FACE_HUB_TOKEN")).or_else(file)?;
    let token = token.trim();
    (!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())).then(|| token.into())
}

fn passing(url: &Url, reason: &str) -> Passing {
    Passing(format!("{url}: {reason}"))
}

/// Turns the answers of a server in trouble into failures that may pass.
fn passing_status(url: &Url, response: Response<Body>) -> Result<Response<Body>> {
    let status = response.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(passing(url, &format!("the server answered {status}")).into());
    }
    Ok(response)
}

/// Where an answer sends the request, if it does, and whether that is a place on the same host.
fn redirection(url: &Url, response: &Response<Body>) -> Result<Option<(Url, bool)>> {
    if !response.status().is_redirection() {
        return Ok(None);
    }
    let location = response.headers().get("location").and_then(|value| value.to_str().ok());
    let next = location.and_then(|location| url.join(location).ok());
    let next = next.filter(|next| matches!(next.scheme(), "http" | "https"));
    let next =
        next.with_context(|| format!("{url}: expected an address to be sent to, found none"))?;
    let is_relative = location.is_some_and(|location| Url::parse(location).is_err());
    Ok(Some((next, is_relative)))
}

/// Refuses an answer that is not the thing asked for.
pub(super) fn check(response: &Response<Body>, what: &str) -> Result<()> {
    let status = response.status();
    let code = response.headers().get("x-error-code").and_then(|value| value.to_str().ok());
    let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => bail!(
            "{what}: the hub answered {status}{code}: it is private or gated, or does not exist; \
             HF_TOKEN holds the token of someone who may read it"
        ),
        StatusCode::NOT_FOUND => {
            bail!("{what}: the hub answered {status}{code}: no such model, revision or file")
        }
        // A redirection to another host answers a request for headers.
        status if status.is_success() || status.is_redirection() => Ok(()),
        status => bail!("{what}: the hub answered {status}{code}"),
    }
}

/// The identity in the headers of an answer; large files are linked, and the link tells.
fn identity(headers: &HeaderMap) -> Result<Identity> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let etag =
        text("x-linked-etag").or_else(|| text("etag")).context("ETag: expected one, found none")?;
    let etag = etag.trim_start_matches("W/").trim_matches('"').to_owned();
    ensure!(
        (1..=128).contains(&etag.len()) && etag.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "ETag: expected letters and digits, found {etag:?}"
    );
    let is_linked = headers.contains_key("x-linked-etag");
    let size = text(if is_linked { "x-linked-size" } else { "content-length" });
    Ok(Identity { etag, size: size.and_then(|size| size.parse().ok()) })
}
