//! Progress of a build, parsed from the line that Cargo redraws: `    Building [===>   ] 87/214: rustls, hyper`.
//!
//! Cargo's JSON messages do not contain the number of units to build. If Cargo changes the format of the line, it is shown
//! like any other line of the build.

use zerver_tui::BuildProgress;

/// Parses a line of Cargo's; `None` if it is no progress line. Of the crates that are being built, `previous` is named as
/// long as it is among them, so that the name does not flicker.
pub(crate) fn parse_progress(line: &str, previous: &str) -> Option<BuildProgress> {
    let (_, rest) = line.trim_start().strip_prefix("Building [")?.split_once("] ")?;
    let (counts, names) = rest.split_once(": ").unwrap_or((rest, ""));
    let (done, total) = counts.trim().split_once('/')?;
    let names = || names.split(", ").map(|name| name.trim().trim_end_matches("..."));
    let current = names().find(|name| *name == previous).or_else(|| names().next()).unwrap_or_default();
    Some(BuildProgress { done: done.parse().ok()?, total: total.parse().ok()?, current: current.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_lines_of_cargo_are_parsed() {
        let parse = |line: &str, current: &str| {
            parse_progress(line, current).map(|found| (found.done, found.total, found.current))
        };
        let wanted = |done, total, current: &str| Some((done, total, current.to_owned()));
        let line = "    Building [======>                      ] 87/214: rustls, ring(build.rs)   ";
        assert_eq!(parse(line, ""), wanted(87, 214, "rustls"));
        assert_eq!(parse(line, "ring(build.rs)"), wanted(87, 214, "ring(build.rs)"));
        assert_eq!(parse("    Building [> ] 0/5: ", "x"), wanted(0, 5, ""));
        assert_eq!(parse("    Building [=] 5/5", "x"), wanted(5, 5, ""));
        for other in
            ["   Compiling rustls v0.23", "", "Building [", "Building [=] a/b: c", "warning: Building"]
        {
            assert_eq!(parse(other, ""), None, "{other}");
        }
    }
}
