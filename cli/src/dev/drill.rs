//! A drill: the faults that the service injects into its effects, as variables of its environment.

use std::ffi::OsString;

use crate::args::Dev;
use crate::clock::now_unix_ns;

/// Returns the settings of the drill that the arguments name; none if they name no drill.
pub(super) fn variables(args: &Dev) -> Vec<(&'static str, OsString)> {
    let rules: Vec<&str> = args.chaos.iter().map(|rule| rule.as_str()).collect();
    let mut variables = Vec::new();
    let mut seed = args.chaos_seed;
    if !rules.is_empty() {
        variables.push(("ZERVER_CHAOS_RULES", rules.join("\n").into()));
        // Chosen once, so that a service that is built again gets the same faults. It only has to differ between drills.
        seed = seed.or_else(|| Some(now_unix_ns() / 1_000 % (1 << 32)));
    }
    variables.extend(seed.map(|seed| ("ZERVER_CHAOS_SEED", seed.to_string().into())));
    variables
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        dev: Dev,
    }

    fn variables_of(args: &[&str]) -> Vec<(&'static str, String)> {
        let command = Command::try_parse_from(["dev"].iter().chain(args)).unwrap();
        let text = |(name, value): (_, OsString)| (name, value.into_string().unwrap());
        variables(&command.dev).into_iter().map(text).collect()
    }

    #[test]
    fn rules_get_a_seed_unless_there_is_one() {
        assert_eq!(variables_of(&[]), []);
        let rules = ["--chaos", "http GET a, b..=timeout:10%", "--chaos", "kv=latency:1ms:100%"];
        let drill = variables_of(&rules);
        let text = "http GET a, b..=timeout:10%\nkv=latency:1ms:100%".to_owned();
        assert_eq!(drill[0], ("ZERVER_CHAOS_RULES", text.clone()));
        assert!(drill[1].0 == "ZERVER_CHAOS_SEED" && drill[1].1.parse::<u32>().is_ok(), "{drill:?}");
        let seed = ("ZERVER_CHAOS_SEED", "7".to_owned());
        assert_eq!(
            variables_of(&[&rules[..], &["--chaos-seed", "7"]].concat()),
            [("ZERVER_CHAOS_RULES", text), seed.clone()]
        );
        // For the rules in zerver.toml.
        assert_eq!(variables_of(&["--chaos-seed", "7"]), [seed]);
    }

    #[test]
    fn an_invalid_rule_is_reported_with_its_position() {
        let error = Command::try_parse_from(["dev", "--chaos", "http=timout:1%"]).unwrap_err().to_string();
        assert!(error.contains("character 6: unknown fault timout; did you mean timeout?"), "{error}");
    }
}
