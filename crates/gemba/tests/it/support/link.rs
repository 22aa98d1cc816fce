//! A TCP link that can be cut, reset, frozen, or turned into something that does not speak TLS.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the link does with bytes and connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mode {
    /// Passes everything on.
    Open = 0,
    /// Ends each connection at once.
    Cut = 1,
    /// Answers with bytes that are no TLS.
    Garbage = 2,
}

/// A proxy on a port of its own.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) port: u16,
    mode: Arc<AtomicU8>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Link {
    /// A link to `target`. The threads end with the test process.
    pub(crate) fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let link = Self { port, mode: Arc::default(), streams: Arc::default() };
        let accepting = link.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                accepting.carry(client, target);
            }
        });
        link
    }

    /// Changes the mode; anything but `Open` ends the connections that are there.
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
        if mode != Mode::Open {
            for stream in self.streams.lock().expect("no thread panics with the lock").drain(..) {
                drop(stream.shutdown(Shutdown::Both));
            }
        }
    }

    fn carry(&self, mut client: TcpStream, target: SocketAddr) {
        match self.mode.load(Ordering::SeqCst) {
            mode if mode == Mode::Cut as u8 => return,
            mode if mode == Mode::Garbage as u8 => {
                drop(client.write_all(b"HTTP/1.0 400 this is no TLS server\r\n\r\n"));
                return;
            }
            _ => {}
        }
        let Ok(server) = TcpStream::connect(target) else { return };
        let pairs = [(&client, &server), (&server, &client)];
        for (from, to) in pairs {
            let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
            let mut streams = self.streams.lock().expect("no thread panics with the lock");
            streams.extend(from.try_clone());
            drop(streams);
            thread::spawn(move || {
                let mut buffer = vec![0; 64 << 10];
                while let Ok(count) = from.read(&mut buffer) {
                    if count == 0 || to.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                }
                drop(to.shutdown(Shutdown::Both));
                drop(from.shutdown(Shutdown::Both));
            });
        }
    }
}
