//! The page around the documents.

use std::fmt::Write;

use super::super::palette::{INK_ON_DARK, INK_ON_LIGHT, PALETTE};

/// Everything but the labels' colours.
const STYLE: &str = include_str!("page.css");

/// The page up to its first document.
pub(super) fn head() -> String {
    format!(
        "<!doctype html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Named entities</title>\n<style>\n{STYLE}\n{}</style>\n</head>\n<body>\n<main>\n",
        label_styles()
    )
}

/// One class a colour of the palette, for light and for dark pages.
fn label_styles() -> String {
    let mut styles = format!("mark {{ color: #{INK_ON_LIGHT:06x}; }}\n");
    let mut dark = format!("  mark {{ color: #{INK_ON_DARK:06x}; }}\n");
    for (slot, colour) in PALETTE.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(styles, ".c{slot} {{ background: #{:06x}; }}", colour.light);
        let _ = writeln!(dark, "  .c{slot} {{ background: #{:06x}; }}", colour.dark);
    }
    styles + "\n@media screen and (prefers-color-scheme: dark) {\n" + &dark + "}\n"
}
