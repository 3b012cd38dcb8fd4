//! instructions: the servers of `light` without noise. Each runs under valgrind, which counts instructions, once with few
//! and once with many requests, so that the difference contains requests only. The kernel is not counted.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::load::closed_loop;
use crate::load::traffic::{Requests, Traffic};
use crate::plan::Plan;
use crate::report::print_line;
use crate::servers::process;
use crate::servers::variant::{Started, Variant};

/// Name of the table, which is not part of `all`: not every machine has valgrind.
pub(crate) const NAME: &str = "instructions";

/// Number of connections at which no request waits. A worker under valgrind is slow, and would fall behind with more.
const CONNECTIONS: usize = 2;

/// A function that only the serving thread runs.
const SERVES: &str = "hyper::proto::h1::role::Server";

/// Instructions of the threads of a server.
#[derive(Default, Clone, Copy)]
struct Count {
    serving: u64,
    others: u64,
}

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Err("cannot run valgrind, which counts the instructions; install it, for example with \
                    `apt-get install valgrind`"
            .to_owned());
    }
    process::pin_to(1);
    let (many, few) = (plan.count as u64, plan.count as u64 / 5);
    let mut each = Vec::new();
    let rows: Vec<_> = rows().filter(|row| plan.includes(&name(*row))).collect();
    for &(traffic, variant) in &rows {
        let text = |error| format!("{}: {error}", name((traffic, variant)));
        let (few, few_requests) = count(variant, traffic, few).map_err(text)?;
        let (many, requests) = count(variant, traffic, many).map_err(text)?;
        let per_request =
            |few: u64, many: u64| (many as f64 - few as f64) / (requests as f64 - few_requests as f64);
        each.push([per_request(few.serving, many.serving), per_request(few.others, many.others)]);
    }
    let of = |row: usize, variant: Variant| {
        let other = rows.iter().position(|other| *other == (rows[row].0, variant))?;
        Some(each[row].iter().sum::<f64>() / each[other].iter().sum::<f64>())
    };
    let ratio = |ratio: Option<f64>| ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
    print_line(&format!(
        "GET /v1/todos/{{id}}, {CONNECTIONS} connections, {many} requests minus {few}, without the kernel"
    ));
    print_line(
        "| server | instructions/request | of axum | of axum with OTLP | on the serving thread | on other threads |",
    );
    print_line("|---|---|---|---|---|---|");
    for (row, [serving, others]) in each.iter().enumerate() {
        print_line(&format!(
            "| {} | {:.0} | {} | {} | {serving:.0} | {others:.0} |",
            name(rows[row]),
            serving + others,
            ratio(of(row, Variant::Axum)),
            ratio(of(row, Variant::AxumOtlp)),
        ));
    }
    Ok(())
}

fn name((traffic, variant): (Traffic, Variant)) -> String {
    format!("{}{}", variant.name(), traffic.suffix())
}

/// Returns the rows in the order of the table.
fn rows() -> impl Iterator<Item = (Traffic, Variant)> {
    let traffics = [Traffic::Sessions, Traffic::Unique, Traffic::Identical];
    let each = traffics.into_iter().flat_map(|traffic| Variant::ALL.map(|variant| (traffic, variant)));
    each.filter(|(traffic, variant)| variant.takes(*traffic))
}

/// Counts the instructions of a server from start to end; returns them with the number of requests it answered.
fn count(variant: Variant, traffic: Traffic, requests: u64) -> Result<(Count, u64), String> {
    let text = |error: std::io::Error| error.to_string();
    let folder = std::env::temp_dir().join(format!("zerver-bench-{}-callgrind", std::process::id()));
    fs::create_dir_all(&folder).map_err(text)?;
    let mut command = Command::new("valgrind");
    command.args(["-q", "--tool=callgrind", "--separate-threads=yes"]);
    command.arg(format!("--callgrind-out-file={}", folder.join("out").display()));
    command.arg(process::program()?);
    let counted = Started::new(variant, command).and_then(|started| {
        let (addr, each) = (started.server.addr(), requests / CONNECTIONS as u64);
        let done = closed_loop::count(addr, &Requests::new(traffic), CONNECTIONS, each);
        let done = done.map_err(text)?.requests;
        started.stop(done)?;
        Ok((read(&folder).map_err(text)?, done))
    });
    let _ = fs::remove_dir_all(&folder);
    counted
}

/// Adds up the files of callgrind: one per thread, with its total and the names of its functions.
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
