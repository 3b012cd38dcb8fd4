//! Files that users write, and what becomes of the mistakes in them.

use proptest::prelude::*;

use super::action_names::{ACTIONS, name};
use super::{ThemeName, UserConfig, key_names, style_names, style_text};
use crate::keys;
use crate::screen::{Tab, all_keys};
use crate::tests::LOOK;
use crate::theme::{Appearance, ColorScheme, Theme};

/// Reads a file, and returns its mistakes.
fn mistakes(text: &str) -> String {
    let all = UserConfig::read(text).1;
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_action_has_one_name() {
    for (at, (name, action)) in ACTIONS.iter().enumerate() {
        let is_same = |(other, of): &&(&str, keys::Action)| other == name || of == action;
        assert_eq!(ACTIONS.iter().position(|entry| is_same(&entry)), Some(at), "{name}");
        assert!(Tab::ALL.into_iter().all(|tab| tab.name() != *name), "{name} is also a screen");
    }
    for tab in Tab::ALL {
        for binding in all_keys(tab).into_iter().chain([keys::EVERYWHERE]).flatten() {
            assert_ne!(name(binding.action), "unnamed", "{:?}", binding.action);
            for press in binding.presses {
                assert_eq!(key_names::parse(&key_names::written(*press)), Ok(*press));
            }
        }
    }
}

#[test]
fn the_written_defaults_change_nothing() {
    for colors in [ColorScheme::Dark, ColorScheme::Light, ColorScheme::Sixteen, ColorScheme::Mono] {
        let appearance = Appearance { colors, ..LOOK };
        let text = UserConfig::defaults(appearance);
        let (config, mistakes) = UserConfig::read(&text);
        assert!(mistakes.is_empty(), "{mistakes:?}\n{text}");
        assert_eq!(config.theme, Some(ThemeName::Auto));
        for tab in Tab::ALL {
            let mut tables = all_keys(tab);
            tables.push(keys::EVERYWHERE);
            for press in tables.iter().copied().flatten().flat_map(|binding| binding.presses) {
                let found = config.keys.find(Some(tab), &tables, *press);
                assert_eq!(found, keys::find(&tables, *press), "{press:?} on {tab:?}");
            }
        }
        let (mut plain, mut colored) = (Theme::new(appearance), Theme::new(appearance));
        config.color(&mut colored, colors);
        for (name, of, _) in style_names::STYLES {
            assert_eq!(of(&mut plain), of(&mut colored), "{name}");
        }
    }
}

#[test]
fn mistakes_have_a_line_and_a_suggestion() {
    insta::assert_snapshot!(mistakes(
        r##"theme = "drak mode"
[colors]
baad = "red"
bad = "redd bold"
good = "#12345"
info = "red blue"
warn = 7
id = "magenta on"
[keys]
dwon = "j"
up = "upp"
down = "ctrl-i"
quit = []
open = "ctrl-c"
fold = 3
[keys.timline]
fold = "z"
[keys.requests]
fold = "z"
[color]
"##
    ), @r##"
    line 1: there is no theme drak mode; there are auto, dark, light, 16, mono
    line 3: there is no color baad; did you mean bad?
    line 4: redd is no color or attribute; did you mean red?
    line 5: #12345 is no color: write six hexadecimal digits, such as #ff7a85
    line 6: blue is a second color; write `on blue` for the background
    line 7: a color must be a text, such as "#ff7a85 bold"
    line 8: a color follows `on`
    line 10: there is no action dwon; did you mean down?
    line 11: upp is no key; did you mean up?
    line 12: terminals send ctrl-i as tab
    line 13: quit needs a key
    line 14: ctrl-c always quits
    line 15: keys must be texts: "j", or ["j", "down"]
    line 16: there is no screen timline; did you mean timeline?
    line 19: the screen requests has no action fold
    line 20: there is no setting color; did you mean colors?
    "##);
    assert_eq!(mistakes("[keys\nopen = 1"), "line 1: unclosed table, expected `]`");
}

#[test]
fn a_key_means_one_thing() {
    assert_eq!(
        mistakes("[keys]\ndown = \"n\""),
        "line 2: n is both next-failed and down on the screen requests"
    );
    // On one screen, and given away on the others.
    assert_eq!(mistakes("[keys.diff]\ndown = \"n\""), "");
    assert_eq!(mistakes("[keys]\ndown = \"s\"\nsort = \"j\"\n[keys.replay]\nchoose-step = \"j\""), "");
    let both = mistakes("[keys]\ndown = \"z\"\nup = \"z\"");
    assert_eq!(both, "line 3: z is both down and up on the screen requests");
}

#[test]
fn the_rest_of_a_file_applies() {
    let (config, mistakes) =
        UserConfig::read("[keys]\ndown = [\"t\", \"down\"]\nup = \"upp\"\n[colors]\nbad = \"light-red\"\n");
    assert_eq!(mistakes.len(), 1);
    let binding = |action| keys::MOVING.iter().find(|binding| binding.action == action).unwrap();
    let [down, up] = [keys::Action::Down, keys::Action::Up].map(binding);
    assert_eq!(config.keys.find(Some(Tab::Diff), &[keys::MOVING], keys::key('t')), Some(keys::Action::Down));
    assert_eq!(config.keys.find(Some(Tab::Diff), &[keys::MOVING], keys::key('j')), None);
    assert_eq!((config.keys.presses(None, down).len(), config.keys.presses(None, up)), (2, up.presses));
    let mut theme = Theme::new(LOOK);
    config.color(&mut theme, ColorScheme::Dark);
    assert_eq!(style_text::written(theme.bad), "light-red");
    let mut mono = Theme::new(Appearance { colors: ColorScheme::Mono, ..LOOK });
    config.color(&mut mono, ColorScheme::Mono);
    assert_eq!(style_text::written(mono.bad), "bold", "NO_COLOR wins");
}

#[test]
fn a_theme_is_below_the_colors_of_the_file() {
    let (mut config, _) = UserConfig::read("theme = \"night\"\n[colors]\nbad = \"red\"\n");
    assert_eq!(config.theme, Some(ThemeName::File("night".to_owned())));
    let (theme, mistakes) =
        UserConfig::read_theme("base = \"light\"\n[colors]\nbad = \"blue\"\ngood = \"green\"\n");
    assert_eq!((theme.theme.clone(), mistakes), (Some(ThemeName::Builtin(ColorScheme::Light)), Vec::new()));
    config.over_theme(theme);
    let mut colored = Theme::new(LOOK);
    config.color(&mut colored, ColorScheme::Dark);
    assert_eq!([style_text::written(colored.bad), style_text::written(colored.good)], ["red", "green"]);
    let wrong = UserConfig::read_theme("theme = \"dark\"\nbase = \"night\"\n[keys]\n").1;
    assert_eq!(wrong.len(), 3, "{wrong:?}");
}

proptest! {
    #[test]
    fn any_file_is_read(text in "(theme|keys|colors|down|bad|\\[|\\]|=|\"|#|,|j|\n|\\.|[a-z ]){0,40}") {
        let (config, _) = UserConfig::read(&text);
        config.color(&mut Theme::new(LOOK), ColorScheme::Dark);
        UserConfig::read_theme(&text);
    }

    #[test]
    fn a_written_style_is_read_again(text in "(red|on|#[0-9a-f]{6}|[0-9]{1,3}|bold|dim|default| ){0,8}") {
        if let Ok(style) = style_text::parse(&text) {
            prop_assert_eq!(style_text::parse(&style_text::written(style)), Ok(style));
        }
    }
}
