//! One TCP connection: hello, channel, requests in, answers out.

mod channel;
mod hello;
mod receiver;
mod sender;

use super::services::{self, Reply};
use super::shared::Shared;
use channel::Channel;
use opcua::core::comms::tcp_types::ErrorMessage;
use opcua::core::{RequestMessage, ResponseMessage};
use opcua::types::StatusCode;
use receiver::{Received, Receiver};
pub(super) use sender::RawAnswer;
use sender::Sender;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What the server sends over a connection by itself.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// The answer to a publish request.
    Answer(u32, RawAnswer),
    /// A refusal of one.
    Fault(u32, Box<ResponseMessage>),
    /// The connection ends without a word.
    Cut,
}

/// Answers to publish requests that wait for the connection's task; a client that lets more pile up is cut.
pub(super) const OUTGOING_MAX: usize = 1024;
/// While so many bytes wait to be sent nothing more is read.
const UNSENT_MAX: usize = 16 << 20;
/// How long a client may take for hello and for opening its channel.
const OPENING: Duration = Duration::from_secs(10);

/// How long a client may take for the last answers.
const CLOSING: Duration = Duration::from_secs(3);

/// An answer that is not sent yet.
enum Pending {
    Message(u32, Box<ResponseMessage>),
    Raw(u32, RawAnswer),
    /// Chunks without an end.
    Endless(u32),
}

struct Connection {
    id: u64,
    shared: Arc<Shared>,
    channel: Channel,
    receiver: Receiver,
    sender: Sender,
    /// Answers with the time from which they may leave: all wait equally long, so they leave in order.
    pending: VecDeque<(Instant, Pending)>,
    closing: bool,
}

/// Serves a client until one of the two ends it.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>, stop: CancellationToken) {
    drop(stream.set_nodelay(true));
    let (id, outgoing) = shared.connected();
    let work = run(stream, id, &shared, outgoing, &stop);
    if let Err(error) = work.await {
        tracing::debug!(connection = id, %error, "an OPC UA connection ended");
    }
    shared.disconnected(id);
}

async fn run(
    stream: TcpStream,
    id: u64,
    shared: &Arc<Shared>,
    mut outgoing: mpsc::Receiver<Outgoing>,
    stop: &CancellationToken,
) -> std::io::Result<()> {
    let (mut read, mut write) = stream.into_split();
    let limits = &shared.options.limits;
    let mut receiver = Receiver::new(limits.message_bytes);
    let greeted = tokio::select! {
        greeted = tokio::time::timeout(OPENING, hello::greet(&mut read, &mut receiver, limits)) => greeted,
        () = stop.cancelled() => return Ok(()),
    };
    let sizes = match greeted {
        Ok(Ok((sizes, acknowledge))) => {
            write.write_all(&acknowledge).await?;
            sizes
        }
        Ok(Err(status)) => return refuse(&mut write, status, "the hello is not acceptable").await,
        Err(_) => return refuse(&mut write, StatusCode::BadTimeout, "no hello came in time").await,
    };
    let mut connection = Connection {
        id,
        shared: shared.clone(),
        channel: Channel::new(shared, Instant::now() + OPENING),
        receiver,
        sender: Sender::new(sizes),
        pending: VecDeque::new(),
        closing: false,
    };
    // What came together with the hello.
    connection.receive();
    loop {
        let opened = connection.channel.deadline();
        let idle = connection.sender.is_empty();
        if connection.closing && idle && connection.pending.is_empty() {
            return write.shutdown().await;
        }
        let reading = !connection.closing && connection.sender.unsent() < UNSENT_MAX;
        let due = connection.pending.front().map(|(at, _)| *at);
        tokio::select! {
            () = stop.cancelled(), if !connection.closing => {
                connection.fail(StatusCode::BadServerHalted, "the server stops");
            }
            read = read.read_buf(connection.receiver.buffer()), if reading => {
                if read? == 0 {
                    return Ok(());
                }
                connection.receive();
            }
            written = write.write(connection.sender.bytes()), if !idle => {
                connection.sender.sent(written?);
                connection.sender.refill(&connection.channel.inner)?;
            }
            message = outgoing.recv() => match message {
                Some(Outgoing::Answer(request, answer)) => connection.answer(Pending::Raw(request, answer)),
                Some(Outgoing::Fault(request, fault)) => connection.answer(Pending::Message(request, fault)),
                Some(Outgoing::Cut) | None => return Ok(()),
            },
            () = tokio::time::sleep_until(opened) => {
                if connection.closing {
                    return Ok(());
                }
                connection.fail(StatusCode::BadTimeout, "the channel was not opened or renewed in time");
            }
            () = at(due), if due.is_some() => connection.flush_due(),
        }
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn refuse(write: &mut OwnedWriteHalf, status: StatusCode, reason: &str) -> std::io::Result<()> {
    write.write_all(&sender::error_bytes(&ErrorMessage::new(status, reason))).await?;
    write.shutdown().await
}

impl Connection {
    /// Works on everything that has arrived whole.
    fn receive(&mut self) {
        while !self.closing {
            match self.receiver.next(&mut self.channel.inner, &self.shared.options) {
                Ok(None) => return,
                Ok(Some(Received { request, message, header })) => {
                    self.handle(request, *message, &header);
                }
                Err(error) => match error.full_context() {
                    Some((request, handle)) => {
                        let fault = services::fault(handle, error.status());
                        self.answer(Pending::Message(request, Box::new(fault)));
                    }
                    None => self.fail(error.status(), "the message is not acceptable"),
                },
            }
        }
    }

    fn handle(
        &mut self,
        request: u32,
        message: RequestMessage,
        header: &opcua::core::comms::security_header::SecurityHeader,
    ) {
        match message {
            RequestMessage::OpenSecureChannel(wanted) => {
                match self.channel.open(&self.shared, &wanted, header) {
                    // It goes out at once: what is still waiting was asked under the old token.
                    Ok(response) => self.send(Pending::Message(request, Box::new(response))),
                    Err(status) => self.fail(status, "the channel is refused"),
                }
            }
            RequestMessage::CloseSecureChannel(_) => self.close(),
            _ if !self.channel.is_open() => {
                self.fail(StatusCode::BadSecureChannelIdInvalid, "no channel is open");
            }
            message => {
                let via = self.channel.via(self.id);
                match services::handle(&self.shared, via, request, message) {
                    Reply::Message(response) => self.answer(Pending::Message(request, response)),
                    Reply::Endless => self.answer(Pending::Endless(request)),
                    // The engine answers when there is something to say.
                    Reply::Later => {}
                }
            }
        }
    }

    /// An answer leaves now, or later when the server is slow on purpose.
    fn answer(&mut self, answer: Pending) {
        let delay = self.shared.options.behaviour.answer_delay;
        if delay.is_zero() && self.pending.is_empty() {
            self.send(answer);
        } else {
            self.pending.push_back((Instant::now() + delay, answer));
        }
    }

    fn flush_due(&mut self) {
        let now = Instant::now();
        while self.pending.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, answer)) = self.pending.pop_front() else { return };
            self.send(answer);
        }
    }

    fn send(&mut self, answer: Pending) {
        let channel = &self.channel.inner;
        let sent = match answer {
            Pending::Message(request, message) => self.sender.message(request, &*message, channel),
            Pending::Raw(request, answer) => self.sender.message(request, &answer, channel),
            Pending::Endless(request) => self.sender.never_ending(request, channel),
        };
        if let Err(error) = sent {
            tracing::warn!(connection = self.id, %error, "an answer could not be sent");
            self.fail(error.status(), "an answer could not be encoded");
        }
    }

    /// Says why, and closes.
    fn fail(&mut self, status: StatusCode, reason: &str) {
        if !self.closing {
            self.pending.clear();
            self.sender.error(&ErrorMessage::new(status, reason));
            self.close();
        }
    }

    /// What waits is still sent, for a while.
    fn close(&mut self) {
        self.closing = true;
        self.channel.expire(Instant::now() + CLOSING);
    }
}
