//! Commands, scripts and transactions.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zerver::prelude::*;
use zerver_redis::{self as redis, Json, RedisValue, ServerError};

use crate::harness::{Client, cause, server};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
}

#[test]
fn values_are_set_read_and_deleted() {
    let client = Client::new();
    assert_eq!(client.run(redis::get::<String>("values:none")).unwrap(), None);
    client.run(redis::set("values:text", "häuser")).unwrap();
    assert_eq!(client.run(redis::get("values:text")).unwrap(), Some("häuser".to_owned()));
    let user = User { name: "ann".to_owned() };
    client.run(redis::set("values:user", Json(&user))).unwrap();
    assert_eq!(client.run(redis::get("values:user")).unwrap(), Some(Json(user)));
    assert!(client.run(redis::set_if_absent("values:once", 1)).unwrap());
    assert!(!client.run(redis::set_if_absent("values:once", 2)).unwrap());
    assert_eq!(client.run(redis::incr("values:once", 41)).unwrap(), 42);
    let numbers = client.run(redis::mget::<i64>(["values:once", "values:none"])).unwrap();
    assert_eq!(numbers, [Some(42), None]);
    assert_eq!(client.run(redis::mget::<i64>(Vec::<String>::new())).unwrap(), []);
    assert!(client.run(redis::exists("values:once")).unwrap());
    assert_eq!(client.run(redis::del(["values:once", "values:none"])).unwrap(), 1);
    assert_eq!(client.run(redis::del(Vec::<String>::new())).unwrap(), 0);
}

#[test]
fn values_expire() {
    let client = Client::new();
    client.run(redis::expires_in(1.hours()).set("expiry:a", "x")).unwrap();
    let left = client.run(redis::ttl("expiry:a")).unwrap().unwrap();
    assert!(left > Duration::from_secs(3590) && left <= 1.hours(), "{left:?}");
    assert!(!client.run(redis::expires_in(1.hours()).set_if_absent("expiry:a", "y")).unwrap());
    client.run(redis::set("expiry:b", "x")).unwrap();
    assert_eq!(client.run(redis::ttl("expiry:b")).unwrap(), None);
    assert!(client.run(redis::expire("expiry:b", 1.minutes())).unwrap());
    assert!(!client.run(redis::expire("expiry:none", 1.minutes())).unwrap());
    assert!(client.run(redis::ttl("expiry:b")).unwrap().is_some());
}

#[test]
fn binary_and_huge_values_come_back_as_they_were() {
    let client = Client::new();
    let binary: Vec<u8> = (0..=255).collect();
    client.run(redis::set("binary:\r\n", &binary)).unwrap();
    assert_eq!(client.run(redis::get::<bytes::Bytes>("binary:\r\n")).unwrap().unwrap(), binary);
    assert!(cause(client.run(redis::get::<String>("binary:\r\n"))).contains("read it as Bytes"));
    let huge = vec![7; 32 * 1024 * 1024];
    client.run(redis::set("huge", &huge)).unwrap();
    assert_eq!(client.run(redis::get::<bytes::Bytes>("huge")).unwrap().unwrap(), huge);
    client.run(redis::del(["huge"])).unwrap();
}

#[test]
fn hashes_have_fields() {
    let client = Client::new();
    assert_eq!(client.run(redis::hset("hash", [("a", "1"), ("b", "2")])).unwrap(), 2);
    assert_eq!(client.run(redis::hget::<i64>("hash", "b")).unwrap(), Some(2));
    assert_eq!(client.run(redis::hincr("hash", "b", 5)).unwrap(), 7);
    let all: BTreeMap<String, i64> = client.run(redis::hgetall("hash")).unwrap();
    assert_eq!(all, [("a".to_owned(), 1), ("b".to_owned(), 7)].into());
    assert_eq!(client.run(redis::hdel("hash", ["a", "c"])).unwrap(), 1);
    assert_eq!(client.run(redis::hgetall::<String>("no hash")).unwrap(), BTreeMap::new());
}

#[test]
fn any_command_runs_and_its_error_is_a_value() {
    let client = Client::new();
    client.run(redis::cmd("ZADD").arg("scores").args(["2", "bob", "1.5", "ann"]).run::<u64>()).unwrap();
    let range = redis::cmd("ZRANGE").arg("scores").args([0, -1]).arg("WITHSCORES");
    let scores: Vec<RedisValue> = client.run(range.run()).unwrap();
    assert_eq!(scores.len(), 4);
    let wrong = || redis::cmd("LPUSH").arg("scores").arg("x");
    let error = client.run(wrong().try_run::<u64>()).unwrap().unwrap_err();
    assert_eq!(error.code, "WRONGTYPE");
    let failure = client.run(wrong().run::<u64>()).unwrap_err();
    assert_eq!(failure.status(), 500);
    assert_eq!(failure.error::<ServerError>().unwrap().code, "WRONGTYPE");
    assert_eq!(client.run(redis::cmd("NO SUCH").try_run::<()>()).unwrap().unwrap_err().code, "ERR");
}

#[test]
fn a_script_runs_by_its_hash_also_after_the_server_has_forgotten_it() {
    let client = Client::new();
    let add = || {
        let text = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
        redis::script(text).key("scripted").arg(3).run::<i64>()
    };
    assert_eq!(client.run(add()).unwrap(), 3);
    assert_eq!(client.run(add()).unwrap(), 6);
    client.run(redis::cmd("SCRIPT").arg("FLUSH").run::<()>()).unwrap();
    assert_eq!(client.run(add()).unwrap(), 9);
    let calls: String = client.run(redis::cmd("INFO").arg("commandstats").run()).unwrap();
    assert!(calls.contains("cmdstat_evalsha:calls=") && calls.contains("cmdstat_eval:calls="), "{calls}");
    let broken = client.run(redis::script("return redis.call('NO')").try_run::<()>()).unwrap().unwrap_err();
    assert!(broken.to_string().contains("Unknown Redis command"), "{broken}");
}

#[test]
fn a_transaction_is_one_effect() {
    let client = Client::new();
    let commands = || {
        [
            redis::cmd("SET").arg("moved").arg(1),
            redis::cmd("LPUSH").arg("moved").arg("not a list"),
            redis::cmd("INCR").arg("moved"),
        ]
    };
    let answers = client.run(redis::transaction(commands()).run()).unwrap();
    assert_eq!(answers.len(), 3);
    assert!(matches!(&answers[1], RedisValue::Error(error) if error.code == "WRONGTYPE"), "{answers:?}");
    assert_eq!(answers[2], RedisValue::Int(2));
    // A command that the server does not know prevents all of them.
    let broken = commands().into_iter().chain([redis::cmd("NOSUCHCOMMAND")]);
    let failure = client.run(redis::transaction(broken).run()).unwrap_err();
    assert_eq!(failure.status(), 500);
    assert_eq!(client.run(redis::get::<i64>("moved")).unwrap(), Some(2));
    assert_eq!(client.run(redis::transaction([]).run()).unwrap(), []);
}

#[test]
fn many_calls_share_one_connection() {
    let client = Client::new();
    let sums = client.run(join_all((0..1000).map(|_| redis::incr("shared", 1)))).unwrap();
    assert_eq!(sums.iter().max(), Some(&1000));
    let list: String = client.run(redis::cmd("CLIENT").arg("LIST").run()).unwrap();
    let id: i64 = client.run(redis::cmd("CLIENT").arg("ID").run()).unwrap();
    assert!(list.lines().any(|line| line.starts_with(&format!("id={id} "))), "{list}");
}

#[test]
fn servers_have_names() {
    let other = crate::harness::start();
    let servers = redis::Servers::new(redis::Redis::from_url(&server().url()).unwrap())
        .with("other", redis::Redis::from_url(&other.url()).unwrap());
    let mut client = Client::new();
    client.interpreters.set(servers);
    client.run(redis::on("other").set("only here", 1)).unwrap();
    assert_eq!(client.run(redis::get::<i64>("only here")).unwrap(), None);
    assert_eq!(client.run(redis::on("other").get::<i64>("only here")).unwrap(), Some(1));
    let third = cause(client.run(redis::on("third").get::<i64>("a")));
    assert!(third.contains("there is no server third; there are: default, other"), "{third}");
}
