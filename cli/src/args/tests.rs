//! Command lines that parse, and those that do not.

use std::path::Path;

use clap::CommandFactory;
use zerver_trace::{Query, StatusFilter, TraceSelector};

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn global_options_may_stand_anywhere() {
    for line in ["zerver --json --store /s ls", "zerver ls --json --store /s"] {
        let cli = parse(line).unwrap();
        assert!(cli.global.json, "{line}");
        assert_eq!(cli.global.store.as_deref(), Some(Path::new("/s")));
    }
    assert!(parse("zerver -q -v ls").is_err());
    assert!(parse("zerver").is_err());
}

#[test]
fn dev_passes_arguments_after_two_hyphens_to_the_service() {
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
        "zerver ls --flow todos --status 5xx --failed --slower-than 1.5ms --since 1970-01-01T00:10:00Z --worker 1 -n 3",
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
        in_progress_unix_ns: None,
        worker: Some(1),
        slots: Vec::new(),
        limit: Some(3),
    };
    assert_eq!((ls.limit, ls.requests.filter.query(6_000_000_000_000, Some(3))), (Limit(Some(3)), wanted));
    let Command::Ls(ls) = parse("zerver ls --since 10m --until 1970-01-01T02:00:00+01:00").unwrap().command
    else {
        panic!("not ls");
    };
    let query = ls.requests.filter.query(0, None);
    assert!(query.since_unix_ns.is_some() && query.until_unix_ns == Some(3_600_000_000_000), "{query:?}");
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
fn a_replay_takes_one_request_or_all() {
    let replay = |line: &str| match parse(line).unwrap().command {
        Command::Replay(replay) => *replay,
        _ => panic!("not replay"),
    };
    assert_eq!(replay("zerver replay --all").all, Some(vec![]));
    let all =
        replay("zerver replay --all corpus/ a.zrv path:/v1 milk --app examples/todos --flow todos -n 3");
    let selected = CorpusSelection {
        paths: vec!["corpus/".into(), "a.zrv".into()],
        words: vec!["path:/v1".to_owned(), "milk".to_owned()],
    };
    assert_eq!(all.selection().unwrap().0, Selection::Many(selected));
    assert_eq!(
        (all.limit, all.selection().unwrap().1, all.filter.flow.as_deref()),
        (Limit(Some(3)), Some(Path::new("examples/todos")), Some("todos"))
    );
    for wrong in ["", " @last a --all", " @last a --app a"] {
        assert!(parse(&format!("zerver replay{wrong}")).is_err(), "{wrong}");
    }
    for wrong in [" @last --all", " ./a --app ./b --all"] {
        assert!(replay(&format!("zerver replay{wrong}")).selection().is_err(), "{wrong}");
    }
}

#[test]
fn the_app_argument_and_option_mean_the_same_for_one_request_and_for_all() {
    for line in [
        "zerver replay @last ./todos",
        "zerver replay @last --app ./todos",
        "zerver replay ./todos --all",
        "zerver replay --app ./todos --all",
    ] {
        let Command::Replay(replay) = parse(line).unwrap().command else { panic!("not replay") };
        let (selection, app) = replay.selection().unwrap();
        assert_eq!(app, Some(Path::new("./todos")), "{line}");
        assert_eq!(selection == Selection::Many(CorpusSelection::default()), replay.all.is_some(), "{line}");
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
fn a_trace_is_named_by_id_keyword_or_file() {
    assert_eq!("@slowest:todos".parse(), Ok(TraceRef::Stored(TraceSelector::Slowest(Some("todos".into())))));
    assert_eq!("019aa4c2".parse(), Ok(TraceRef::Stored(TraceSelector::Id("019aa4c2".parse().unwrap()))));
    assert_eq!("019aa4c2.zrv".parse(), Ok(TraceRef::File("019aa4c2.zrv".into())));
    assert_eq!("./a".parse(), Ok(TraceRef::File("./a".into())));
    assert!("@nothing".parse::<TraceRef>().unwrap_err().contains("@slowest"));
    assert!("todo".parse::<TraceRef>().unwrap_err().contains("not a request id"));
}

#[test]
fn an_export_takes_one_request_and_in_other_formats_several_or_a_query() {
    let export = |line: &str| match parse(line).unwrap().command {
        Command::Export(export) => *export,
        _ => panic!("not export"),
    };
    assert!(export("zerver export @last").one_request().is_ok());
    for wrong in ["", " @last @failed", " @last --flow todos", " flow:todos"] {
        assert!(export(&format!("zerver export{wrong}")).one_request().is_err(), "{wrong}");
    }
    let several = export("zerver export @last a.zrv --otlp -").selection().unwrap();
    assert!(matches!(several, Ok(named) if named.len() == 2));
    for query in ["flow:todos since:10m", "@last is:failed", "--flow todos", "--since 5m took>1ms"] {
        let selection = export(&format!("zerver export {query} --chrome -")).selection().unwrap();
        assert!(selection.is_err(), "{query} is a query");
    }
    assert!(export("zerver export --har -").selection().is_err());
    for wrong in [
        "--otlp - --har -",
        "--test --chrome -",
        "--slots",
        "--otlp - --output x",
        "--otlp - --otlp-format xml",
    ] {
        assert!(parse(&format!("zerver export @last {wrong}")).is_err(), "{wrong}");
    }
}
