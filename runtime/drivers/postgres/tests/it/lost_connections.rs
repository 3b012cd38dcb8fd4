//! Connections that are lost while a statement is performed.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixStream};
use zerver::effects::sql::{self, SqlValue};

use crate::harness::{Client, cause, new_database, server};

/// Repeats an action until it returns true.
pub(crate) fn eventually(client: &Client, mut is_done: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if is_done() {
            return;
        }
        client.block_on(async { tokio::time::sleep(Duration::from_millis(10)).await });
    }
    panic!("not within 10 s");
}

/// Forwards connections to the server. It closes a connection in place of the answer to the first message of the client
/// that contains `text`, after the server has answered.
pub(crate) async fn cut_after(text: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = server().folder().join(".s.PGSQL.5432");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let socket = socket.clone();
            tokio::spawn(async move {
                let mut server = UnixStream::connect(socket).await.unwrap();
                let (mut from_client, mut from_server) = (vec![0; 65536], vec![0; 65536]);
                let mut is_cut = false;
                loop {
                    tokio::select! {
                        read = client.read(&mut from_client) => match read {
                            Ok(0) | Err(_) => return,
                            Ok(len) => {
                                is_cut |= from_client[..len].windows(text.len()).any(|part| part == text.as_bytes());
                                server.write_all(&from_client[..len]).await.unwrap();
                            }
                        },
                        read = server.read(&mut from_server) => match read {
                            Ok(0) | Err(_) => return,
                            Ok(_) if is_cut => return,
                            Ok(len) => client.write_all(&from_server[..len]).await.unwrap(),
                        },
                    }
                }
            });
        }
    });
    port
}

#[test]
fn a_connection_that_is_lost_after_a_write_has_an_unknown_outcome() {
    let direct = Client::connect(&new_database());
    direct.execute("create table t (id int)");
    let database = direct.url.split_once("///").unwrap().1.split_once('?').unwrap().0.to_owned();
    let through = |port: u16| format!("postgresql://postgres@127.0.0.1:{port}/{database}?sslmode=disable");
    // The answer to the commit is lost.
    let port = direct.block_on(cut_after("commit"));
    let client = Client::connect(&through(port));
    let insert = || sql::query("insert into t values (1)");
    let lost = client.run(sql::batch([insert()]).run());
    assert!(cause(lost).starts_with("unknown_outcome: the connection was lost after the statement was sent"));
    eventually(&direct, || direct.cell("select count(*) from t") == SqlValue::Int(1));
    // The connection is lost before the commit: nothing has happened.
    let port = direct.block_on(cut_after("rollback me"));
    let client = Client::connect(&through(port));
    let doomed = sql::batch([insert(), sql::query("select 1 /* rollback me */"), insert()]);
    let lost = cause(client.run(doomed.run()));
    assert!(lost.starts_with("unreachable: "), "{lost}");
    // A statement that only reads is unreachable, too.
    let port = direct.block_on(cut_after("a read"));
    let client = Client::connect(&through(port));
    assert!(
        cause(client.run(sql::query("select 1 as \"a read\"").one::<i32>())).starts_with("unreachable: ")
    );
    assert_eq!(direct.cell("select count(*) from t"), SqlValue::Int(1));
}
