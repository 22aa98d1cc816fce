//! A network that can be cut, swallow everything, and lead to another server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Weather {
    Fine,
    /// Bytes vanish, connections stay.
    BlackHole,
    /// Bytes wait until the weather is fine; connections stay.
    Held,
    /// Connections break and new ones are refused.
    Down,
}

pub(crate) struct Proxy {
    address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
    weather: watch::Sender<Weather>,
    running: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let target = Arc::new(Mutex::new(target));
        let (weather, _) = watch::channel(Weather::Fine);
        let running = tokio::spawn(accept(listener, Arc::clone(&target), weather.clone()));
        Self { address, target, weather, running }
    }

    pub(crate) fn url(&self) -> String {
        format!("opc.tcp://{}/", self.address)
    }

    pub(crate) fn lead_to(&self, target: SocketAddr) {
        *self.target.lock().expect("the lock") = target;
    }

    pub(crate) fn cut(&self) {
        self.weather.send_replace(Weather::Down);
    }

    pub(crate) fn swallow(&self) {
        self.weather.send_replace(Weather::BlackHole);
    }

    /// Everything is late, nothing is lost.
    pub(crate) fn hold(&self) {
        self.weather.send_replace(Weather::Held);
    }

    pub(crate) fn heal(&self) {
        self.weather.send_replace(Weather::Fine);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn accept(listener: TcpListener, target: Arc<Mutex<SocketAddr>>, weather: watch::Sender<Weather>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        if *weather.borrow() == Weather::Down {
            continue;
        }
        let address = *target.lock().expect("the lock");
        let weather = weather.subscribe();
        connections.spawn(async move {
            if let Ok(server) = TcpStream::connect(address).await {
                carry(client, server, weather).await;
            }
        });
    }
}

async fn carry(client: TcpStream, server: TcpStream, mut weather: watch::Receiver<Weather>) {
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    let there = pump(client_in, server_out, weather.clone());
    let back = pump(server_in, client_out, weather.clone());
    tokio::select! {
        () = there => {}
        () = back => {}
        _ = weather.wait_for(|weather| *weather == Weather::Down) => {}
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
) {
    let mut buffer = vec![0; 65_536];
    // A connection that lost bytes once is never whole again.
    let mut broken = false;
    while let Ok(count) = from.read(&mut buffer).await {
        if count == 0 {
            return;
        }
        broken |= *weather.borrow() == Weather::BlackHole;
        if broken {
            continue;
        }
        if weather.wait_for(|weather| *weather != Weather::Held).await.is_err() {
            return;
        }
        let Some(bytes) = buffer.get(..count) else { return };
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
