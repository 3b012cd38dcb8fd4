//! The command line, as clap sees it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use zerver_replay::SlotEdit;
use zerver_trace::{Find, Status};

use zerver_trace::duration::Span;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  done, and there is a finding
  2  trouble: it says what failed, why, and what to do";

const DIFF_EXIT_CODES: &str = "\
Exit codes:
  0  the same request, decisions, values and response; time alone does not make them different
  1  different
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
    #[command(after_help = EXIT_CODES)]
    Replay(Replay),
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
    /// Show the flows: routes, steps, and the slots they read and write
    #[command(after_help = EXIT_CODES)]
    Catalog(Catalog),
    /// Write one request to a portable file, without its secrets
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

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Only this flow
    #[arg(long, value_name = "SLUG")]
    pub(crate) flow: Option<String>,
    /// Only this status, or class of status: 404, 5xx
    #[arg(long)]
    pub(crate) status: Option<Status>,
    /// Only what failed: a status of 500 and above, or no answer from a step
    #[arg(long)]
    pub(crate) failed: bool,
    /// Only what took longer, such as 10ms or 1.5s
    #[arg(long, value_name = "DURATION")]
    pub(crate) slower_than: Option<Span>,
    /// Only what began in the last 5m, 2h, 1d
    #[arg(long, value_name = "DURATION")]
    pub(crate) since: Option<Span>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,
}

const ID_HELP: &str = "An id, a unique prefix of one, @last, @slowest, @fastest or @failed (also as @last:FLOW), \
                       or a portable file";

#[derive(Debug, Args)]
pub(crate) struct Trace {
    #[arg(help = ID_HELP)]
    pub(crate) id: Target,
}

#[derive(Debug, Args)]
pub(crate) struct Tui {
    /// The request to open first: an id, a unique prefix of one, @last, @slowest, @fastest or @failed [default: the list]
    pub(crate) id: Option<Find>,
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
    #[arg(help = ID_HELP)]
    pub(crate) id: Target,
    /// The folder of the service's package [default: where the store is, or here]
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) app: Option<PathBuf>,
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
    pub(crate) answer: Vec<String>,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.trim().to_lowercase(), value.trim().to_owned()))
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
    /// Where to write it; - is the standard output [default: the id and .zrv, here]
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite the file if it exists
    #[arg(long)]
    pub(crate) force: bool,
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

/// Which trace is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// One in the store.
    Stored(Find),
    /// A portable file.
    File(PathBuf),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = Path::new(text);
        if text.contains(std::path::MAIN_SEPARATOR) || path.extension().is_some_and(|ext| ext == "zrv") {
            return Ok(Self::File(path.to_owned()));
        }
        match text.parse() {
            Ok(find) => Ok(Self::Stored(find)),
            Err(_) if path.is_file() => Ok(Self::File(path.to_owned())),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

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
        let Command::Ls(ls) =
            parse("zerver ls --flow todos --status 5xx --failed --slower-than 1.5ms --since 1h30m -n 3")
                .unwrap()
                .command
        else {
            panic!("not ls");
        };
        assert_eq!(ls.status, Some(Status::Class(5)));
        assert_eq!(ls.slower_than, Some(Span { ns: 1_500_000 }));
        assert_eq!(ls.since, Some(Span { ns: 5_400_000_000_000 }));
        assert_eq!((ls.limit, ls.failed, ls.flow.as_deref()), (3, true, Some("todos")));
        for wrong in ["--status 99", "--status 6xx", "--slower-than 10", "--since -5m", "--limit x"] {
            assert!(parse(&format!("zerver ls {wrong}")).is_err(), "{wrong}");
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
        assert_eq!("@slowest:todos".parse(), Ok(Target::Stored(Find::Slowest(Some("todos".into())))));
        assert_eq!("019aa4c2".parse(), Ok(Target::Stored(Find::Id("019aa4c2".parse().unwrap()))));
        assert_eq!("019aa4c2.zrv".parse(), Ok(Target::File("019aa4c2.zrv".into())));
        assert_eq!("./a".parse(), Ok(Target::File("./a".into())));
        assert!("@nothing".parse::<Target>().unwrap_err().contains("@slowest"));
        assert!("todo".parse::<Target>().unwrap_err().contains("no request id"));
    }
}
