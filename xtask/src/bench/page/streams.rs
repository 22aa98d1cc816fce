//! Live streams as a thousand pages hold them open: what they cost the platform in processor time and memory.
//!
//! One thread reads all of them, so that the readers cost the machine little; the figures are those of the platform's
//! process alone.

use crate::chain::Chain;
use crate::chain::process::Usage;
use crate::run;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const STREAMS: u64 = 1_000;
/// The console gives a session or token no more.
const STREAMS_PER_TOKEN: usize = 8;
/// Values of a stream come ten times a second at most.
const ROUND: Duration = Duration::from_millis(20);
/// First answers, and buffers that grow to their size.
const WARM_UP: Duration = Duration::from_secs(10);

/// Platform without and with the streams.
pub(super) struct Figure {
    name: &'static str,
    without: Cost,
    with: Cost,
    events_per_second: f64,
    megabytes_per_second: f64,
}

/// Of the platform's process over some time.
#[derive(Clone, Copy)]
struct Cost {
    core_percent: f64,
    rss_kib: u64,
}

/// `fast` change ten times a second, the others of `series` every ten seconds.
pub(super) fn measure(chain: &Chain, fast: &[u64], series: u64, time: Duration) -> Result<Vec<Figure>> {
    let tokens = STREAMS.div_ceil(STREAMS_PER_TOKEN as u64);
    let tokens = (0..tokens).map(|_| chain.new_token()).collect::<Result<Vec<String>>>()?;
    let slow: Vec<u64> = (1..=series).filter(|id| !fast.contains(id)).collect();
    let apart = slow.len() / STREAMS as usize;
    let many = slow.chunks(apart.max(1)).map(|chunk| chunk.iter().take(fast.len()).copied().collect());
    let many: Vec<Vec<u64>> = many.take(STREAMS as usize).collect();
    let same = vec![fast.to_vec(); STREAMS as usize];
    let mut figures: Vec<Figure> = Vec::new();
    for (name, wishes) in [("of its own, every 10 s", many), ("the same ones at 10 Hz", same)] {
        run::say(&format!("{STREAMS} live streams of {} series, {name} …", fast.len()));
        let mut without = cost(chain, time)?;
        // What the streams before gave back is still the process's; theirs is counted from the same beginning.
        without.rss_kib = figures.first().map_or(without.rss_kib, |first| first.without.rss_kib);
        let readers = Readers::open(chain.address(), &tokens, &wishes)?;
        std::thread::sleep(WARM_UP);
        let (began, before) = (Instant::now(), readers.counts.now());
        let with = cost(chain, time)?;
        let (seconds, after) = (began.elapsed().as_secs_f64(), readers.counts.now());
        readers.close()?;
        figures.push(Figure {
            name,
            without,
            with,
            events_per_second: (after.0 - before.0) as f64 / seconds,
            megabytes_per_second: (after.1 - before.1) as f64 / seconds / 1e6,
        });
    }
    Ok(figures)
}

fn cost(chain: &Chain, time: Duration) -> Result<Cost> {
    let (began, before): (Instant, Usage) = (Instant::now(), chain.platform()?);
    std::thread::sleep(time);
    let used = chain.platform()?.since(&before);
    let core_percent = 100.0 * used.cpu_seconds / began.elapsed().as_secs_f64();
    Ok(Cost { core_percent, rss_kib: used.rss_kib })
}

/// Open streams, read by a thread.
struct Readers {
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
}

#[derive(Default)]
struct Counts {
    events: AtomicU64,
    bytes: AtomicU64,
}

impl Counts {
    fn now(&self) -> (u64, u64) {
        (self.events.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

impl Readers {
    /// A stream for each wish.
    fn open(address: &str, tokens: &[String], wishes: &[Vec<u64>]) -> Result<Self> {
        let tokens = tokens.iter().flat_map(|token| std::iter::repeat_n(token, STREAMS_PER_TOKEN));
        let streams = wishes.iter().zip(tokens).map(|(wish, token)| Stream::open(address, token, wish));
        let mut streams = streams.collect::<Result<Vec<Stream>>>()?;
        if streams.len() != wishes.len() {
            bail!("{} tokens too few", wishes.len() - streams.len());
        }
        let (counts, stop) = (Arc::<Counts>::default(), Arc::<AtomicBool>::default());
        let (counted, stopped) = (Arc::clone(&counts), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while !stopped.load(Ordering::Relaxed) {
                streams.iter_mut().try_for_each(|stream| stream.read(&mut buffer, &counted))?;
                std::thread::sleep(ROUND);
            }
            Ok(())
        });
        Ok(Self { counts, stop, thread })
    }

    /// Closes them all; fails when one ended before.
    fn close(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the readers' thread failed"))?
    }
}

struct Stream {
    socket: TcpStream,
    ends_with_newline: bool,
}

impl Stream {
    fn open(address: &str, token: &str, series: &[u64]) -> Result<Self> {
        let series: Vec<String> = series.iter().map(u64::to_string).collect();
        let mut socket = TcpStream::connect(address)?;
        write!(
            socket,
            "GET /api/v1/live?series={} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n",
            series.join(",")
        )?;
        let mut status = [0; 12];
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        socket.read_exact(&mut status).context("a live stream has no answer")?;
        if !status.ends_with(b"200") {
            bail!("a live stream is refused: {}", String::from_utf8_lossy(&status));
        }
        socket.set_nonblocking(true)?;
        Ok(Self { socket, ends_with_newline: false })
    }

    /// Takes what is there. An event ends with an empty line.
    fn read(&mut self, buffer: &mut [u8], counts: &Counts) -> Result<()> {
        loop {
            let bytes = match self.socket.read(buffer) {
                Ok(0) => bail!("a live stream ended"),
                Ok(read) => buffer.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("a live stream broke"),
            };
            let mut events = 0;
            for byte in bytes {
                events += u64::from(self.ends_with_newline && *byte == b'\n');
                self.ends_with_newline = *byte == b'\n';
            }
            counts.events.fetch_add(events, Ordering::Relaxed);
            counts.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
    }
}

impl Figure {
    fn kib_per_stream(&self) -> f64 {
        self.with.rss_kib.saturating_sub(self.without.rss_kib) as f64 / STREAMS as f64
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "name": self.name, "streams": STREAMS,
            "eventsPerSecond": self.events_per_second, "megabytesPerSecond": self.megabytes_per_second,
            "without": { "corePercent": self.without.core_percent, "rssMiB": self.without.rss_kib / 1024 },
            "with": { "corePercent": self.with.core_percent, "rssMiB": self.with.rss_kib / 1024 },
            "kibPerStream": self.kib_per_stream(),
        })
    }

    pub(super) fn row(&self) -> String {
        format!(
            "| {STREAMS}: {} | {:.0} | {:.1} | {:.1} | {:.1} | {} | {} | {:.0} |",
            self.name,
            self.events_per_second,
            self.megabytes_per_second,
            self.without.core_percent,
            self.with.core_percent,
            self.without.rss_kib / 1024,
            self.with.rss_kib / 1024,
            self.kib_per_stream()
        )
    }
}

/// The head of a table of [`Figure::row`].
pub(super) const HEAD: &str = "\
| live streams of 12 series | events/s | MB/s | platform % of a core without | with | MiB without | with | KiB a stream |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";
