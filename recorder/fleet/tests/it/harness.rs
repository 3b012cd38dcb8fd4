//! The server that all tests share, and a namespace for each of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use tokio_postgres::NoTls;
use zerver_fleet::{FleetBlocks, FleetUrl, InitOptions, Shipper, ShipperEvent, ShipperOptions, init};
use zerver_local_server::{Postgres, S3};
use zerver_recorder::{Reader, Recorder, RecorderOptions};

/// Time limit of every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the server of all tests. It ends with their process.
fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| Postgres::start().unwrap_or_else(|error| panic!("{error}")))
}

/// Returns the URL of a namespace that is not there yet.
pub(crate) fn unused_url() -> FleetUrl {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let namespace = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
    with_key(&format!("{}&ns={namespace}", server().url()))
}

/// Creates a namespace that keeps the samples, which are old.
pub(crate) fn new_fleet() -> FleetUrl {
    let url = unused_url();
    init(&url, InitOptions { keep_days: Some(100_000) }).unwrap();
    url
}

/// Returns the object store of all tests. It ends with their process.
fn objects() -> &'static S3 {
    static OBJECTS: OnceLock<S3> = OnceLock::new();
    OBJECTS.get_or_init(|| S3::start(&["traces", "pages"]).unwrap_or_else(|error| panic!("{error}")))
}

/// Returns the URL of a namespace in a bucket of a server, with a key that it knows.
pub(crate) fn bucket_url(server: &S3, bucket: &str, namespace: &str) -> FleetUrl {
    with_key(&format!("s3://{bucket}/fleet?ns={namespace}&endpoint={}", server.url()))
}

/// Parses a URL as if the environment had the key of the object store.
pub(crate) fn with_key(url: &str) -> FleetUrl {
    FleetUrl::parse_with(url, &|name| match name {
        "AWS_ACCESS_KEY_ID" => Some(S3::KEY.to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some(S3::SECRET.to_owned()),
        _ => None,
    })
    .unwrap()
}

/// Returns the URL of a namespace in a bucket that is not there yet.
pub(crate) fn unused_bucket() -> FleetUrl {
    unused_in("traces")
}

fn unused_in(bucket: &str) -> FleetUrl {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    bucket_url(objects(), bucket, &format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Creates a namespace in a bucket that keeps the samples, which are old.
pub(crate) fn new_bucket() -> FleetUrl {
    new_in("traces")
}

/// Creates such a namespace in one of the buckets. Each list reads all files of its bucket.
pub(crate) fn new_in(bucket: &str) -> FleetUrl {
    let url = unused_in(bucket);
    init(&url, InitOptions { keep_days: Some(100_000) }).unwrap();
    url
}

/// Returns the files with the objects of a namespace whose keys begin like this, by their keys.
pub(crate) fn files(url: &FleetUrl, start: &str) -> BTreeMap<String, PathBuf> {
    fn add(dir: &Path, key: &str, found: &mut BTreeMap<String, PathBuf>) {
        let Ok(entries) = std::fs::read_dir(dir) else { return };
        for entry in entries.map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if name.starts_with('.') {
                continue;
            }
            let key = if key.is_empty() { name } else { format!("{key}/{name}") };
            match entry.file_type().unwrap().is_dir() {
                true => add(&entry.path(), &key, found),
                false => drop(found.insert(key, entry.path())),
            }
        }
    }
    let mut found = BTreeMap::new();
    add(&folder(url), "", &mut found);
    found.retain(|key, _| key.starts_with(start));
    found
}

/// Returns the folder with the objects of a namespace.
pub(crate) fn folder(url: &FleetUrl) -> PathBuf {
    let text = url.to_string();
    let bucket = text.split('/').nth(2).unwrap();
    objects().bucket_folder(bucket).join("fleet").join(url.namespace())
}

/// Runs statements on the server.
pub(crate) fn execute(text: &str) {
    execute_on(&server().url(), text);
}

/// Runs statements on another server.
pub(crate) fn execute_on(url: &str, text: &str) {
    // Statements that create roles would collide.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(text).await.unwrap();
    });
}

pub(crate) fn reader(url: &FleetUrl) -> Reader {
    Reader::of(Box::new(FleetBlocks::open(url).unwrap()))
}

/// Returns options without an age limit, since the samples are old.
pub(crate) fn recorder(dir: &Path) -> Recorder {
    let options = RecorderOptions { max_age: None, build: "b1".to_owned(), ..RecorderOptions::new(dir) };
    Recorder::open(options).unwrap()
}

/// A shipper, and what it reports.
pub(crate) struct Shipping {
    pub(crate) shipper: Shipper,
    pub(crate) events: mpsc::Receiver<ShipperEvent>,
}

impl Shipping {
    pub(crate) fn start(recorder: &Recorder, url: &FleetUrl, name: &str) -> Self {
        Self::start_limited(recorder, url, name, u32::MAX)
    }

    /// Starts a shipper that ships at most this many traces a second.
    pub(crate) fn start_limited(
        recorder: &Recorder,
        url: &FleetUrl,
        name: &str,
        max_per_second: u32,
    ) -> Self {
        let (sender, events) = mpsc::channel();
        let (every, name) = (Duration::from_millis(20), name.to_owned());
        let options = ShipperOptions { url: url.clone(), every, name, max_per_second };
        let report = move |event: &ShipperEvent| drop(sender.send(event.clone()));
        Self { shipper: Shipper::start(recorder.spool(), options, report).unwrap(), events }
    }

    pub(crate) fn wait_until_shipped(&self, traces: u64) {
        let until = Instant::now() + PATIENCE;
        while self.shipper.status().shipped < traces {
            assert!(Instant::now() < until, "{:?}", self.shipper.status());
            std::thread::yield_now();
        }
    }
}

/// Returns the text that a statement selects.
pub(crate) fn query_text(text: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&server().url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        let row = client.query_one(text, &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_default()
    })
}
