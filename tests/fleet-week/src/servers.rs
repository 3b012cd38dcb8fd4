//! The database and the object store of the week, each behind a proxy.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;
use zerver_fleet::FleetUrl;
use zerver_local_server::{Postgres, S3};

use crate::limits::Result;
use crate::proxy::Proxy;

/// Settings that keep what was acknowledged when the server is killed, and make room for a large week.
const SETTINGS: [&str; 3] = ["synchronous_commit=on", "shared_buffers=256MB", "max_wal_size=4GB"];
const BUCKET: &str = "traces";

/// The two places to which each node ships.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The database.
    Database,
    /// The bucket.
    Bucket,
}

impl Place {
    pub(crate) const ALL: [Self; 2] = [Self::Database, Self::Bucket];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Database => "the database",
            Self::Bucket => "the bucket",
        }
    }
}

/// The servers.
#[derive(Debug)]
pub(crate) struct Servers {
    database: Postgres,
    objects: S3,
    /// By place.
    pub(crate) proxies: [Proxy; 2],
}

impl Servers {
    pub(crate) fn start() -> Result<Self> {
        let database = Postgres::start_on_tcp(&SETTINGS)?;
        let objects = S3::start(&[BUCKET])?;
        let port = objects.url().rsplit(':').next().and_then(|port| port.parse().ok());
        let ports = [database.tcp_port(), port].map(|port| port.ok_or("a server listens on no port"));
        let [first, second] = ports;
        Ok(Self { database, objects, proxies: [Proxy::start(first?)?, Proxy::start(second?)?] })
    }

    pub(crate) const fn proxy(&self, place: Place) -> &Proxy {
        &self.proxies[place as usize]
    }

    /// Returns the URL of a namespace, through the proxy.
    pub(crate) fn url(&self, place: Place, namespace: &str) -> Result<FleetUrl> {
        let port = self.proxy(place).port();
        let text = match place {
            Place::Database => format!("postgres://postgres@127.0.0.1:{port}/postgres?ns={namespace}"),
            Place::Bucket => format!("s3://{BUCKET}/fleet?ns={namespace}&endpoint=http://127.0.0.1:{port}"),
        };
        let key = |name: &str| match name {
            "AWS_ACCESS_KEY_ID" => Some(S3::KEY.to_owned()),
            "AWS_SECRET_ACCESS_KEY" => Some(S3::SECRET.to_owned()),
            _ => None,
        };
        Ok(FleetUrl::parse_with(&text, &key)?)
    }

    /// Stops a server at once, as if it had been killed. The database recovers when it starts again.
    pub(crate) fn stop(&mut self, place: Place) -> Result<()> {
        match place {
            Place::Database => {
                let text = fs::read_to_string(self.database.folder().join("data/postmaster.pid"))?;
                let pid =
                    text.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw);
                kill_process(pid.ok_or("postmaster.pid names no process")?, Signal::QUIT)?;
                self.database.stop();
            }
            Place::Bucket => self.objects.stop(),
        }
        Ok(())
    }

    pub(crate) fn resume(&mut self, place: Place) -> Result<()> {
        match place {
            Place::Database => self.database.resume()?,
            Place::Bucket => self.objects.resume()?,
        }
        Ok(())
    }

    /// Runs statements, not through the proxy.
    pub(crate) fn execute(&self, text: &str) -> Result<()> {
        let port = self.database.tcp_port().ok_or("the database listens on no port")?;
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
            let connection = tokio::spawn(connection);
            let mut done = client.batch_execute(text).await;
            // Readers and services go on meanwhile. Of two that wait for each other, either may be refused.
            while done.as_ref().is_err_and(|error| error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED)) {
                done = client.batch_execute(text).await;
            }
            drop(client);
            connection.await??;
            done.map_err(|error| match error.as_db_error() {
                Some(said) => format!("{text}: {said}").into(),
                None => error.into(),
            })
        })
    }

    /// Returns the folders with everything that the servers have written, logs of transactions included.
    pub(crate) fn folders(&self) -> [PathBuf; 2] {
        [self.database.folder().join("data"), self.objects.bucket_folder(BUCKET)]
    }
}
