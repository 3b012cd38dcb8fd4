//! Progress of a build, parsed from the line that Cargo redraws: `    Building [===>   ] 87/214: rustls, hyper`.
//!
//! Cargo's JSON messages do not contain the number of units to build. If Cargo changes the format of the line, it is shown
//! like any other line of the build.

/// Number of units (crates and build scripts) that Cargo has built, of how many, and one that it is building.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BuildProgress {
    pub(crate) done: u32,
    pub(crate) total: u32,
    /// Name of a crate; empty if there is none.
    pub(crate) current: String,
}

impl BuildProgress {
    /// Parses a line of Cargo's; `None` if it is no progress line. Of the crates that are being built, the one in
    /// `previous` is named as long as it is among them, so that the name does not flicker.
    pub(crate) fn parse(line: &str, previous: &Self) -> Option<Self> {
        let (_, rest) = line.trim_start().strip_prefix("Building [")?.split_once("] ")?;
        let (counts, names) = rest.split_once(": ").unwrap_or((rest, ""));
        let (done, total) = counts.trim().split_once('/')?;
        let names = || names.split(", ").map(|name| name.trim().trim_end_matches("..."));
        let is_named = |name: &&str| *name == previous.current;
        let current = names().find(is_named).or_else(|| names().next()).unwrap_or_default();
        Some(Self { done: done.parse().ok()?, total: total.parse().ok()?, current: current.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_lines_of_cargo_are_parsed() {
        let parse = |line: &str, current: &str| {
            let previous = BuildProgress { current: current.to_owned(), ..BuildProgress::default() };
            BuildProgress::parse(line, &previous).map(|found| (found.done, found.total, found.current))
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
