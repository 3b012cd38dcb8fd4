//! The documentation is complete, its links resolve, and what it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Place, programs, root};

/// Files below a folder of the repository, without build products and recordings.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if matches!(name, "target" | "node_modules" | ".git" | "fixtures" | "corpus" | ".zerver") {
                continue;
            }
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let is_page = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    files(folder).into_iter().filter(is_page).collect()
}

/// The text of a page without its code blocks.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_fence && !is_code
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The code blocks of a page in this language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let begin = format!("```{language}\n");
    text.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The targets of links in Markdown: `](target)`.
fn links(text: &str) -> Vec<String> {
    prose(text).split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

/// The anchors of a page: its headings, as GitHub and mdBook name them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text);
    let headings = headings
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    let anchor = |heading: &str| {
        let kept = heading.to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn the_page_about_policies_has_the_results_of_the_simulator() {
    let table = root().join("runtime/engine/src/simulate/tests/brown_out.txt");
    let page = fs::read_to_string(root().join("docs/reference/policies.md")).unwrap();
    let table = fs::read_to_string(table).unwrap();
    assert!(page.contains(&table), "docs/reference/policies.md should contain:\n{table}");
}

#[test]
fn every_page_is_in_the_summary() {
    let docs = root().join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let listed: BTreeSet<_> = links(&summary).into_iter().map(|link| docs.join(link)).collect();
    let present: BTreeSet<_> =
        pages(&docs).into_iter().filter(|page| !page.ends_with("SUMMARY.md")).collect();
    let missing: Vec<_> = present.difference(&listed).collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md: {missing:?}");
}

#[test]
fn every_relative_link_resolves() {
    let mut broken = Vec::new();
    for page in pages(&root()) {
        let text = fs::read_to_string(&page).unwrap();
        let folder = page.parent().unwrap();
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(path, anchor)| (path, Some(anchor)));
            let target = if path.is_empty() { page.clone() } else { folder.join(path) };
            let resolves = match anchor {
                None => target.exists(),
                Some(anchor) => fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(anchor)),
            };
            if !resolves {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
        for include in text.split("{{#include ").skip(1).filter_map(|rest| rest.split("}}").next()) {
            if !folder.join(include).is_file() {
                broken.push(format!("{} includes {include}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Comments in the code refer to pages by their paths: `docs/..`.
#[test]
fn every_page_that_a_file_refers_to_exists() {
    let mut broken = Vec::new();
    for path in files(&root()) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for rest in text.split("docs/").skip(1) {
            let end =
                rest.find(|c: char| !c.is_ascii_alphanumeric() && !"/._-".contains(c)).unwrap_or(rest.len());
            let name = rest[..end].trim_end_matches('.');
            let is_page = [".md", ".toml"].iter().any(|ending| name.ends_with(ending));
            let exists = ["docs", "runtime/docs"].iter().any(|docs| root().join(docs).join(name).exists());
            if is_page && !exists {
                broken.push(format!("{}: docs/{name}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_tutorial_builds_the_example() {
    let tutorial = fs::read_to_string(root().join("runtime/docs/tutorial.md")).unwrap();
    let example = fs::read_to_string(root().join("examples/links/src/main.rs")).unwrap();
    let (_, code) = example.split_once("\n\n").unwrap();
    assert!(
        blocks(&tutorial, "rust,no_run").contains(&code),
        "examples/links is not the service of the tutorial"
    );
}

#[test]
fn each_rung_of_the_ladder_is_short_and_tested_and_listed() {
    let ladder = root().join("examples/ladder");
    let listed = links(&fs::read_to_string(ladder.join("README.md")).unwrap());
    for rung in files(&ladder.join("src/bin")) {
        let text = fs::read_to_string(&rung).unwrap();
        let lines = text.lines().count();
        assert!(lines < 60, "{} has {lines} lines", rung.display());
        assert!(text.contains("#[test]"), "{} has no test", rung.display());
        let name = format!("src/bin/{}", rung.file_name().unwrap().to_str().unwrap());
        assert!(listed.contains(&name), "{name} is not in the README of the ladder");
    }
}

/// Returns the command lines `zerver ..` in the code of a page: in blocks, and quoted in the text.
fn command_lines(text: &str) -> Vec<String> {
    let prose = prose(text);
    let quoted = prose.split('`').skip(1).step_by(2);
    let blocks = text.split("```").skip(1).step_by(2).flat_map(str::lines);
    let blocks = blocks.map(|line| line.trim_start().trim_start_matches("$ ").trim_start_matches("- run: "));
    quoted.chain(blocks).filter_map(|code| code.strip_prefix("zerver ").map(str::to_owned)).collect()
}

#[test]
fn every_command_and_option_in_the_documentation_exists() {
    let place = Place::new();
    let help = |arguments: &[&str]| place.zerver(arguments).out;
    let commands: BTreeSet<String> = {
        let overview = help(&["--help"]);
        let listed = overview.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
        let names = listed.lines().filter_map(|line| line.strip_prefix("  ")?.split(" ").next());
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    assert!(commands.contains("trace"), "{commands:?}");
    let mut wrong = Vec::new();
    for page in pages(&root()) {
        for line in command_lines(&fs::read_to_string(&page).unwrap()) {
            let command = line.split_whitespace().next().unwrap_or_default();
            if !command.chars().all(|c| c.is_ascii_lowercase()) || command.is_empty() {
                continue;
            }
            if !commands.contains(command) {
                wrong.push(format!("{}: zerver {command}", page.display()));
                continue;
            }
            let options = line.split(|c: char| c.is_whitespace() || "[]()|,;".contains(c));
            for option in options.filter(|word| word.starts_with("--") && word.len() > 2) {
                let option = option.split('=').next().unwrap();
                let word = |at: usize| line.split_whitespace().nth(at).unwrap_or_default();
                let has_option = |arguments: &[&str]| help(arguments).contains(option);
                // `fleet key new` has three levels.
                if !has_option(&[command, "--help"])
                    && !has_option(&[command, word(1), "--help"])
                    && !has_option(&[command, word(1), word(2), "--help"])
                {
                    wrong.push(format!("{}: zerver {command} {option}", page.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let reference = fs::read_to_string(root().join("docs/reference/commands.md")).unwrap();
    for command in commands.iter().filter(|command| *command != "help") {
        assert!(
            reference.contains(&format!("`zerver {command}")),
            "docs/reference/commands.md lacks zerver {command}"
        );
    }
}

#[test]
fn the_reference_lists_every_setting() {
    let text = fs::read_to_string(root().join("docs/reference/configuration.md")).unwrap();
    let mut section = String::new();
    let mut documented = BTreeSet::new();
    for line in blocks(&text, "toml")[0].lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_start_matches('[').split(']').next().unwrap());
        } else if let Some((key, _)) = line.split_once(" =") {
            documented.insert(format!("{section}{key}"));
        }
    }
    // The policy of a target by name is an example of what `targets.default` can contain.
    documented.retain(|key| !key.starts_with("rules.") && !key.starts_with("targets.\""));
    let told = Place::new().json(&["config", "--exe", programs().todos.to_str().unwrap(), "--json"]);
    let settings =
        told["settings"].as_array().unwrap().iter().map(|setting| setting["key"].as_str().unwrap());
    let known: BTreeSet<String> = settings
        .filter(|key| *key != "rules")
        // The table of `interactive` stands for all three classes.
        .map(|key| match key.split_once('.') {
            Some(("default" | "batch", rest)) if rest != "workers" => format!("interactive.{rest}"),
            _ => key.to_owned(),
        })
        .collect();
    assert_eq!(documented, known);
}

#[test]
fn the_reference_lists_every_metric() {
    let text = fs::read_to_string(root().join("docs/reference/metrics.md")).unwrap();
    let named = |text: &str| -> BTreeSet<String> {
        let word =
            |rest: &str| rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap().to_owned();
        text.split("`zerver_").skip(1).map(word).collect()
    };
    let dev = Place::new().dev();
    let metrics = dev.ask("GET", "/metrics").send().body;
    let exported: BTreeSet<String> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE zerver_")?.split_once(' '))
        .map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name.to_owned() })
        .collect();
    assert_eq!(named(&text), exported);
}
