//! Streams.

use std::time::Instant;

use zerver::prelude::*;
use zerver_redis as redis;

use crate::harness::Client;

#[test]
fn entries_are_read_in_order() {
    let client = Client::new();
    let first = client.run(redis::xadd("events", [("kind", "created"), ("id", "7")])).unwrap();
    let second = client.run(redis::xadd("events", [("kind", "paid")])).unwrap();
    let entries = client.run(redis::xrange::<String>("events", "-", "+", 10)).unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].id, first);
    assert_eq!(
        entries[0].fields,
        [("kind", "created"), ("id", "7")].map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    let later = client.run(redis::xread("events", &first).run::<String>()).unwrap();
    assert_eq!(later.iter().map(|entry| &entry.id).collect::<Vec<_>>(), [&second]);
    assert_eq!(client.run(redis::xread("events", "0").count(1).run::<String>()).unwrap()[0].id, first);
    assert_eq!(client.run(redis::xread("events", &second).run::<String>()).unwrap(), []);
    assert_eq!(client.run(redis::xread("no stream", "0").run::<String>()).unwrap(), []);
}

#[test]
fn a_waiting_read_keeps_no_other_call_waiting() {
    let client = Client::new();
    client.block_on(async {
        let began = Instant::now();
        let waiting = redis::xread("later", "$").wait(20.seconds()).run::<String>();
        let waiting = client.perform(waiting);
        let adding = async {
            // The read waits on the server as soon as the list of clients says so.
            loop {
                let list = client.perform(redis::cmd("CLIENT").arg("LIST").run::<String>()).await.unwrap();
                if list.contains("cmd=xread") {
                    break;
                }
                tokio::task::yield_now().await;
            }
            client.perform(redis::xadd("later", [("n", 1)])).await.unwrap()
        };
        let (entries, id) = tokio::join!(waiting, adding);
        assert_eq!(entries.unwrap()[0].id, id);
        assert!(began.elapsed() < 15.seconds());
        // A read that is given up ends on the server, too.
        let waiting = redis::xread("later", "$").wait(1.hours()).run::<String>().timeout(100.millis());
        assert_eq!(client.perform(waiting).await.unwrap_err().status(), 504);
        loop {
            let list = client.perform(redis::cmd("CLIENT").arg("LIST").run::<String>()).await.unwrap();
            if !list.contains("cmd=xread") {
                break;
            }
            tokio::task::yield_now().await;
        }
    });
}
