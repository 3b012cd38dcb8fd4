//! The frame of a file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::page::assets::STYLE;

/// Puts a view into a file of its own.
pub(super) fn document(title: &str, content: &Markup) -> String {
    // The hash is that of the text of the element, to the byte.
    let style = compact(STYLE);
    let hash = STANDARD.encode(Sha256::digest(style.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title) " · zerver" }
                link rel="icon" href="data:,";
                // It is our own, and has no character that ends the element.
                style { (PreEscaped(&style)) }
            }
            body {
                main { (content) }
                footer { p.secondary { "Written by zerver " (env!("CARGO_PKG_VERSION")) ". Secrets are masked." } }
            }
        }
    };
    page.into_string()
}

/// Removes indentation and line breaks from the style.
fn compact(style: &str) -> String {
    style.lines().map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_loads_nothing_and_its_style_is_the_one_that_its_policy_admits() {
        let file = document("<title>", &html! { p { "<b>" } });
        assert!(file.contains("<title>&lt;title&gt; · zerver</title>") && file.contains("<p>&lt;b&gt;</p>"));
        let (_, style) = file.split_once("<style>").unwrap();
        let (style, _) = style.split_once("</style>").unwrap();
        let hash = STANDARD.encode(Sha256::digest(style.as_bytes()));
        assert!(
            file.contains(&format!("style-src &#39;sha256-{hash}&#39;"))
                || file.contains(&format!("'sha256-{hash}'"))
        );
        assert!(!style.contains('<') && !file.contains("<script") && !file.contains("src="));
    }
}
