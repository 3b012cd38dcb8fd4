//! The graph of the files of one crate: which file takes which names from which other file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::code::{without_comments_and_literals, without_tests};
use super::paths::{Import, imports, inline_paths};

/// Path of a module from the root of its crate.
type Module = Vec<String>;

struct File {
    path: PathBuf,
    imports: Vec<Import>,
    code: String,
}

/// The modules of a crate that have a file, without test modules.
pub(super) struct Crate(BTreeMap<Module, File>);

/// For each file, the files that it names, each with the names.
pub(super) type Edges = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

impl Crate {
    /// Reads the files of a crate that are reachable from its `lib.rs` or `main.rs`.
    pub(super) fn read(src: &Path) -> Self {
        let root = ["lib.rs", "main.rs"].map(|name| src.join(name)).into_iter().find(|path| path.is_file());
        let mut modules = Self(BTreeMap::new());
        if let Some(root) = root {
            modules.add(Vec::new(), &root, src);
        }
        modules
    }

    fn add(&mut self, module: Module, path: &Path, folder: &Path) {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let code = without_tests(&without_comments_and_literals(&text));
        for name in module_files(&code) {
            let files = [folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs")];
            // A module with a `#[path]` is compiled from the file of another crate.
            if let Some(file) = files.into_iter().find(|file| file.is_file()) {
                let child = module.iter().cloned().chain([name.clone()]).collect();
                self.add(child, &file, &folder.join(name));
            }
        }
        let (imports, code) = imports(&code);
        self.0.insert(module, File { path: path.to_owned(), imports, code });
    }

    /// Returns the edges between the files.
    pub(super) fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for (module, file) in &self.0 {
            let out = edges.entry(file.path.clone()).or_default();
            let imported = file.imports.iter().map(|import| import.path.clone());
            let aliases: BTreeMap<_, _> =
                file.imports.iter().map(|import| (import.name.as_str(), &import.path)).collect();
            // A path that begins with an imported module.
            let inline =
                inline_paths(&file.code).into_iter().map(|path| match aliases.get(path[0].as_str()) {
                    Some(start) => start.iter().cloned().chain(path.into_iter().skip(1)).collect(),
                    None => path,
                });
            for path in imported.chain(inline) {
                let Some(target) = self.absolute(module, &path).and_then(|path| self.resolve(&path, 0))
                else {
                    continue;
                };
                if target != file.path {
                    out.entry(target).or_default().insert(path.last().cloned().unwrap_or_default());
                }
            }
        }
        edges
    }

    /// Turns a path in a module into one from the root of the crate, or returns `None` if it leads out of the crate.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Module> {
        let mut from = module.to_vec();
        let mut path = path;
        match path.first()?.as_str() {
            "crate" => (from, path) = (Vec::new(), &path[1..]),
            "self" => path = &path[1..],
            "super" => {}
            first => {
                let child: Module = module.iter().cloned().chain([first.to_owned()]).collect();
                self.0.get(&child)?;
            }
        }
        while path.first().is_some_and(|first| first == "super") {
            from.pop()?;
            path = &path[1..];
        }
        Some(from.into_iter().chain(path.iter().cloned()).collect())
    }

    /// Returns the file that defines what a path from the root names. Looks through re-exports. An import of a module
    /// that only maps names to files is no edge by itself: the names that are used from it are.
    fn resolve(&self, path: &[String], depth: usize) -> Option<PathBuf> {
        let len = (0..=path.len()).rev().find(|&len| self.0.contains_key(&path[..len]))?;
        let (module, file) = (&path[..len], &self.0[&path[..len]]);
        let Some(name) = path.get(len).filter(|name| *name != "*") else {
            return (!is_map(&file.code)).then(|| file.path.clone());
        };
        if depth > 8 || defines(&file.code, name) {
            return Some(file.path.clone());
        }
        let follow = |import: &Import, rest: &[String]| {
            let target: Module =
                import.path.iter().chain(rest).filter(|name| *name != "*").cloned().collect();
            let target = self.absolute(module, &target)?;
            (target != path).then(|| self.resolve(&target, depth + 1))?
        };
        if let Some(import) = file.imports.iter().find(|import| import.name == *name) {
            return follow(import, &path[len + 1..]);
        }
        let globs = file.imports.iter().filter(|import| import.name == "*");
        globs.filter_map(|import| follow(import, &path[len..])).next().or_else(|| Some(file.path.clone()))
    }
}

/// Returns the names of the modules that code declares in files of their own.
fn module_files(code: &str) -> Vec<String> {
    let declared = code.split("mod ").skip(1).filter_map(|rest| {
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        rest[name.len()..].starts_with(';').then_some(name)
    });
    declared.collect()
}

/// Returns true if code defines an item of this name.
fn defines(code: &str, name: &str) -> bool {
    ["fn", "struct", "enum", "trait", "type", "const", "static", "union", "macro_rules!", "mod"].iter().any(
        |kind| {
            code.match_indices(&format!("{kind} {name}")).any(|(at, found)| {
                let is_end = |c: Option<char>| c.is_none_or(|c| !(c.is_alphanumeric() || c == '_'));
                is_end(code[..at].chars().next_back())
                    && is_end(code[at + found.len()..].chars().next())
                    && !(*kind == "mod" && code[at + found.len()..].starts_with(';'))
            })
        },
    )
}

/// Returns true if code without its imports only declares modules.
fn is_map(code: &str) -> bool {
    let rest = code.split(';').map(str::trim);
    rest.filter(|item| !item.is_empty()).all(|item| {
        let item = item.rsplit(']').next().unwrap_or_default().trim();
        item.is_empty() || item.starts_with("mod ") || item.starts_with("pub") && !item.contains('{')
    })
}

/// Returns the strongly connected components of more than one file, largest first.
pub(super) fn components(edges: &Edges) -> Vec<Vec<PathBuf>> {
    let files: Vec<_> = edges.keys().collect();
    let reach = |from: &Path| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(file) = open.pop() {
            for next in edges.get(&file).into_iter().flat_map(BTreeMap::keys) {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<_, _> = files.iter().map(|file| (*file, reach(file))).collect();
    let mut components = BTreeSet::new();
    for file in &files {
        let both = |other: &&&PathBuf| reached[*file].contains(**other) && reached[**other].contains(*file);
        let component: Vec<PathBuf> = files.iter().filter(both).map(|file| (*file).clone()).collect();
        if component.len() > 1 {
            components.insert(component);
        }
    }
    let mut components: Vec<_> = components.into_iter().collect();
    components.sort_by_key(|component| std::cmp::Reverse(component.len()));
    components
}
