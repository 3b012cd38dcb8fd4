//! `zerver new`: creates the package of a service from a template, without network.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::args::{New, Template};
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::paths;

/// Sources of zerver from which this program was built. They may be gone, or this may be another machine.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Names that Cargo refuses for a package with a program, or with which a program cannot be built.
const RESERVED: [&str; 12] = [
    "alloc",
    "build",
    "core",
    "deps",
    "examples",
    "incremental",
    "proc-macro",
    "proc_macro",
    "std",
    "test",
    "zerver",
    "self",
];

const GITIGNORE: &str = "/target\n# Recorded requests of `zerver dev`.\n/.zerver\n";

const SETTINGS: &str = "\
# Settings of the service; `zerver config` lists all, and docs/reference/configuration.md explains them.

[recording]
# What is kept in production: failures, slow requests and samples. `zerver dev` keeps all.
keep = \"tail\"
";

impl Template {
    /// Dependencies on zerver: name, and folder in its sources.
    const fn zerver_crates(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Hello => &[("zerver", "runtime")],
            Self::Axum => &[("zerver", "runtime"), ("zerver-tower", "runtime/tower")],
            Self::Sqlite => &[("zerver", "runtime"), ("zerver-sqlite", "runtime/drivers/sqlite")],
        }
    }

    /// Other dependencies.
    const fn other_crates(self) -> &'static str {
        match self {
            Self::Hello | Self::Sqlite => "",
            Self::Axum => {
                "axum = \"0.8\"\ntokio = { version = \"1\", features = [\"macros\", \"net\", \"rt-multi-thread\", \"signal\"] }\n"
            }
        }
    }

    /// Files besides the manifest.
    const fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Hello => &[("src/main.rs", include_str!("../../templates/hello/main.rs"))],
            Self::Sqlite => &[
                ("src/main.rs", include_str!("../../templates/sqlite/main.rs")),
                (
                    "migrations/0001_todos.sql",
                    include_str!("../../templates/sqlite/migrations/0001_todos.sql"),
                ),
            ],
            Self::Axum => &[("src/main.rs", include_str!("../../templates/axum/main.rs"))],
        }
    }

    const fn try_path(self) -> &'static str {
        match self {
            Self::Hello | Self::Axum => "/hello/ann",
            Self::Sqlite => "/todos/1",
        }
    }
}

pub(super) fn run(args: &New, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let name = package_name(&args.path)?;
    let sources = match &args.zerver {
        Some(dir) => Some(checked_sources(dir)?),
        None => is_sources(Path::new(SOURCES)).then(|| PathBuf::from(SOURCES)),
    };
    let sources = sources.and_then(|dir| fs::canonicalize(dir).ok());
    let files = files(&name, args.template, sources.as_deref());
    create(&args.path, &files)?;
    let workspace = enclosing_workspace(&args.path);
    if output.is_json {
        let files: Vec<_> = files.iter().map(|(file, _)| file).collect();
        output.json(&serde_json::json!({ "name": name, "path": args.path, "files": files }))?;
        return Ok(CommandOutcome::Success);
    }
    let dir = paths::display(&args.path);
    output.info(&format!("created {name} in {dir}:"));
    for (file, _) in &files {
        output.info(&format!("  {file}"));
    }
    if sources.is_none() {
        output.warn(
            "zerver is not on the crate registry yet: set the paths in Cargo.toml to a clone of its repository, or \
             pass --zerver",
        );
    }
    if let Some(manifest) = workspace {
        output.info(&format!("add it to the members of the workspace in {}", paths::display(&manifest)));
    }
    output.info("run it, with every request recorded:");
    output.info(&format!("  zerver dev {dir}"));
    output.info(&format!("  curl localhost:3000{}", args.template.try_path()));
    output.info(&format!("  zerver --store {dir}/.zerver trace @last"));
    Ok(CommandOutcome::Success)
}

/// Returns the name of the package, which is that of its folder.
fn package_name(path: &Path) -> Result<String, CommandError> {
    let refuse = |problem: String| {
        CommandError::new(problem).with_hint(
            "a name starts with a letter and consists of letters, digits, - and _, such as `zerver new todo-service`",
        )
    };
    let Some(name) = path.file_name() else {
        return Err(refuse(format!("{} does not end with a name", path.display())));
    };
    let name = name.to_string_lossy();
    let is_valid = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        && name.len() <= 64;
    if !is_valid {
        return Err(refuse(format!("{name:?} cannot be the name of a package")));
    }
    if RESERVED.contains(&&*name.to_ascii_lowercase()) || is_keyword(&name) {
        return Err(refuse(format!("{name:?} is a reserved name")));
    }
    Ok(name.into_owned())
}

/// Returns true for keywords of Rust, which a crate cannot have as its name.
fn is_keyword(name: &str) -> bool {
    const KEYWORDS: &str = " abstract as async await become box break const continue crate do dyn else enum extern false \
         final fn for gen if impl in let loop macro match mod move mut override priv pub ref return static struct super \
         trait true try type typeof unsafe unsized use virtual where while yield ";
    KEYWORDS.contains(&format!(" {name} "))
}

fn is_sources(dir: &Path) -> bool {
    dir.join("runtime/Cargo.toml").is_file() && dir.join("recorder/Cargo.toml").is_file()
}

fn checked_sources(dir: &Path) -> Result<PathBuf, CommandError> {
    if is_sources(dir) {
        return Ok(dir.to_owned());
    }
    Err(CommandError::new(format!("{} is not a clone of zerver", dir.display()))
        .with_hint("--zerver names the folder that contains zerver's own Cargo.toml and its folder runtime"))
}

/// Returns the files of the package, with their content.
fn files(name: &str, template: Template, sources: Option<&Path>) -> Vec<(&'static str, String)> {
    let version = env!("CARGO_PKG_VERSION");
    let minor = version.rsplit_once('.').map_or(version, |(minor, _)| minor);
    let dependency = |(name, folder): &(&str, &str)| match sources {
        Some(sources) => {
            let path = toml_string(&sources.join(folder).to_string_lossy());
            format!("{name} = {{ path = {path} }}\n")
        }
        None => format!("{name} = \"{minor}\"\n"),
    };
    let dependencies: String = template.zerver_crates().iter().map(dependency).collect();
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n{}{dependencies}",
        template.other_crates()
    );
    let mut files = vec![
        ("Cargo.toml", manifest),
        (".gitignore", GITIGNORE.to_owned()),
        ("zerver.toml", SETTINGS.to_owned()),
    ];
    files.extend(template.files().iter().map(|(file, content)| (*file, (*content).to_owned())));
    files
}

/// Returns a text as a basic string of TOML.
fn toml_string(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// Writes the files into a new folder. What exists is never changed.
fn create(dir: &Path, files: &[(&str, String)]) -> Result<(), CommandError> {
    let failed =
        |error: &io::Error| CommandError::new(format!("cannot create {}", dir.display())).caused_by(error);
    if !paths::is_empty_or_absent(dir).map_err(|error| failed(&error))? {
        return Err(CommandError::new(format!("{} is not empty", dir.display()))
            .with_hint("choose another name, or empty the folder"));
    }
    for (file, content) in files {
        let path = dir.join(file);
        let parent = path.parent().unwrap_or(dir);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, content))
            .map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// Returns the manifest of the workspace around a new package. Cargo refuses a package that is not one of its members.
fn enclosing_workspace(dir: &Path) -> Option<PathBuf> {
    let dir = fs::canonicalize(dir).ok()?;
    let manifests = dir.ancestors().skip(1).map(|folder| folder.join("Cargo.toml"));
    manifests.into_iter().find(|manifest| {
        fs::read_to_string(manifest)
            .is_ok_and(|text| text.lines().any(|line| line.trim_start().starts_with("[workspace")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_packages() {
        let name = |path: &str| package_name(Path::new(path)).map_err(|error| format!("{error:?}"));
        assert_eq!(name("a/todo-service_2"), Ok("todo-service_2".to_owned()));
        for invalid in ["", "..", "/", "2fast", "a b", "caf\u{e9}", "-x", "a.b", &"x".repeat(65)] {
            assert!(name(invalid).is_err(), "{invalid}");
        }
        for reserved in ["test", "Core", "fn", "async", "zerver"] {
            assert!(name(reserved).unwrap_err().contains("reserved"), "{reserved}");
        }
    }

    #[test]
    fn paths_are_quoted_for_toml() {
        assert_eq!(toml_string("/a \"b\"\\c\u{7}"), "\"/a \\\"b\\\"\\\\c\\u0007\"");
    }
}
