//! database: `GET /api/articles` of the RealWorld API on PostgreSQL: 20 articles and their number, in two statements at the
//! same time. Compares the processor time of the server per request, without that of PostgreSQL.

use std::process::Command;

use zerver::effects::{EffectContext, Interpreters, sql};
use zerver_local_server as local;
use zerver_postgres::Postgres;
use zerver_recorder::{RecordingPolicy, TailPolicy};

use crate::load::closed_loop;
use crate::load::connection;
use crate::load::traffic::Requests;
use crate::plan::Plan;
use crate::report::{median, print_line, quantile};
use crate::servers::conduit::DATABASE;
use crate::servers::process::{self, Server};

/// The servers: name, argument, and the aim: the processor time relative to axum with sqlx.
const SERVERS: [(&str, &str, Option<f64>); 5] = [
    ("axum 0.8, sqlx", "conduit-sqlx", None),
    ("axum 0.8, deadpool-postgres", "conduit-deadpool", None),
    ("zerver, unrecorded", "conduit-off", Some(1.05)),
    ("zerver, tail", "conduit-tail", Some(1.1)),
    ("zerver, all", "conduit-all", Some(1.5)),
];

/// Articles that make a response of about 7 KB.
const ARTICLES: &str = "
    with people as (
        insert into users (username, email, password_hash, bio)
        select 'user' || n, 'user' || n || '@example.com', '', 'Writes about databases' from generate_series(1, 20) n
        returning id, username
    ), numbered as (select id, row_number() over () as n from people)
    insert into articles (slug, title, description, body, tag_list, author_id, created_at, updated_at)
    select 'article-' || a, 'Article number ' || a, 'What it is about, in a sentence or so', repeat('Text. ', 500),
        array['tag' || a % 7, 'tag' || a % 11], numbered.id, now() + a * interval '1 second',
        now() + a * interval '1 second'
    from generate_series(1, 200) a join numbered on numbered.n = a % 20 + 1";

/// Policy of a server of zerver.
pub(crate) fn policy(argument: &str) -> Option<RecordingPolicy> {
    match argument {
        "conduit-tail" => Some(RecordingPolicy::Tail(TailPolicy::default())),
        "conduit-all" => Some(RecordingPolicy::All),
        _ => None,
    }
}

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    // Before this process is pinned, which the server would inherit.
    let database = local::Postgres::start().map_err(|error| error.to_string())?;
    let url = database.url();
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(fill(&url))?;
    drop(runtime);
    process::pin_to(1);
    let mut rounds = SERVERS.map(|_| Vec::new());
    let mut expected = None;
    for round in 0..plan.rounds {
        for at in 0..SERVERS.len() {
            let at = (at + round) % SERVERS.len();
            let measured = measure(SERVERS[at].1, &url, &mut expected, plan);
            rounds[at].push(measured.map_err(|error| format!("{}: {error}", SERVERS[at].0))?);
        }
    }
    process::unpin();
    let bytes = expected.as_ref().map_or(0, Vec::len);
    print_line(&format!(
        "GET /api/articles, {bytes} bytes, {} connections, {} rounds of {:?}",
        plan.connections, plan.rounds, plan.time
    ));
    print_line(
        "| server | CPU us/request | of axum with sqlx | min to max | aim | of axum with deadpool-postgres | requests/s |",
    );
    print_line("|---|---|---|---|---|---|---|");
    for ((name, _, aim), measured) in std::iter::zip(SERVERS, &rounds) {
        let of = |other: usize| {
            std::iter::zip(measured, &rounds[other])
                .map(|((cpu, _), (other, _))| cpu / other)
                .collect::<Vec<_>>()
        };
        let (sqlx, deadpool) = (of(0), of(1));
        print_line(&format!(
            "| {name} | {:.1} | {:.2} | {:.2} to {:.2} | {} | {:.2} | {:.0} |",
            median(measured.iter().map(|(cpu, _)| *cpu)),
            quantile(&sqlx, 0.5),
            quantile(&sqlx, 0.0),
            quantile(&sqlx, 1.0),
            aim.map_or(String::new(), |aim| format!("{aim:.2}")),
            quantile(&deadpool, 0.5),
            median(measured.iter().map(|(_, per_second)| *per_second)),
        ));
    }
    Ok(())
}

async fn fill(url: &str) -> Result<(), String> {
    let database = Postgres::from_url(url).map_err(|error| error.to_string())?;
    database.migrate_all(&zerver_example_conduit::migrations()).await.map_err(|error| error.to_string())?;
    let mut interpreters = Interpreters::new();
    interpreters.set(database);
    for statement in [sql::query(ARTICLES), sql::query("analyze")] {
        let filled = interpreters.perform(statement.execute(), &EffectContext::default()).await;
        filled.map_err(|failure| failure.causes().join(": "))?;
    }
    Ok(())
}

/// Returns the processor time per request in microseconds, and the requests per second. All servers must give the same
/// answer.
fn measure(
    argument: &str,
    url: &str,
    expected: &mut Option<Vec<u8>>,
    plan: &Plan,
) -> Result<(f64, f64), String> {
    let text = |error: std::io::Error| error.to_string();
    let mut command = Command::new(process::program()?);
    command.env(DATABASE, url);
    let server = Server::launch(command, argument)?;
    let request = connection::get("/api/articles");
    let body = match expected {
        Some(body) => body.clone(),
        None => expected.insert(closed_loop::once(server.addr(), &request).map_err(text)?).clone(),
    };
    let asked = Requests::identical(request, body);
    let warm_up = closed_loop::run(server.addr(), &asked, plan.connections, plan.time / 4).map_err(text)?;
    let before = server.cpu_at_rest().map_err(text)?;
    let done = closed_loop::run(server.addr(), &asked, plan.connections, plan.time).map_err(text)?;
    // Work on other threads, such as the recorder, counts as well.
    let cpu = server.cpu_at_rest().map_err(text)? - before;
    server.stop(|_| Ok(()))?;
    if warm_up.requests == 0 || done.requests == 0 {
        return Err("no request was answered".to_owned());
    }
    let requests = done.requests as f64;
    Ok((cpu.as_secs_f64() * 1e6 / requests, requests / done.took.as_secs_f64()))
}
