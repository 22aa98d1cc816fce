//! `<data>/run/control.sock`: how commands reach the live process. One JSON request a line, one JSON answer.

use anyhow::{Context, Result, anyhow, bail};
use gemba_base::Tasks;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// A request may have this many bytes.
const REQUEST_BYTES_MAX: u64 = 64 * 1024;

/// What a command asks of the process that owns the data.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub(crate) enum Request {
    IdentityCreate { name: String },
    IdentityList,
    IdentityShow { name: String },
    IdentityConnectionString { name: String },
    IdentityEnable { name: String, enabled: bool },
    IdentityDelete { name: String },
    TokenCreate { role: String, name: String },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Ok(Value),
    Error(String),
}

/// Whoever can carry out requests.
pub(crate) type Office = Arc<dyn Fn(Request) -> Result<Value> + Send + Sync>;

/// Where the socket is.
pub(crate) fn socket(data: &Path) -> PathBuf {
    data.join("run/control.sock")
}

/// Answers requests until the tasks stop. Only the owner of the data directory can connect.
pub(crate) fn serve(data: &Path, office: Office, tasks: &Tasks) -> Result<()> {
    let path = socket(data);
    let listener =
        UnixListener::bind(&path).with_context(|| format!("cannot listen on {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let stop = tasks.clone();
    tasks.spawn(async move {
        loop {
            let stream = tokio::select! {
                () = stop.stopping() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "control socket");
                        tokio::time::sleep(Duration::from_millis(200)).await;
                        continue;
                    }
                },
            };
            // Requests are rare and short; one after the other keeps them ordered.
            let office = office.clone();
            if let Err(error) = tokio::time::timeout(Duration::from_secs(10), answer(stream, office)).await {
                tracing::warn!(%error, "a control request took too long");
            }
        }
    });
    Ok(())
}

async fn answer(stream: UnixStream, office: Office) {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut reader = tokio::io::BufReader::new(read.take(REQUEST_BYTES_MAX));
    if reader.read_line(&mut line).await.is_err() {
        return;
    }
    let answer = match serde_json::from_str::<Request>(&line) {
        Err(error) => Answer::Error(format!("not a request: {error}")),
        Ok(request) => match tokio::task::spawn_blocking(move || office(request)).await {
            Ok(Ok(value)) => Answer::Ok(value),
            Ok(Err(error)) => Answer::Error(format!("{error:#}")),
            Err(error) => Answer::Error(format!("the request ended early: {error}")),
        },
    };
    let text = serde_json::to_string(&answer).unwrap_or_default() + "\n";
    // Who asked may be gone; the work is done all the same.
    drop(write.write_all(text.as_bytes()).await);
}

/// Asks the live process, if there is one; `None` when nobody listens.
pub(crate) fn ask(data: &Path, request: &Request) -> Result<Option<Value>> {
    let Ok(mut stream) = BlockingStream::connect(socket(data)) else { return Ok(None) };
    stream.set_read_timeout(Some(Duration::from_secs(15)))?;
    stream.write_all((serde_json::to_string(request)? + "\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).context("the running Gemba did not answer")?;
    match serde_json::from_str(&line)
        .map_err(|error| anyhow!("the running Gemba answered nonsense: {error}"))?
    {
        Answer::Ok(value) => Ok(Some(value)),
        Answer::Error(error) => bail!("{error}"),
    }
}
