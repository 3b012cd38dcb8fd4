//! Keys of idempotent requests in the database, which several services share.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;
use zerver::effects::sql::{Sql, SqlValue};
use zerver::effects::{EffectContext, EffectResult as Performed, Interpreter, Started};
use zerver::prelude::*;
use zerver::{Idempotency, KeyStore, Server, StartOptions};

use crate::harness::SharedDatabase;

/// Maximum time that a test waits for anything. Nothing should come close.
const PATIENCE: Duration = Duration::from_secs(600);

/// An effect that waits for the gate of its service.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Pay(usize);

impl EffectKind for Pay {
    const KIND: &'static str = "pay";
    type Output = String;
}

struct Gate {
    name: &'static str,
    paying: Sender<()>,
    places: Arc<Semaphore>,
}

impl Interpreter<Pay> for Gate {
    fn start(&self, pay: &Pay, _: &EffectContext) -> Started<Performed<Pay>> {
        self.paying.send(()).unwrap();
        let (places, paid) = (Arc::clone(&self.places), format!("{} paid {}", self.name, pay.0));
        Started::Pending(Box::pin(async move {
            places.acquire().await.unwrap().forget();
            Ok(paid)
        }))
    }
}

#[derive(Slot, Serialize, Deserialize)]
struct Paid(String);

#[step]
fn pay(request: &Request) -> Decision<Paid> {
    Need(effect(Pay(request.body.len())).map(Paid))
}

#[step]
fn show(paid: &Paid) -> Response {
    Response::text(paid.0.clone()).status(StatusCode::CREATED)
}

/// A service with connections of its own.
struct Service {
    server: Server,
    paying: Receiver<()>,
    places: Arc<Semaphore>,
}

impl Service {
    fn start(name: &'static str, database: &SharedDatabase) -> Self {
        let (sender, paying) = channel();
        let places = Arc::new(Semaphore::new(0));
        let gate = Gate { name, paying: sender, places: Arc::clone(&places) };
        let app = App::new()
            .idempotency(Idempotency { store: KeyStore::Sql, ..Idempotency::default() })
            .interpreter::<Sql>(database.connect())
            .interpreter::<Pay>(gate)
            .flow(flow!("pay", POST "/pay", steps: [pay, show], idempotent: required))
            .deadline(1.hours());
        let options = StartOptions { addr: Some("127.0.0.1:0".to_owned()), ..StartOptions::default() };
        Self { server: app.start(options).unwrap(), paying, places }
    }

    fn send(&self, key: &str, body: &str) -> Asked {
        Asked::of(self.server.addr(), key, body)
    }

    /// Sends a request, and waits until it pays.
    fn send_and_wait(&self, key: &str, body: &str) -> Asked {
        let asked = self.send(key, body);
        self.paying.recv_timeout(PATIENCE).unwrap();
        asked
    }
}

/// A request that was sent.
struct Asked(TcpStream);

impl Asked {
    fn of(addr: SocketAddr, key: &str, body: &str) -> Self {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let len = body.len();
        let head = "POST /pay HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";
        write!(stream, "{head}content-length: {len}\r\nidempotency-key: {key}\r\n\r\n{body}").unwrap();
        Self(stream)
    }

    /// Returns the status, the body, and whether the response was kept.
    fn answer(mut self) -> (u16, String, bool) {
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned(), head.contains("idempotency-replayed: true"))
    }
}

/// Returns the time until the only key expires, in milliseconds.
fn time_left_ms(database: &SharedDatabase) -> i128 {
    let SqlValue::Int(expires_ms) = database.cell("select expires_ms from zerver_idempotency") else {
        panic!("no time");
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i128::from(expires_ms) - i128::try_from(now.as_millis()).unwrap()
}

#[test]
fn services_that_share_a_database_share_keys() {
    let database = SharedDatabase::new();
    let (first, second) = (Service::start("first", &database), Service::start("second", &database));
    let running = first.send_and_wait("k", "seven b");
    assert_eq!(second.send("k", "seven b").answer().0, 409);
    assert_eq!(second.send("k", "another").answer().0, 422);
    first.places.add_permits(1);
    assert_eq!(running.answer(), (201, "first paid 7".to_owned(), false));
    assert_eq!(second.send("k", "seven b").answer(), (201, "first paid 7".to_owned(), true));
    assert_eq!(second.send("k", "another").answer().0, 422);
    second.places.add_permits(1);
    assert_eq!(second.send("other", "x").answer(), (201, "second paid 1".to_owned(), false));
}

#[test]
fn of_requests_that_arrive_at_once_one_runs() {
    let database = SharedDatabase::new();
    let services = ["a", "b", "c"].map(|name| Service::start(name, &database));
    services.iter().for_each(|service| service.places.add_permits(100));
    for round in 0..20 {
        let key = format!("k{round}");
        let sent: Vec<_> = services.iter().cycle().take(6).map(|service| service.send(&key, "x")).collect();
        let answers: Vec<_> = sent.into_iter().map(Asked::answer).collect();
        let ran = answers.iter().filter(|(status, _, is_kept)| *status == 201 && !is_kept);
        assert_eq!(ran.count(), 1, "{answers:?}");
        let is_fine =
            |(status, _, is_kept): &(u16, String, bool)| *status == 409 || (*status == 201 && *is_kept);
        assert_eq!(answers.iter().filter(|answer| is_fine(answer)).count(), 5, "{answers:?}");
    }
    let kept = "select count(*) from zerver_idempotency where response is not null";
    assert_eq!(database.cell(kept), SqlValue::Int(20));
}

#[test]
fn a_lost_request_gives_its_key_back_and_changes_nothing_if_it_ends_after_all() {
    let database = SharedDatabase::new();
    let (lost, next) = (Service::start("lost", &database), Service::start("next", &database));
    let late = lost.send_and_wait("k", "x");
    assert_eq!(next.send("k", "x").answer().0, 409);
    assert!((1..=300_000).contains(&time_left_ms(&database)));
    // The time passes.
    database.execute("update zerver_idempotency set expires_ms = 0");
    let running = next.send_and_wait("k", "x");
    lost.places.add_permits(1);
    assert_eq!(late.answer(), (201, "lost paid 1".to_owned(), false));
    assert_eq!(lost.send("k", "x").answer().0, 409, "the key is that of the next request");
    next.places.add_permits(1);
    assert_eq!(running.answer().1, "next paid 1");
    assert_eq!(lost.send("k", "x").answer(), (201, "next paid 1".to_owned(), true));
    assert!((23 * 3_600_000..=24 * 3_600_000).contains(&time_left_ms(&database)));
    // So does the time for which the response is kept.
    database.execute("update zerver_idempotency set expires_ms = 0");
    next.places.add_permits(1);
    assert_eq!(next.send("k", "xy").answer(), (201, "next paid 2".to_owned(), false));
}

/// Returns the fingerprint of a request.
fn fingerprint(body: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in ["POST", "/pay", body] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

#[test]
fn some_requests_delete_the_keys_that_have_expired() {
    let database = SharedDatabase::new();
    let service = Service::start("a", &database);
    service.places.add_permits(2);
    let bodies = || (0..).map(|number: u32| number.to_string());
    let sweeping = bodies().find(|body| fingerprint(body).ends_with("00")).unwrap();
    let other = bodies().find(|body| !fingerprint(body).ends_with("00")).unwrap();
    database.execute(
        "insert into zerver_idempotency (owner, key, fingerprint, claim, expires_ms) values ('', 'old', '', '', 1)",
    );
    let count = || database.cell("select count(*) from zerver_idempotency");
    assert_eq!(service.send("k", &other).answer().0, 201);
    assert_eq!(count(), SqlValue::Int(2));
    assert_eq!(service.send("l", &sweeping).answer().0, 201);
    assert_eq!(count(), SqlValue::Int(2));
    assert_eq!(database.cell("select count(*) from zerver_idempotency where key = 'old'"), SqlValue::Int(0));
}
