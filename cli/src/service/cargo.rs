//! Cargo: which package is meant, what of the file system it is made of, and how to build it.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde::Deserialize;

use super::process::Process;
use crate::args::{Color, Global};
use crate::error::Trouble;

/// A package with the binary that is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its folder.
    pub(crate) folder: PathBuf,
    manifest: PathBuf,
    bin: String,
    /// The root of its workspace.
    pub(crate) workspace: PathBuf,
    /// The folders of its sources: its own, and those of the packages it depends on by path.
    pub(crate) sources: Vec<Root>,
    /// Where Cargo puts what it builds.
    pub(crate) target: PathBuf,
}

/// A folder with sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) folder: PathBuf,
    /// True for a package with a build script, which may read any file.
    pub(crate) has_build_script: bool,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetaPackage>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct MetaPackage {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<MetaTarget>,
    dependencies: Vec<MetaDependency>,
    default_run: Option<String>,
}

#[derive(Deserialize)]
struct MetaTarget {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct MetaDependency {
    path: Option<PathBuf>,
    kind: Option<String>,
}

impl MetaPackage {
    fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    fn has_build_script(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "custom-build"))
    }

    fn bins(&self) -> Vec<&str> {
        let is_bin = |target: &&MetaTarget| target.kind.iter().any(|kind| kind == "bin");
        self.targets.iter().filter(is_bin).map(|target| target.name.as_str()).collect()
    }
}

impl Package {
    /// The package whose folder `app` is, or is in.
    pub(crate) fn find(app: &Path, bin: Option<&str>) -> Result<Self, Trouble> {
        let app = fs::canonicalize(app)
            .map_err(|error| Trouble::new(format!("cannot find {}", app.display())).because(&error))
            .map_err(|trouble| trouble.hint("name the folder of a service, such as `.`"))?;
        let manifest =
            app.ancestors().map(|dir| dir.join("Cargo.toml")).find(|path| path.is_file()).ok_or_else(
                || {
                    Trouble::new(format!("there is no Cargo.toml in {} or above it", app.display()))
                        .hint("name the folder of the service's package, as in `zerver dev path/to/service` or `zerver replay <id> path/to/service`")
                        .hint("or name a program that is already built with --exe PATH")
                },
            )?;
        Self::choose(&metadata(&manifest)?, &manifest, bin)
    }

    fn choose(metadata: &Metadata, manifest: &Path, bin: Option<&str>) -> Result<Self, Trouble> {
        let Some(package) = metadata.packages.iter().find(|package| package.manifest_path == manifest) else {
            let trouble = Trouble::new(format!("{} is a workspace, not a package", manifest.display()));
            let root = &metadata.workspace_root;
            let folders: Vec<String> = metadata
                .packages
                .iter()
                .filter(|package| !package.bins().is_empty())
                .map(|package| package.folder().strip_prefix(root).unwrap_or(package.folder()))
                .map(|folder| folder.display().to_string())
                .collect();
            return Err(
                trouble.hint(format!("name the folder of a package with a binary: {}", folders.join(", ")))
            );
        };
        Ok(Self {
            folder: package.folder().to_owned(),
            manifest: manifest.to_owned(),
            bin: choose_bin(package, bin)?,
            workspace: metadata.workspace_root.clone(),
            sources: sources(metadata, package),
            target: metadata.target_directory.clone(),
        })
    }

    /// The command that builds it.
    pub(crate) fn command(&self, release: bool, global: &Global) -> Command {
        let mut command = Command::new(cargo());
        command.arg("build").arg("--message-format=json-render-diagnostics");
        command.arg("--manifest-path").arg(&self.manifest).args(["--bin", &self.bin]);
        if release {
            command.arg("--release");
        }
        if global.quiet {
            command.arg("--quiet");
        }
        match global.color {
            Color::Auto => {}
            Color::Always => drop(command.args(["--color", "always"])),
            Color::Never => drop(command.args(["--color", "never"])),
        }
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    /// Reads what Cargo says while it builds, to the end: the program, and whether it was already there.
    pub(crate) fn artifact(&self, stdout: impl Read) -> Option<(PathBuf, bool)> {
        let mut found = None;
        for line in BufReader::new(stdout).lines() {
            let Ok(line) = line else { break };
            if let Ok(message) = serde_json::from_str::<Message>(&line)
                && message.reason == "compiler-artifact"
                && message.target.is_some_and(|target| {
                    target.name == self.bin && target.kind.iter().any(|kind| kind == "bin")
                })
                && let Some(executable) = message.executable
            {
                found = Some((executable, message.fresh));
            }
        }
        found
    }
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<MetaTarget>,
    executable: Option<PathBuf>,
    #[serde(default)]
    fresh: bool,
}

/// Builds and waits; Cargo itself says on the standard error what is wrong.
pub(crate) fn build(package: &Package, release: bool, global: &Global) -> Result<PathBuf, Trouble> {
    let mut process = spawn(package, release, global, Stdio::inherit())?;
    let artifact = process.stdout().and_then(|stdout| package.artifact(stdout));
    let status = process.reap().map_err(|error| Trouble::new("cannot wait for Cargo").because(&error))?;
    match artifact {
        Some((exe, _)) if status.is_success => Ok(exe),
        _ => Err(Trouble::new(format!("{} could not be built", package.bin))),
    }
}

/// Builds and waits, without a word: what Cargo says is among the causes where it fails.
pub(crate) fn build_quietly(package: &Package, release: bool) -> Result<PathBuf, Trouble> {
    let global = Global { store: None, json: false, color: Color::Never, quiet: true, verbose: false };
    let mut process = spawn(package, release, &global, Stdio::piped())?;
    let said = process.stderr().map(|stderr| thread::spawn(move || std::io::read_to_string(stderr)));
    let artifact = process.stdout().and_then(|stdout| package.artifact(stdout));
    let status = process.reap().map_err(|error| Trouble::new("cannot wait for Cargo").because(&error))?;
    match artifact {
        Some((exe, _)) if status.is_success => Ok(exe),
        _ => {
            let mut trouble = Trouble::new(format!("{} could not be built", package.bin));
            trouble.causes.extend(said.and_then(|said| said.join().ok()?.ok()));
            Err(trouble.hint("mend it, and run the request again"))
        }
    }
}

/// Starts Cargo, which says on `stderr` what is wrong.
pub(crate) fn spawn(
    package: &Package,
    release: bool,
    global: &Global,
    stderr: Stdio,
) -> Result<Process, Trouble> {
    let mut command = package.command(release, global);
    Process::spawn(command.stderr(stderr)).map_err(|error| no_cargo(&error))
}

fn no_cargo(error: &std::io::Error) -> Trouble {
    Trouble::new("cannot run cargo")
        .because(error)
        .hint("install Rust from https://rustup.rs, or run a program that is already built with --exe PATH")
}

fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn metadata(manifest: &Path) -> Result<Metadata, Trouble> {
    let output = Command::new(cargo())
        .args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path"])
        .arg(manifest)
        .output()
        .map_err(|error| no_cargo(&error))?;
    if !output.status.success() {
        let mut trouble = Trouble::new(format!("Cargo cannot read {}", manifest.display()));
        trouble.causes.push(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        return Err(trouble);
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Trouble::new("cannot understand `cargo metadata`").because(&error))
}

fn choose_bin(package: &MetaPackage, wanted: Option<&str>) -> Result<String, Trouble> {
    let bins = package.bins();
    let name = &package.name;
    match (wanted, bins.as_slice()) {
        (Some(wanted), bins) if bins.contains(&wanted) => Ok(wanted.to_owned()),
        (_, []) => Err(Trouble::new(format!("the package {name} has no binary"))
            .hint("a service is a binary: give it a src/main.rs that hands its app to zerver")),
        (Some(wanted), bins) => Err(Trouble::new(format!("the package {name} has no binary {wanted}"))
            .hint(format!("it has: {}", bins.join(", ")))),
        (None, [bin]) => Ok((*bin).to_owned()),
        (None, bins) => match &package.default_run {
            Some(default) => Ok(default.clone()),
            None => Err(Trouble::new(format!("the package {name} has several binaries"))
                .hint(format!("choose one with --bin NAME: {}", bins.join(", ")))),
        },
    }
}

/// The folders of a package and of all that it depends on by path, but for what only its tests need.
fn sources(metadata: &Metadata, package: &MetaPackage) -> Vec<Root> {
    let mut found = BTreeMap::new();
    let mut next = vec![package.folder().to_owned()];
    while let Some(folder) = next.pop() {
        if found.contains_key(&folder) {
            continue;
        }
        let package = metadata.packages.iter().find(|package| package.folder() == folder);
        found.insert(folder, package.is_some_and(MetaPackage::has_build_script));
        let Some(package) = package else { continue };
        let needed = package.dependencies.iter().filter(|needed| needed.kind.as_deref() != Some("dev"));
        next.extend(needed.filter_map(|needed| needed.path.clone()));
    }
    found.into_iter().map(|(folder, has_build_script)| Root { folder, has_build_script }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(bins: &[&str], default_run: Option<&str>) -> Metadata {
        let target = |name: &str, kind: &str| serde_json::json!({"name": name, "kind": [kind]});
        let mut targets: Vec<_> = bins.iter().map(|bin| target(bin, "bin")).collect();
        targets.push(target("lib", "lib"));
        serde_json::from_value(serde_json::json!({
            "workspace_root": "/w", "target_directory": "/w/target",
            "packages": [
                {"name": "app", "manifest_path": "/w/app/Cargo.toml", "targets": targets, "default_run": default_run,
                 "dependencies": [{"path": "/w/model", "kind": null}, {"path": null, "kind": null},
                                  {"path": "/w/testing", "kind": "dev"}]},
                {"name": "model", "manifest_path": "/w/model/Cargo.toml", "targets": [target("model", "lib"), target("build-script-build", "custom-build")],
                 "dependencies": [{"path": "/outside", "kind": null}, {"path": "/w/app", "kind": null},
                                  {"path": "/w/gen", "kind": "build"}]},
            ],
        }))
        .unwrap()
    }

    fn choose(bins: &[&str], default_run: Option<&str>, wanted: Option<&str>) -> Result<Package, Trouble> {
        Package::choose(&metadata(bins, default_run), Path::new("/w/app/Cargo.toml"), wanted)
    }

    #[test]
    fn the_binary_is_the_only_the_default_or_the_named_one() {
        assert_eq!(choose(&["app"], None, None).unwrap().bin, "app");
        assert_eq!(choose(&["a", "b"], Some("b"), None).unwrap().bin, "b");
        assert_eq!(choose(&["a", "b"], Some("b"), Some("a")).unwrap().bin, "a");
        assert_eq!(choose(&["a", "b"], None, None).unwrap_err().hints, ["choose one with --bin NAME: a, b"]);
        assert_eq!(choose(&["a"], None, Some("b")).unwrap_err().hints, ["it has: a"]);
        assert!(choose(&[], None, None).unwrap_err().what.contains("no binary"));
    }

    #[test]
    fn a_workspace_is_not_a_package() {
        let trouble =
            Package::choose(&metadata(&["app"], None), Path::new("/w/Cargo.toml"), None).unwrap_err();
        assert_eq!(trouble.hints, ["name the folder of a package with a binary: app"]);
    }

    #[test]
    fn sources_are_all_packages_by_path_but_those_of_tests() {
        let sources = choose(&["app"], None, None).unwrap().sources;
        let root = |folder: &str| Root { folder: folder.into(), has_build_script: folder == "/w/model" };
        assert_eq!(sources, ["/outside", "/w/app", "/w/gen", "/w/model"].map(root));
    }

    #[test]
    fn the_program_is_read_from_what_cargo_says() {
        let package = choose(&["app"], None, None).unwrap();
        let said = r#"
{"reason":"compiler-artifact","target":{"name":"app","kind":["lib"]},"executable":null,"fresh":true}
not json
{"reason":"compiler-artifact","target":{"name":"app","kind":["custom-build"]},"executable":"/w/build","fresh":false}
{"reason":"compiler-artifact","target":{"name":"app","kind":["bin"]},"executable":"/w/target/debug/app","fresh":false}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(package.artifact(said.as_bytes()), Some(("/w/target/debug/app".into(), false)));
        assert_eq!(package.artifact(&b"{\"reason\":\"build-finished\",\"success\":false}"[..]), None);
    }
}
