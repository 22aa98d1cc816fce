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

/// Where connections go, and what came back on each.
struct Route {
    target: SocketAddr,
    /// After so many more connections, another target.
    later: Option<(usize, SocketAddr)>,
    answers: Vec<Arc<Mutex<Vec<u8>>>>,
}

pub(crate) struct Proxy {
    address: SocketAddr,
    route: Arc<Mutex<Route>>,
    weather: watch::Sender<Weather>,
    running: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let route = Arc::new(Mutex::new(Route { target, later: None, answers: Vec::new() }));
        let (weather, _) = watch::channel(Weather::Fine);
        let running = tokio::spawn(accept(listener, Arc::clone(&route), weather.clone()));
        Self { address, route, weather, running }
    }

    pub(crate) fn url(&self) -> String {
        format!("opc.tcp://{}/", self.address)
    }

    pub(crate) fn lead_to(&self, target: SocketAddr) {
        self.route.lock().expect("the lock").target = target;
    }

    /// The next connections lead where they led, those after them to `target`.
    pub(crate) fn lead_later(&self, next: usize, target: SocketAddr) {
        self.route.lock().expect("the lock").later = Some((next, target));
    }

    /// What the server sent on each connection so far.
    pub(crate) fn answers(&self) -> Vec<Vec<u8>> {
        let route = self.route.lock().expect("the lock");
        route.answers.iter().map(|answers| answers.lock().expect("the lock").clone()).collect()
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

impl Route {
    /// The next connection's target, and where to note what it answers.
    fn next(&mut self) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
        match self.later.take() {
            Some((0, target)) => self.target = target,
            later => self.later = later.map(|(next, target)| (next - 1, target)),
        }
        let answers = Arc::default();
        self.answers.push(Arc::clone(&answers));
        (self.target, answers)
    }
}

async fn accept(listener: TcpListener, route: Arc<Mutex<Route>>, weather: watch::Sender<Weather>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        if *weather.borrow() == Weather::Down {
            continue;
        }
        let (address, answers) = route.lock().expect("the lock").next();
        let weather = weather.subscribe();
        connections.spawn(async move {
            if let Ok(server) = TcpStream::connect(address).await {
                carry(client, server, weather, answers).await;
            }
        });
    }
}

async fn carry(
    client: TcpStream,
    server: TcpStream,
    mut weather: watch::Receiver<Weather>,
    answers: Arc<Mutex<Vec<u8>>>,
) {
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    let there = pump(client_in, server_out, weather.clone(), None);
    let back = pump(server_in, client_out, weather.clone(), Some(answers));
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
    note: Option<Arc<Mutex<Vec<u8>>>>,
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
        if let Some(note) = &note {
            note.lock().expect("the lock").extend_from_slice(bytes);
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
