//! instructions: what `light` compares, without its noise: each server runs under valgrind, which counts instructions. It
//! is asked a few times and many times, so that what is not done for a request falls out. The kernel is not counted.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::variant::{Started, Variant};
use crate::{Plan, load, process, say};

/// It is asked for by this, and is no part of `all`: not every machine has valgrind.
pub(crate) const NAME: &str = "instructions";

/// So few that nobody waits: under valgrind a worker is slow, would be behind with more, and would give turns.
const CONNECTIONS: usize = 2;

/// What only the thread runs that answers requests.
const SERVES: &str = "hyper::proto::h1::role::Server";

/// How many instructions the threads of a server took.
#[derive(Default, Clone, Copy)]
struct Count {
    serving: u64,
    others: u64,
}

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Err("valgrind, which counts the instructions, is not installed or not in PATH; install it, \
                    such as with `apt-get install valgrind`"
            .to_owned());
    }
    process::stay_on(1);
    let (many, few) = (plan.many as u64, plan.many as u64 / 5);
    let mut each = Vec::new();
    for variant in Variant::ALL {
        let text = |error| format!("{}: {error}", variant.name());
        let (few, few_requests) = count(variant, few).map_err(text)?;
        let (many, requests) = count(variant, many).map_err(text)?;
        let per_request =
            |few: u64, many: u64| (many as f64 - few as f64) / (requests as f64 - few_requests as f64);
        each.push([per_request(few.serving, many.serving), per_request(few.others, many.others)]);
    }
    let all = |variant: Variant| each[variant as usize].iter().sum::<f64>();
    say(&format!(
        "GET /v1/todos/7, {CONNECTIONS} connections, {many} requests less {few}, without the kernel"
    ));
    say(
        "| server | instructions/request | of axum | of axum with OTLP | on the thread that answers | on others |",
    );
    say("|---|---|---|---|---|---|");
    for (variant, [serving, others]) in std::iter::zip(Variant::ALL, &each) {
        let own = all(variant);
        say(&format!(
            "| {} | {own:.0} | {:.2} | {:.2} | {serving:.0} | {others:.0} |",
            variant.name(),
            own / all(Variant::Axum),
            own / all(Variant::AxumOtlp),
        ));
    }
    Ok(())
}

/// The instructions of a server, from its start to its end, that answers so many requests; and how many those are.
fn count(variant: Variant, requests: u64) -> Result<(Count, u64), String> {
    let text = |error: std::io::Error| error.to_string();
    let folder = std::env::temp_dir().join(format!("zerver-bench-{}-callgrind", std::process::id()));
    fs::create_dir_all(&folder).map_err(text)?;
    let mut command = Command::new("valgrind");
    command.args(["-q", "--tool=callgrind", "--separate-threads=yes"]);
    command.arg(format!("--callgrind-out-file={}", folder.join("out").display()));
    command.arg(process::program()?);
    let counted = Started::new(variant, command).and_then(|started| {
        let done = load::count(started.server.addr(), CONNECTIONS, requests / CONNECTIONS as u64);
        let done = done.map_err(text)?.requests;
        started.stop(done)?;
        Ok((read(&folder).map_err(text)?, done))
    });
    let _ = fs::remove_dir_all(&folder);
    counted
}

/// Each thread has a file of its own, with its sum and the names of its functions.
fn read(folder: &Path) -> std::io::Result<Count> {
    let mut count = Count::default();
    for file in fs::read_dir(folder)? {
        let text = fs::read_to_string(file?.path())?;
        let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
        let total = total.and_then(|total| total.trim().parse().ok()).unwrap_or(0);
        match text.contains(SERVES) {
            true => count.serving += total,
            false => count.others += total,
        }
    }
    Ok(count)
}
