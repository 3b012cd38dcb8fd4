//! Styles as text: `#ff7a85 bold`, `black on cyan`, `underlined`.

use ratatui::style::{Color, Modifier, Style};
use zerver_trace::nearest_name;

const ATTRIBUTES: [(&str, Modifier); 5] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
];

/// Colors of the terminal.
const COLORS: [(&str, Color); 17] = [
    ("default", Color::Reset),
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("gray", Color::Gray),
    ("dark-gray", Color::DarkGray),
    ("light-red", Color::LightRed),
    ("light-green", Color::LightGreen),
    ("light-yellow", Color::LightYellow),
    ("light-blue", Color::LightBlue),
    ("light-magenta", Color::LightMagenta),
    ("light-cyan", Color::LightCyan),
    ("white", Color::White),
];

/// Reads a style.
///
/// # Errors
/// With the word that is wrong, and a similar one if there is one.
pub(super) fn parse(text: &str) -> Result<Style, String> {
    let mut style = Style::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        if word == "on" {
            let color = words.next().ok_or("a color follows `on`")?;
            style = style.bg(color_named(color)?);
        } else if let Some((_, attribute)) = ATTRIBUTES.iter().find(|(name, _)| *name == word) {
            style = style.add_modifier(*attribute);
        } else if style.fg.is_some() {
            return Err(format!("{word} is a second color; write `on {word}` for the background"));
        } else {
            style = style.fg(color_named(word)?);
        }
    }
    Ok(style)
}

fn color_named(word: &str) -> Result<Color, String> {
    if let Some((_, color)) = COLORS.iter().find(|(name, _)| *name == word) {
        return Ok(*color);
    }
    if let Some(digits) = word.strip_prefix('#') {
        let number = u32::from_str_radix(digits, 16).ok();
        let is_whole = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        return number
            .filter(|_| is_whole)
            .map(Color::from_u32)
            .ok_or_else(|| format!("{word} is no color: write six hexadecimal digits, such as #ff7a85"));
    }
    if let Ok(index) = word.parse() {
        return Ok(Color::Indexed(index));
    }
    let names = COLORS.iter().map(|(name, _)| *name).chain(ATTRIBUTES.iter().map(|(name, _)| *name));
    Err(match nearest_name(word, names) {
        Some(near) => format!("{word} is no color or attribute; did you mean {near}?"),
        None => format!(
            "{word} is no color: write #rrggbb, a number up to 255, or a name such as red or light-blue"
        ),
    })
}

/// Returns a text that [`parse`] reads as the style.
pub(super) fn written(style: Style) -> String {
    let mut words: Vec<String> = style.fg.map(color_text).into_iter().collect();
    words.extend(style.bg.map(|color| format!("on {}", color_text(color))));
    let has = |attribute: &&(&str, Modifier)| style.add_modifier.contains(attribute.1);
    words.extend(ATTRIBUTES.iter().filter(has).map(|(name, _)| (*name).to_owned()));
    words.join(" ")
}

fn color_text(color: Color) -> String {
    if let Some((name, _)) = COLORS.iter().find(|(_, known)| *known == color) {
        return (*name).to_owned();
    }
    match color {
        Color::Indexed(index) => index.to_string(),
        other => other.to_string().to_lowercase(),
    }
}
