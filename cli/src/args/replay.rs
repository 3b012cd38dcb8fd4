//! Arguments of `zerver replay`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use zerver_replay::{AnswerEdit, Fault, LiveKind, SlotEdit};

use super::requests::ID_HELP;
use super::value::{at_least_one, header, latency};
use super::{Debugger, Filter, Limit, Program, TraceRef};
use crate::candidates::{query_words, requests};
use crate::error::CommandError;

#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[arg(help = ID_HELP, required_unless_present = "all", add = ArgValueCompleter::new(requests))]
    pub(crate) id: Option<TraceRef>,
    /// Folder of the service's package [default: the package that holds or recorded the store, or this folder]
    #[arg(id = "APP", value_hint = ValueHint::DirPath, conflicts_with = "app")]
    pub(super) app_argument: Option<PathBuf>,
    /// Same as APP
    #[arg(long = "app", id = "app", value_name = "APP", value_hint = ValueHint::DirPath)]
    pub(super) app_option: Option<PathBuf>,
    /// Replay many requests: those in the store, or in these portable files and folders, that match the query
    ///
    /// A word that is the path of a file or folder names portable files; others are the terms of a query.
    #[arg(long, value_name = "PATH|QUERY", num_args = 0.., conflicts_with = "APP", add = ArgValueCompleter::new(query_words))]
    pub(crate) all: Option<Vec<OsString>>,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Replay at most the newest N requests in the store
    #[arg(long, short = 'n', value_name = "N", default_value = "all", hide_default_value = true, value_parser = at_least_one)]
    pub(crate) limit: Limit,
    #[command(flatten)]
    pub(crate) program: Program,
    /// Replace the value of a slot, or a part of it
    #[arg(long, value_name = "SLOT[.PATH]=JSON")]
    pub(crate) set: Vec<SlotEdit>,
    /// The first step to see the new value [default: the step after the one that writes the slot]
    #[arg(long, value_name = "STEP")]
    pub(crate) at: Option<String>,
    /// Replace or add a header of the request
    #[arg(long, value_name = "NAME=VALUE", value_parser = header)]
    pub(crate) request_header: Vec<(String, String)>,
    /// Replace the body of the request
    #[arg(long, value_name = "TEXT")]
    pub(crate) request_body: Option<String>,
    /// Replace the result of an effect
    #[arg(long, value_name = "EFFECT=JSON")]
    pub(crate) answer: Vec<AnswerEdit>,
    /// Make an effect fail: timeout (when its time limit ends), unreachable, malformed or error:TEXT
    ///
    /// A name selects every effect of this name, including new ones; a number selects one call.
    #[arg(long, value_name = "EFFECT=FAILURE", value_parser = Fault::failing)]
    pub(crate) fail: Vec<Fault>,
    /// Make an effect take this long; beyond its time limit it times out
    #[arg(long, value_name = "EFFECT=DURATION", value_parser = latency)]
    pub(crate) latency: Vec<Fault>,
    /// Answer the repeated runs of an SQL statement in a step together, to try what a single statement would save
    ///
    /// `zerver trace` names such statements. The first run takes as long as the longest, and the others take no time.
    #[arg(long, conflicts_with_all = ["all", "faults"])]
    pub(crate) batched: bool,
    /// Inject every fault into every recorded effect, one at a time, and show how the request ends: timeout,
    /// unreachable, slow, malformed; with --all, those of all requests, grouped
    #[arg(long, conflicts_with_all = ["set", "at", "answer", "fail", "latency", "live", "edit"])]
    pub(crate) faults: bool,
    /// Perform effects of this kind for real if they were not recorded; KIND:reads limits it to those that change
    /// nothing
    ///
    /// The service opens the connections it needs to serve. Each effect is printed to standard error before it is
    /// performed. Without this option, no effect is. Reads are GET and HEAD of http, and get and list of kv; the replay
    /// ends at any other effect.
    #[arg(long, value_name = "KIND[:reads]")]
    pub(crate) live: Vec<LiveKind>,
    /// Write the report as an HTML file, or to standard output with -; an existing file is replaced
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "all", conflicts_with = "faults")]
    pub(crate) html: Option<PathBuf>,
    /// Run the service in a native debugger, which stops in the steps of the request with their recorded inputs
    ///
    /// gdb, lldb, rust-gdb and rust-lldb, with or without arguments, get a breakpoint at each step and start at once. Any
    /// other command gets the program as its last argument. With `attach`, the program waits, so that the debugger of an
    /// editor can attach to it. No time limit applies.
    #[arg(long, value_name = "COMMAND|attach", conflicts_with_all = ["all", "faults"])]
    pub(crate) debugger: Option<Debugger>,
    /// Edit the slots in $VISUAL or $EDITOR
    #[arg(long)]
    pub(crate) edit: bool,
}

/// Requests that the arguments select.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Selection<'a> {
    One(&'a TraceRef),
    Many(CorpusSelection),
}

/// Many requests.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CorpusSelection {
    /// Files and folders that hold them; the store if there are none.
    pub(crate) paths: Vec<PathBuf>,
    /// Words of the query that selects them.
    pub(crate) words: Vec<String>,
}

impl CorpusSelection {
    fn new(words: &[OsString]) -> Self {
        let mut selection = Self::default();
        for word in words {
            match word.to_str() {
                Some(text) if !is_path(text) => selection.words.push(text.to_owned()),
                _ => selection.paths.push(word.into()),
            }
        }
        selection
    }
}

/// Returns true if a word is the path of portable files, or looks like one.
fn is_path(word: &str) -> bool {
    let has_operator = word.contains([':', '~', '=', '<', '>']);
    let looks_like_path = word.ends_with(".zrv") || word.contains('/');
    looks_like_path && !has_operator || Path::new(word).exists()
}

impl Replay {
    /// Returns the selected requests, and the folder of the service's package if there is one.
    ///
    /// # Errors
    /// If `--all` comes with an id.
    pub(crate) fn selection(&self) -> Result<(Selection<'_>, Option<&Path>), CommandError> {
        let app = self.app_option.as_deref().or(self.app_argument.as_deref());
        match (&self.all, &self.id) {
            (None, Some(id)) => Ok((Selection::One(id), app)),
            // There is no id with --all, so the only argument is APP.
            (Some(words), Some(TraceRef::File(folder))) if app.is_none() => {
                Ok((Selection::Many(CorpusSelection::new(words)), Some(folder)))
            }
            (Some(_), Some(_)) => Err(CommandError::new("--all replays many requests, and an id only one")
                .with_hint("leave one of them out")),
            (words, None) => {
                Ok((Selection::Many(CorpusSelection::new(words.as_deref().unwrap_or_default())), app))
            }
        }
    }
}
