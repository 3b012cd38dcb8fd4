//! Theme of the terminal UI, from the arguments and the capabilities that the terminal announces.

use std::env;
use std::io::{self, IsTerminal};

use zerver_tui::{Appearance, ColorScheme, ThemeName, UserConfig};

use super::config_file::ConfigFile;
use crate::args::{Color, Global, Theme, ThemeArgs};
use crate::error::CommandError;
use crate::locale;

/// Checks that the terminal UI can be shown.
pub(crate) fn check_terminal() -> Result<(), CommandError> {
    let error = |message: &str| {
        CommandError::new(message)
            .with_hint("`zerver ls` and `zerver trace <id>` print the same without a terminal")
    };
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(error("the terminal UI needs a terminal, and this is not one"));
    }
    match env::var("TERM").as_deref() {
        Ok("dumb") => {
            Err(error("the terminal UI needs a terminal that can move its cursor, and TERM is dumb"))
        }
        _ => Ok(()),
    }
}

/// Look and keys of the terminal UI.
#[derive(Clone)]
pub(crate) struct Look {
    pub(crate) appearance: Appearance,
    pub(crate) config: UserConfig,
}

/// Returns how to draw, from the arguments, the environment and the user's file.
pub(crate) fn look(args: &ThemeArgs, global: &Global) -> Look {
    let config = ConfigFile::load().into_config();
    Look { appearance: appearance(args, global, config.theme.as_ref()), config }
}

/// Returns colors and glyphs. `theme` is that of the user's file, over which the arguments have precedence.
pub(crate) fn appearance(args: &ThemeArgs, global: &Global, theme: Option<&ThemeName>) -> Appearance {
    let var = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let is_mono = match global.color {
        Color::Auto => var("NO_COLOR").is_some(),
        Color::Always => false,
        Color::Never => true,
    };
    Appearance {
        colors: match theme {
            _ if is_mono => ColorScheme::Mono,
            Some(ThemeName::Builtin(colors)) if args.theme == Theme::Auto => *colors,
            _ => palette(args.theme, &var),
        },
        is_ascii: args.ascii || locale::is_ascii(),
    }
}

fn palette(theme: Theme, var: &dyn Fn(&str) -> Option<String>) -> ColorScheme {
    match theme {
        Theme::Dark => ColorScheme::Dark,
        Theme::Light => ColorScheme::Light,
        Theme::Sixteen => ColorScheme::Sixteen,
        // A terminal that does not announce more gets its own 16 colors, which suit its background.
        Theme::Auto if !var("COLORTERM").is_some_and(|value| value == "truecolor" || value == "24bit") => {
            ColorScheme::Sixteen
        }
        // `foreground;background`, as rxvt, Konsole and others set it.
        Theme::Auto => match var("COLORFGBG").as_deref().and_then(|value| value.rsplit(';').next()) {
            Some("7" | "15") => ColorScheme::Light,
            _ => ColorScheme::Dark,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides() {
        let check = |vars: &[(&str, &str)], theme, wanted| {
            let var =
                |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(palette(theme, &var), wanted, "{vars:?}");
        };
        check(&[], Theme::Auto, ColorScheme::Sixteen);
        check(&[("COLORTERM", "truecolor")], Theme::Auto, ColorScheme::Dark);
        check(&[("COLORTERM", "24bit"), ("COLORFGBG", "0;15")], Theme::Auto, ColorScheme::Light);
        check(&[], Theme::Light, ColorScheme::Light);
        check(&[], Theme::Sixteen, ColorScheme::Sixteen);
    }
}
