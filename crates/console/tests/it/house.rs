//! A console that listens on a free port of loopback, over a registry in a folder of its own.

use crate::client::{Answer, Request};
use crate::plant::{Plant, time};
use gemba_api::DocStore;
use gemba_api::rest::Role;
use gemba_base::{Clock, Metrics, Secret, Tasks};
use gemba_console::{Console, ConsoleParts, Transport};
use gemba_model::DateTime;
use gemba_registry::SqliteDocStore;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// Begins at noon; moves when it is told to.
#[derive(Default)]
pub(crate) struct HandClock(AtomicU64);

impl HandClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).expect("fits"), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime {
        time("2026-03-01T12:00:00Z").saturating_add(self.monotonic())
    }
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct House {
    pub(crate) plant: Arc<Plant>,
    pub(crate) docs: Arc<SqliteDocStore>,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) ready: Arc<AtomicBool>,
    pub(crate) tasks: Tasks,
    pub(crate) address: SocketAddr,
    folder: PathBuf,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::over(Transport::Loopback, Plant::default()).await
    }

    pub(crate) async fn over(transport: Transport, plant: Plant) -> Self {
        let folder = std::env::temp_dir().join(format!("gemba-console-{}", gemba_base::random::hex::<8>()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let docs = Arc::new(SqliteDocStore::open(folder.join("registry.db")).expect("opens"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let mut house = Self {
            plant: Arc::new(plant),
            docs,
            clock: Arc::default(),
            ready: Arc::new(AtomicBool::new(true)),
            tasks: Tasks::new("console"),
            address: listener.local_addr().expect("an address"),
            folder,
        };
        house.serve(listener, transport);
        house
    }

    fn serve(&mut self, listener: TcpListener, transport: Transport) {
        let ready = Arc::clone(&self.ready);
        let console = Console::start(ConsoleParts {
            history: Arc::clone(&self.plant) as _,
            ledger: Arc::clone(&self.plant) as _,
            flow: Arc::clone(&self.plant) as _,
            docs: Arc::clone(&self.docs) as _,
            metrics: Metrics::default(),
            clock: Arc::clone(&self.clock) as _,
            tasks: self.tasks.clone(),
            ready: Arc::new(move || {
                if ready.load(Ordering::SeqCst) { Ok(()) } else { Err("keys are being made".to_owned()) }
            }),
            version: "1.2.3".to_owned(),
            time_zone: Some("Europe/Berlin".to_owned()),
            hosts: vec!["plant.example".to_owned()],
        });
        let service = console.router(transport).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
    }

    /// A second console over the same registry: what a restart leaves.
    pub(crate) async fn restart(&mut self) {
        self.tasks.stop();
        self.tasks = Tasks::new("console");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        self.address = listener.local_addr().expect("an address");
        self.serve(listener, Transport::Loopback);
    }

    pub(crate) fn docs(&self) -> &dyn DocStore {
        &*self.docs
    }

    pub(crate) fn token(&self, role: Role) -> String {
        let secret = gemba_console::create_token(self.docs(), role, role.as_str(), self.clock.now());
        secret.expect("makes a token").reveal().to_owned()
    }

    pub(crate) fn user(&self, name: &str, role: Role) {
        let password = Secret::new(PASSWORD);
        gemba_console::create_user(self.docs(), role, name, &password, self.clock.now())
            .expect("makes a user");
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.address, method, path)
    }

    /// GET as a viewer.
    pub(crate) async fn read(&self, path: &str) -> Answer {
        self.request("GET", path).bearer(&self.token(Role::Viewer)).send().await
    }

    pub(crate) async fn log_in(&self, user: &str, password: &str) -> Answer {
        let body = json!({"user": user, "password": password});
        self.request("POST", "/api/v1/session").json(&body).send().await
    }

    /// Logs in; the session can be used with [`Session::request`].
    pub(crate) async fn session(&self, user: &str) -> Session {
        let answer = self.log_in(user, PASSWORD).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Session { cookie: answer.cookie(), csrf: text(&answer.json()["csrfToken"]) }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.tasks.stop();
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

pub(crate) struct Session {
    pub(crate) cookie: String,
    pub(crate) csrf: String,
}

impl Session {
    pub(crate) fn request(&self, house: &House, method: &str, path: &str) -> Request {
        house.request(method, path).header("Cookie", &self.cookie).header("X-CSRF-Token", &self.csrf)
    }

    pub(crate) async fn is_alive(&self, house: &House) -> bool {
        self.request(house, "GET", "/api/v1/session").send().await.status == 200
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("is text").to_owned()
}
