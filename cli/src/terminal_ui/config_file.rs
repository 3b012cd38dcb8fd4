//! The file with the user's keys and colors: `$XDG_CONFIG_HOME/zerver/tui.toml`, or the one that `ZERVER_TUI_CONFIG` names.
//! Mistakes never keep the terminal UI from starting.

use std::env;
use std::path::{Path, PathBuf};

use zerver_recorder::regular_file;
use zerver_tui::{ConfigMistake, ThemeName, UserConfig};

use crate::paths;

/// Maximum size of a file, in bytes.
const MAX_LEN: u64 = 1 << 20;
/// Variable that names another file.
const VARIABLE: &str = "ZERVER_TUI_CONFIG";

/// The user's keys and colors, with what is wrong in their files.
pub(crate) struct ConfigFile {
    pub(crate) config: UserConfig,
    /// Mistakes, each with its file and line.
    pub(crate) mistakes: Vec<String>,
    /// Place of the file; `None` if there is no home folder.
    pub(crate) path: Option<PathBuf>,
}

impl ConfigFile {
    /// Reads the file, if there is one, and the theme that it names.
    pub(crate) fn load() -> Self {
        Self::from_variables(&|name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
    }

    fn from_variables(var: &dyn Fn(&str) -> Option<PathBuf>) -> Self {
        let named = var(VARIABLE);
        let folder = var("XDG_CONFIG_HOME")
            // The specification ignores relative paths.
            .filter(|folder| folder.is_absolute())
            .or_else(|| Some(var("HOME")?.join(".config")));
        let path = named.clone().or_else(|| Some(folder?.join("zerver/tui.toml")));
        let mut loaded = Self { config: UserConfig::default(), mistakes: Vec::new(), path };
        let Some(path) = loaded.path.clone().filter(|path| named.is_some() || path.exists()) else {
            return loaded;
        };
        let Some(text) = loaded.text(&path) else { return loaded };
        let (config, mistakes) = UserConfig::read(&text);
        loaded.config = config;
        loaded.add(&path, &mistakes);
        if let Some(ThemeName::File(name)) = loaded.config.theme.clone() {
            loaded.theme(&path, &name);
        }
        loaded
    }

    /// Reads a theme from the folder `themes` beside the file.
    fn theme(&mut self, file: &Path, name: &str) {
        let path = file.with_file_name("themes").join(format!("{name}.toml"));
        self.config.theme = None;
        let Some(text) = self.text(&path) else { return };
        let (theme, mistakes) = UserConfig::read_theme(&text);
        self.add(&path, &mistakes);
        self.config.theme = theme.theme.clone();
        self.config.over_theme(theme);
    }

    fn text(&mut self, path: &Path) -> Option<String> {
        // Many users keep such files elsewhere, and link to them.
        let resolved = path.canonicalize().map_err(|error| error.to_string());
        let text = resolved
            .and_then(|path| regular_file::read_text(&path, MAX_LEN).map_err(|error| error.to_string()));
        text.map_err(|error| self.mistakes.push(format!("cannot read {}: {error}", paths::display(path))))
            .ok()
    }

    fn add(&mut self, path: &Path, mistakes: &[ConfigMistake]) {
        let path = paths::display(path);
        self.mistakes.extend(mistakes.iter().map(|mistake| format!("{path}, {mistake}")));
    }

    /// Returns the keys and colors, with a message for the start if something is wrong.
    pub(super) fn into_config(mut self) -> UserConfig {
        self.config.warning = match self.mistakes.as_slice() {
            [] => None,
            [only] => Some(only.clone()),
            [first, more @ ..] => {
                Some(format!("{first}; and {} more: `zerver tui --check-config`", more.len()))
            }
        };
        self.config
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use zerver_tui::ColorScheme;

    use super::*;

    fn load(variables: &[(&str, &Path)]) -> ConfigFile {
        ConfigFile::from_variables(&|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_path_buf())
        })
    }

    #[test]
    fn the_file_is_found_as_xdg_says() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        let home = dir.path().to_owned();
        assert!(load(&[("HOME", &home)]).mistakes.is_empty(), "there is no file");
        assert!(load(&[]).path.is_none());
        write(".config/zerver/tui.toml", "theme = \"light\"");
        let loaded = load(&[("HOME", &home)]);
        assert_eq!(loaded.config.theme, Some(ThemeName::Builtin(ColorScheme::Light)));
        write("xdg/zerver/tui.toml", "theme = \"night\"");
        let xdg = dir.path().join("xdg");
        let missing = load(&[("HOME", &home), ("XDG_CONFIG_HOME", &xdg)]);
        assert!(missing.mistakes[0].contains("themes/night.toml"), "{:?}", missing.mistakes);
        write("xdg/zerver/themes/night.toml", "base = \"16\"\n[colors]\nbad = \"redd\"\n");
        let loaded = load(&[("HOME", &home), ("XDG_CONFIG_HOME", &xdg)]);
        assert_eq!(loaded.config.theme, Some(ThemeName::Builtin(ColorScheme::Sixteen)));
        assert!(
            loaded.mistakes[0]
                .ends_with("night.toml, line 3: redd is no color or attribute; did you mean red?")
        );
        let relative = load(&[("HOME", &home), ("XDG_CONFIG_HOME", Path::new("xdg"))]);
        assert_eq!(relative.path, Some(home.join(".config/zerver/tui.toml")));
    }

    #[test]
    fn a_named_file_must_exist_and_may_be_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("own.toml"), dir.path().join("link.toml"));
        let missing = load(&[(VARIABLE, &file)]);
        assert!(missing.mistakes[0].starts_with("cannot read "), "{:?}", missing.mistakes);
        fs::write(&file, "[keys]\ndwon = \"j\"\nupp = \"k\"\n").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let loaded = load(&[(VARIABLE, &link)]);
        assert_eq!(loaded.mistakes.len(), 2);
        let warning = loaded.into_config().warning.unwrap();
        assert!(
            warning.contains("line 2") && warning.ends_with("and 1 more: `zerver tui --check-config`"),
            "{warning}"
        );
        assert!(!load(&[(VARIABLE, dir.path())]).mistakes.is_empty(), "a folder");
    }
}
