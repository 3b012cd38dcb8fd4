//! The command line, as clap sees it.

mod value;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use zerver_replay::{AnswerEdit, Fault, LiveKind, SlotEdit};
use zerver_trace::{Query, StatusFilter};

use zerver_trace::duration::HumanDuration;

pub(crate) use self::value::{Limit, Target, host_and_port};
use self::value::{assignment, at_least_one, header, latency};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  done, and there is a finding
  2  trouble: it says what failed, why, and what to do";

const DIFF_EXIT_CODES: &str = "\
Exit codes:
  0  the same request, decisions, values and response; time alone does not make them different
  1  different
  2  trouble: it says what failed, why, and what to do; or nothing differs of what could be compared, and
     not everything could be";

const REPLAY_HELP: &str = "\
Examples:
  zerver replay @last                                     the same again, with today's code
  zerver replay @last --set 'Todo.title=\"x\"'              with another value in a slot
  zerver replay @last --edit                              with what an editor makes of the slots
  zerver replay @last --answer 'kv get todo:1=\"Absent\"'   with another answer of an effect
  zerver replay @last --fail 'kv get todo:1=timeout'      without one
  zerver replay @last --latency 'kv get todo:1=250ms'     with a late one
  zerver replay @last --faults                            with all that can go wrong, in turn
  zerver replay @last --set TodoId=2 --live kv            asking for real what is new

An effect is named as `zerver trace` prints it, or by the number of its call: 0, 1, ..
With edits time is virtual: steps and effects take as long as they did, and nothing is waited for.

Exit codes:
  0  the same; with --edit, also when nothing was changed
  1  different; with --faults, one of them makes a step panic, kills the service, is taken for a
     bug of the service by a step, or is ended by nothing but the default deadline
  2  trouble: it says what failed, why, and what to do; or nothing differs of what could be compared, and
     not everything could be (with --all, that is 0)";

const SIMULATE_EXIT_CODES: &str = "\
Exit codes:
  0  simulated
  1  simulated, but what was recorded is not reproduced: do not trust it
  2  trouble: it says what failed, why, and what to do";

/// Run a service of small steps here, and see what its requests did.
#[derive(Debug, Parser)]
#[command(name = "zerver", version, after_help = EXIT_CODES, subcommand_required = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The folder of the store [default: the nearest .zerver upwards]
    #[arg(long, global = true, env = "ZERVER_STORE", hide_env_values = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) store: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// Say only what was asked for, and errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a service here: rebuilt on change, every request recorded
    ///
    /// Says `listening on http://HOST:PORT` when it is ready. The socket stays while the service is replaced, and the last
    /// good build keeps serving while a new one fails. On a terminal it opens the terminal UI; else it prints a line per request; with --json, a document per request.
    #[command(after_help = EXIT_CODES)]
    Dev(Dev),
    /// List recorded requests, the newest first
    #[command(after_help = EXIT_CODES)]
    Ls(Ls),
    /// Show where the time of one request went, what was written, and what failed
    #[command(after_help = EXIT_CODES)]
    Trace(Trace),
    /// Watch requests as they come, and look into them, in a terminal
    ///
    /// `?` lists the keys.
    #[command(after_help = EXIT_CODES)]
    Tui(Tui),
    /// Run one request again, offline, with today's code, and compare everything
    ///
    /// The service is built, and answers from the recording: there is no network, no store, no clock. With --set and the
    /// like it says what changes because of it. Exit code 1 where anything differs.
    ///
    /// With --all, many are run, and findings are grouped by cause: `zerver replay --all` for what is in the store,
    /// `zerver replay --all corpus/` for the portable files in a folder.
    #[command(after_help = REPLAY_HELP)]
    Replay(Box<Replay>),
    /// Compare two requests: why the second took longer, and what differs first
    ///
    /// On a terminal the terminal UI shows it; --no-tui, --json and --all-headers print it.
    ///
    /// Not compared are times, the HTTP version, who connected, and headers that differ by their nature: age, date,
    /// server-timing, traceparent, tracestate, x-request-id, x-response-time.
    #[command(after_help = DIFF_EXIT_CODES)]
    Diff(Diff),
    /// Tell where a request stands among others of its flow, and which fields go with slowness there
    ///
    /// Compared are the newest 500 of its flow. A field that goes with slowness need not cause it.
    #[command(after_help = EXIT_CODES)]
    Why(Why),
    /// Tell what queueing and durations would be with other workers or other limits, from recorded requests
    ///
    /// The recorded arrivals, steps and waits go through the scheduler's own policy in virtual time: first as they were
    /// recorded, which says how far the rest is to be trusted, then with what --set changes.
    #[command(after_help = SIMULATE_EXIT_CODES)]
    Simulate(Simulate),
    /// Show what a running service measures, anew each second: classes, threads, steps, the recorder
    ///
    /// Rates are those of the last second; with --once, with --json and without a terminal, those since the service started.
    /// A service that goes away is waited for. Ctrl-C ends it.
    #[command(after_help = EXIT_CODES)]
    Top(Top),
    /// Show the flows: routes, steps, and the slots they read and write
    #[command(after_help = EXIT_CODES)]
    Catalog(Catalog),
    /// Show what a service is set to, and where each value comes from
    ///
    /// What the program says gives way to zerver.toml, and that to the environment. The service is built and asked, so a
    /// mistake in zerver.toml is named here, too.
    #[command(after_help = EXIT_CODES)]
    Config(Config),
    /// Write one request to a portable file, or as a Rust test, without its secrets
    #[command(after_help = EXIT_CODES)]
    Export(Export),
    /// Read portable files into the store
    #[command(after_help = EXIT_CODES)]
    Import(Import),
    /// Check the health of the store
    #[command(after_help = EXIT_CODES)]
    Doctor(Doctor),
    /// Print what makes a shell complete the arguments of zerver
    Completions(Completions),
}

#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// The folder of the service's package; the store is the .zerver in it, if nothing else is said
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) app: PathBuf,
    /// The address to listen on
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:3000")]
    pub(crate) addr: String,
    #[command(flatten)]
    pub(crate) program: Program,
    /// Do not rebuild and restart on change
    #[arg(long)]
    pub(crate) no_watch: bool,
    /// Print a line per request, also on a terminal
    #[arg(long)]
    pub(crate) no_tui: bool,
    #[command(flatten)]
    pub(crate) look: Look,
    /// Arguments for the service
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<OsString>,
}

/// Which program to run, and how to get it.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Program {
    /// Build with optimisations
    #[arg(long)]
    pub(crate) release: bool,
    /// Which of the package's binaries
    #[arg(long, value_name = "NAME", conflicts_with = "exe")]
    pub(crate) bin: Option<String>,
    /// Run this program; no Cargo
    #[arg(long, value_name = "PATH", value_hint = ValueHint::ExecutablePath, conflicts_with = "release")]
    pub(crate) exe: Option<PathBuf>,
}

/// Which requests, of many.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub(crate) struct Filter {
    /// Only this flow
    #[arg(long, value_name = "SLUG")]
    pub(crate) flow: Option<String>,
    /// Only this status, or class of status: 404, 5xx
    #[arg(long)]
    pub(crate) status: Option<StatusFilter>,
    /// Only what failed: a status of 500 and above, or no answer from a step
    #[arg(long)]
    pub(crate) failed: bool,
    /// Only what took longer, such as 10ms or 1.5s
    #[arg(long, value_name = "DURATION")]
    pub(crate) slower_than: Option<HumanDuration>,
    /// Only what began in the last 5m, 2h, 1d
    #[arg(long, value_name = "DURATION")]
    pub(crate) since: Option<HumanDuration>,
    /// Only what came on connections of this worker: 0, 1, ..
    #[arg(long, value_name = "NUMBER")]
    pub(crate) worker: Option<u16>,
}

/// By so much the clocks of two machines may differ, in nanoseconds.
pub(crate) const CLOCKS_DIFFER_NS: u64 = 60_000_000_000;

impl Filter {
    /// What it asks of a store.
    pub(crate) fn query(&self, now_unix_ns: u64, limit: Option<usize>) -> Query {
        Query {
            flow: self.flow.clone(),
            status: self.status,
            only_failed: self.failed,
            slower_than_ns: self.slower_than.map(|span| span.ns),
            since_unix_ns: self.since.map(|span| now_unix_ns.saturating_sub(span.ns)),
            // What was recorded by a clock that was ahead did not begin in the last minutes.
            until_unix_ns: self.since.map(|_| now_unix_ns.saturating_add(CLOCKS_DIFFER_NS)),
            worker: self.worker,
            limit,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// The address of the service, with or without http:// before it
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:3000")]
    pub(crate) addr: String,
    /// Where it tells its metrics
    #[arg(long, value_name = "PATH", default_value = "/metrics")]
    pub(crate) path: String,
    /// Print it once
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The folder of the service's package
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) app: PathBuf,
    #[command(flatten)]
    pub(crate) program: Program,
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Show at most N requests, or all
    #[arg(long, short = 'n', value_name = "N", default_value = "50")]
    pub(crate) limit: Limit,
}

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Take at most the newest N requests, or all
    #[arg(long, short = 'n', value_name = "N", default_value = "10000", value_parser = at_least_one)]
    pub(crate) limit: Limit,
    /// The machine it was recorded on, where it is not as here with the defaults: workers, cores, batch.workers, ..
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) recorded: Vec<(String, String)>,
    /// What is to be different: workers, batch.workers, CLASS.quantum, CLASS.queue, ..
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) set: Vec<(String, String)>,
}

const ID_HELP: &str = "An id, a unique prefix of one, @last, @slowest or @fastest of those that succeeded, @failed \
                       (each also as @last:FLOW), or a portable file";

#[derive(Debug, Args)]
pub(crate) struct Trace {
    #[arg(help = ID_HELP)]
    pub(crate) id: Target,
}

#[derive(Debug, Args)]
pub(crate) struct Tui {
    /// The request to open first: an id, a unique prefix of one, @last, @slowest, @fastest, @failed, or a portable file
    /// [default: the list]
    pub(crate) id: Option<Target>,
    /// Where the service runs: its scheduler is shown then
    #[arg(long, value_name = "HOST:PORT", value_hint = ValueHint::Other)]
    pub(crate) addr: Option<String>,
    /// The folder of the service's package, for replays [default: the one that the store is in, or this one]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) app: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) program: Program,
    #[command(flatten)]
    pub(crate) look: Look,
}

/// How the terminal UI looks.
#[derive(Debug, Clone, Args)]
pub(crate) struct Look {
    /// The colours of the terminal UI
    #[arg(long, value_name = "THEME", env = "ZERVER_THEME", hide_env_values = true, default_value = "auto")]
    pub(crate) theme: Theme,
    /// Draw the terminal UI in plain ASCII
    #[arg(long)]
    pub(crate) ascii: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Theme {
    /// As the terminal says
    Auto,
    /// For a dark background
    Dark,
    /// For a light background
    Light,
    /// The 16 colours of the terminal
    #[value(name = "16")]
    Sixteen,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[arg(help = ID_HELP, required_unless_present = "all")]
    pub(crate) id: Option<Target>,
    /// The folder of the service's package [default: where the store is, or here]
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) app: Option<PathBuf>,
    /// Run many: these portable files and those in these folders, or else what is in the store
    #[arg(long, value_name = "PATH", num_args = 0.., value_hint = ValueHint::AnyPath, conflicts_with_all = ["id", "app"])]
    pub(crate) all: Option<Vec<PathBuf>>,
    /// The folder of the service's package, with --all
    #[arg(long = "app", id = "package", value_name = "APP", value_hint = ValueHint::DirPath)]
    pub(crate) package: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Run at most the newest N requests of the store
    #[arg(long, short = 'n', value_name = "N", default_value = "all", hide_default_value = true, value_parser = at_least_one)]
    pub(crate) limit: Limit,
    #[command(flatten)]
    pub(crate) program: Program,
    /// Give a slot, or a part of it, another value
    #[arg(long, value_name = "SLOT[.PATH]=JSON")]
    pub(crate) set: Vec<SlotEdit>,
    /// The step that sees it so first [default: the one after the step that writes it]
    #[arg(long, value_name = "STEP")]
    pub(crate) at: Option<String>,
    /// Give the request another header
    #[arg(long, value_name = "NAME=VALUE", value_parser = header)]
    pub(crate) request_header: Vec<(String, String)>,
    /// Give the request another body
    #[arg(long, value_name = "TEXT")]
    pub(crate) request_body: Option<String>,
    /// Give an effect another answer: named as `zerver trace` prints it, or by the number of its call
    #[arg(long, value_name = "EFFECT=JSON")]
    pub(crate) answer: Vec<AnswerEdit>,
    /// Let an effect fail: timeout (it ends when its time is over), unreachable, malformed or error:TEXT
    ///
    /// A name means each effect of this name, also one that was not recorded; a number means one call.
    #[arg(long, value_name = "EFFECT=HOW", value_parser = Fault::failing)]
    pub(crate) fail: Vec<Fault>,
    /// Let an effect take so long; longer than its time limit is a timeout
    #[arg(long, value_name = "EFFECT=DURATION", value_parser = latency)]
    pub(crate) latency: Vec<Fault>,
    /// Let each recorded effect time out, be out of reach, be slow, and give nonsense, one at a time, and tell what
    /// becomes of the request
    #[arg(long, conflicts_with_all = ["set", "at", "answer", "fail", "latency", "live", "edit"])]
    pub(crate) faults: bool,
    /// Perform effects of this kind for real where nothing was recorded; KIND:reads only those that change nothing
    ///
    /// The service opens what it opens to serve. Each effect is named on the standard error before it is performed.
    /// Without this word nothing can be. Reads are what the kind says is safe: GET and HEAD of http, get and list of kv;
    /// others are refused, and the replay ends there.
    #[arg(long, value_name = "KIND[:reads]")]
    pub(crate) live: Vec<LiveKind>,
    /// Change slots in $VISUAL or $EDITOR: what was changed is set
    #[arg(long)]
    pub(crate) edit: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[arg(help = ID_HELP, required_unless_present = "slow")]
    pub(crate) a: Option<Target>,
    /// The other one; it is said how much longer it took
    #[arg(required_unless_present = "slow")]
    pub(crate) b: Option<Target>,
    /// Compare a typical fast request of this flow with a typical slow one: the median of all but the slowest tenth
    /// with the median of that tenth, of the newest 1000 that did not fail
    #[arg(long, value_name = "FLOW", conflicts_with_all = ["a", "b"])]
    pub(crate) slow: Option<String>,
    /// Compare all headers, and print
    #[arg(long)]
    pub(crate) all_headers: bool,
    /// Print, also on a terminal
    #[arg(long)]
    pub(crate) no_tui: bool,
    #[command(flatten)]
    pub(crate) look: Look,
}

#[derive(Debug, Args)]
pub(crate) struct Why {
    #[arg(help = ID_HELP)]
    pub(crate) id: Target,
}

#[derive(Debug, Args)]
pub(crate) struct Catalog {
    /// The folder of a service's package, to be built and asked [default: ask the store]
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) app: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) program: Program,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[arg(help = ID_HELP)]
    pub(crate) id: Target,
    /// The file to write, or - for standard output [default: a file named by the id, or standard output with --test]
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Write a Rust test instead: the request, the answers of its effects, and what came of it
    #[arg(long)]
    pub(crate) test: bool,
    /// The outcome the test asserts: the recorded one, or success for a request that failed
    #[arg(long, requires = "test", value_name = "WHAT", default_value = "recorded")]
    pub(crate) expect: Expect,
    /// Write secrets into the test, as the key beside the store opens them
    #[arg(long, requires = "test")]
    pub(crate) with_secrets: bool,
    /// Overwrite the file if it exists
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Expect {
    /// All that was recorded: decisions, slots, headers and the body
    Recorded,
    /// Success, whatever the answer is: the test fails until the fault is fixed
    Fixed,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The files
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Mend what can be mended
    #[arg(long)]
    pub(crate) repair: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::CommandFactory;
    use zerver_trace::TraceSelector;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_every_command_understands_stands_anywhere() {
        for line in ["zerver --json --store /s ls", "zerver ls --json --store /s"] {
            let cli = parse(line).unwrap();
            assert!(cli.global.json, "{line}");
            assert_eq!(cli.global.store.as_deref(), Some(Path::new("/s")));
        }
        assert!(parse("zerver -q -v ls").is_err());
        assert!(parse("zerver").is_err());
    }

    #[test]
    fn dev_hands_on_what_follows_two_hyphens() {
        let Command::Dev(dev) =
            parse("zerver dev examples/todos --addr [::1]:0 --release -- --seed 7").unwrap().command
        else {
            panic!("not dev");
        };
        assert_eq!(dev.app, Path::new("examples/todos"));
        assert_eq!((dev.addr.as_str(), dev.program.release), ("[::1]:0", true));
        assert_eq!(dev.args, ["--seed", "7"]);
        assert!(parse("zerver dev --exe /bin/app --release").is_err());
    }

    #[test]
    fn filters_are_checked_while_parsing() {
        let Command::Ls(ls) = parse(
            "zerver ls --flow todos --status 5xx --failed --slower-than 1.5ms --since 1h30m --worker 1 -n 3",
        )
        .unwrap()
        .command
        else {
            panic!("not ls");
        };
        let wanted = Query {
            flow: Some("todos".into()),
            status: Some(StatusFilter::Class(5)),
            only_failed: true,
            slower_than_ns: Some(1_500_000),
            since_unix_ns: Some(600_000_000_000),
            until_unix_ns: Some(6_060_000_000_000),
            worker: Some(1),
            limit: Some(3),
        };
        assert_eq!((ls.limit, ls.filter.query(6_000_000_000_000, Some(3))), (Limit(Some(3)), wanted));
        for wrong in
            ["--status 99", "--status 6xx", "--slower-than 10", "--since -5m", "--worker -1", "-n x", "-n -1"]
        {
            assert!(parse(&format!("zerver ls {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_limit_is_a_number_or_all() {
        let limit = |text: &str| match parse(&format!("zerver ls -n {text}")).unwrap().command {
            Command::Ls(ls) => ls.limit,
            _ => panic!("not ls"),
        };
        assert_eq!((limit("0"), limit("all")), (Limit(Some(0)), Limit(None)));
        for line in ["zerver simulate -n 0", "zerver replay --all -n 0"] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("zerver simulate -n all").is_ok());
    }

    #[test]
    fn a_replay_takes_one_or_all() {
        let replay = |line: &str| match parse(line).unwrap().command {
            Command::Replay(replay) => *replay,
            _ => panic!("not replay"),
        };
        assert_eq!(replay("zerver replay --all").all, Some(vec![]));
        let all = replay("zerver replay --all corpus/ a.zrv --app examples/todos --flow todos -n 3");
        assert_eq!(all.all, Some(vec!["corpus/".into(), "a.zrv".into()]));
        assert_eq!(
            (all.limit, all.package, all.filter.flow),
            (Limit(Some(3)), Some("examples/todos".into()), Some("todos".into()))
        );
        assert_eq!(replay("zerver replay @last examples/todos").app, Some("examples/todos".into()));
        for wrong in ["", " @last --all"] {
            assert!(parse(&format!("zerver replay{wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_diff_takes_two_requests_or_a_flow() {
        assert!(parse("zerver diff @fastest @slowest").is_ok() && parse("zerver diff --slow todos").is_ok());
        for wrong in ["", " @last", " @last --slow todos", " @last @last --slow todos"] {
            assert!(parse(&format!("zerver diff{wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_trace_is_named_by_id_word_or_file() {
        assert_eq!(
            "@slowest:todos".parse(),
            Ok(Target::Stored(TraceSelector::Slowest(Some("todos".into()))))
        );
        assert_eq!("019aa4c2".parse(), Ok(Target::Stored(TraceSelector::Id("019aa4c2".parse().unwrap()))));
        assert_eq!("019aa4c2.zrv".parse(), Ok(Target::File("019aa4c2.zrv".into())));
        assert_eq!("./a".parse(), Ok(Target::File("./a".into())));
        assert!("@nothing".parse::<Target>().unwrap_err().contains("@slowest"));
        assert!("todo".parse::<Target>().unwrap_err().contains("no request id"));
    }
}
