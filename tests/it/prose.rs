//! Style of comments and documents: doc comments begin with a verb or a noun phrase, and some phrases are not used. The
//! help of the command line consists of doc comments, so it is included. Spelling is American, in
//! names too, as in those of the standard library.

use std::fs;

use crate::lexer::{Part, parts};
use crate::sources::{files, relative};

/// Words that must not begin a doc comment. It begins with a verb or with a noun phrase that names the item.
const FIRST_WORDS: [&str; 12] =
    ["What", "How", "Whether", "Who", "When", "Why", "So many", "It", "One", "Those", "As", "None where"];

/// Words and phrases that must not be used at all.
const BANNED: [&str; 10] = [
    "somebody",
    "nobody",
    "anybody",
    "told",
    "sent away",
    "so many",
    "anew",
    "is said",
    "whoever",
    "what is off",
];

/// Words in British spelling, with what may follow them.
const BRITISH: [&str; 18] = [
    "behaviour",
    "cancelled",
    "cancelling",
    "centred",
    "colour",
    "favour",
    "flavour",
    "honour",
    "judgement",
    "labelled",
    "labelling",
    "licence",
    "modelled",
    "modelling",
    "neighbour",
    "practise",
    "signalled",
    "signalling",
];

/// Stems of verbs in -ise whose American form ends in -ize. "Realistic" and "optimistic" are the same in both.
const STEMS_IN_ISE: [&str; 17] = [
    "authoris",
    "capitalis",
    "categoris",
    "criticis",
    "finalis",
    "generalis",
    "initialis",
    "normalis",
    "optimis",
    "organis",
    "prioritis",
    "recognis",
    "sanitis",
    "serialis",
    "summaris",
    "synchronis",
    "utilis",
];

/// Lines that may contain a banned phrase or spelling: a part of the file's path, a part of the line, and the reason.
const EXCEPTIONS: [(&str, &str, &str); 6] = [
    ("tests/it/prose.rs", "", "this file lists the phrases"),
    ("web/src", "aria-labelledby", "an attribute of HTML"),
    ("CHANGELOG.md", "`sent away`", "a former value in JSON"),
    ("CHANGELOG.md", "`cancelled`", "a former value in JSON"),
    ("runtime/tower/tests/it/tonic.rs", "Code::Cancelled", "a name of tonic"),
    ("CHANGELOG.md", "`Answer::Cancelled`", "a former name"),
];

#[test]
fn comments_and_documents_are_plain_english() {
    let mut findings = Vec::new();
    for path in files(".", &["rs", "md"]) {
        let name = relative(&path);
        let text = fs::read_to_string(&path).unwrap();
        let lines = match name.ends_with(".md") {
            true => document_findings(&text),
            false => comment_findings(&text),
        };
        for (number, reason) in lines.into_iter().chain(british_findings(&text)) {
            let line = text.lines().nth(number - 1).unwrap_or_default().trim();
            let is_exception =
                |(file, part, _): &(&str, &str, &str)| name.contains(file) && line.contains(part);
            if !EXCEPTIONS.iter().any(is_exception) {
                findings.push(format!("{name}:{number}: [{reason}] {line}"));
            }
        }
    }
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

/// Returns the lines of a document with a banned phrase, outside of code blocks.
fn document_findings(text: &str) -> Vec<(usize, &'static str)> {
    let mut is_code = false;
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code && let Some(phrase) = banned(line) {
            findings.push((number, phrase));
        }
    }
    findings
}

/// Returns the lines of comments with a banned phrase, and of doc comments that begin with a wrong word.
fn comment_findings(text: &str) -> Vec<(usize, &'static str)> {
    let mut findings = Vec::new();
    // Line after the previous doc comment, and its marker: a comment there continues the same paragraph.
    let mut previous = (0, "");
    let comments = parts(text).into_iter().filter(|(part, _)| *part == Part::Comment);
    let (mut number, mut at) = (1, 0);
    for (_, range) in comments {
        number += text[at..range.start].matches('\n').count();
        at = range.start;
        let comment = &text[range];
        for (offset, line) in comment.lines().enumerate() {
            findings.extend(banned(line).map(|phrase| (number + offset, phrase)));
        }
        let marker =
            ["///", "//!"].into_iter().find(|marker| comment.starts_with(marker)).unwrap_or_default();
        if !marker.is_empty() && previous != (number, marker) {
            let first = comment[marker.len()..].trim_start();
            findings
                .extend(FIRST_WORDS.into_iter().find(|word| begins(first, word)).map(|word| (number, word)));
        }
        previous = (number + 1, marker);
    }
    findings
}

fn banned(line: &str) -> Option<&'static str> {
    let line = line.to_lowercase();
    let has = |phrase: &&str| {
        line.match_indices(*phrase).any(|(at, found)| {
            !ends_in_letter(&line[..at]) && !line[at + found.len()..].starts_with(char::is_alphanumeric)
        })
    };
    BANNED.into_iter().find(has)
}

/// Returns the lines with a British spelling, in code as well.
fn british_findings(text: &str) -> Vec<(usize, &'static str)> {
    let british = |line: &str| {
        let line = line.to_lowercase();
        let ends_in_ise = |stem: &&str| {
            line.match_indices(*stem).any(|(at, _)| line[at + stem.len()..].starts_with(['e', 'i', 'a']))
        };
        let word = BRITISH.into_iter().find(|word| line.contains(word));
        word.or_else(|| STEMS_IN_ISE.into_iter().find(ends_in_ise))
    };
    (1..).zip(text.lines()).filter_map(|(number, line)| Some((number, british(line)?))).collect()
}

fn ends_in_letter(text: &str) -> bool {
    text.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

fn begins(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '\''))
}

#[test]
fn british_spellings_are_found_in_code_too() {
    let text =
        "fn serialise() {}\n// Realistic and optimistic.\nlet is_cancelled = 1;\n/// Optimises.\nOrganisms.";
    assert_eq!(british_findings(text), [(1, "serialis"), (3, "cancelled"), (4, "optimis")]);
}

#[test]
fn findings_are_in_prose_only() {
    let source = "/// What it is.\n/// How it goes on.\n//\n/// One.\nfn told() { \"nobody\" } // Anybody here\n/* x\nanew */\n";
    assert_eq!(comment_findings(source), [(1, "What"), (4, "One"), (5, "anybody"), (7, "anew")]);
    assert_eq!(
        document_findings("Whoever\n```\nnobody\n```\nunfold, is SAID"),
        [(1, "whoever"), (5, "is said")]
    );
}
