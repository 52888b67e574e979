//! A colour for every label, the same in every run and every document.

/// A label's colour on the terminal and in a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour {
    /// On the terminal.
    pub(super) ansi: anstyle::AnsiColor,
    /// Background in a light page, `0xRRGGBB`; the text on it is [`INK_ON_LIGHT`].
    pub(super) light: u32,
    /// Background in a dark page; the text on it is [`INK_ON_DARK`].
    pub(super) dark: u32,
}

/// Text on the light backgrounds.
pub(super) const INK_ON_LIGHT: u32 = 0x1a_1a_1f;
/// Text on the dark backgrounds.
pub(super) const INK_ON_DARK: u32 = 0xf6_f6_f8;

const fn colour(ansi: anstyle::AnsiColor, light: u32, dark: u32) -> Colour {
    Colour { ansi, light, dark }
}

/// The first four are kept for the CoNLL types, the others are for the rest.
pub(super) const PALETTE: [Colour; 12] = {
    use anstyle::AnsiColor::{
        Blue, BrightBlue, BrightCyan, BrightGreen, BrightMagenta, BrightRed, BrightYellow, Cyan,
        Green, Magenta, Red, Yellow,
    };
    [
        colour(Yellow, 0xff_d6_9e, 0x6e_43_00),
        colour(Green, 0xb4_ea_c0, 0x14_53_2d),
        colour(Blue, 0xb9_d7_ff, 0x1c_43_80),
        colour(Magenta, 0xe8_c9_ff, 0x5b_2a_86),
        colour(Cyan, 0xaf_eb_ea, 0x0e_52_58),
        colour(Red, 0xff_c6_d2, 0x7d_22_42),
        colour(BrightYellow, 0xf3_ec_96, 0x5a_50_00),
        colour(BrightGreen, 0xd5_e5_9b, 0x44_58_12),
        colour(BrightBlue, 0xd3_ce_ff, 0x40_3b_90),
        colour(BrightRed, 0xff_cc_ba, 0x7c_36_22),
        colour(BrightCyan, 0xcc_dd_e8, 0x3a_4e_5e),
        colour(BrightMagenta, 0xe3_d6_c6, 0x57_4b_3b),
    ]
};

/// How many colours are kept for known types.
const RESERVED: usize = 4;

/// The place of `label`'s colour in [`PALETTE`]: that of its type where it is one of the usual
/// four, else by a hash of the type, so that it never depends on the document.
pub(super) fn slot(label: &str) -> usize {
    let kind = without_prefix(label).to_uppercase();
    match kind.as_str() {
        "PER" | "PERS" | "PERSON" => 0,
        "LOC" | "LOCATION" | "GPE" => 1,
        "ORG" | "ORGANIZATION" | "ORGANISATION" => 2,
        "MISC" => 3,
        _ => RESERVED + (fnv1a(kind.as_bytes()) % (PALETTE.len() - RESERVED) as u64) as usize,
    }
}

/// The colour of `label`.
pub(super) fn colour_of(label: &str) -> Colour {
    PALETTE.get(slot(label)).copied().unwrap_or(PALETTE[0])
}

/// `PER` of `B-PER`: raw tags share the colour of their type.
fn without_prefix(label: &str) -> &str {
    match label.split_once('-') {
        Some(("B" | "I" | "E" | "S" | "L" | "U", kind)) => kind,
        _ => label,
    }
}

/// The FNV-1a hash, which stays the same on every machine and in every version.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of `0xRRGGBB` by WCAG 2.
    fn luminance(colour: u32) -> f64 {
        let channel = |shift: u32| {
            let value = f64::from((colour >> shift) & 0xff) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(16) + 0.7152 * channel(8) + 0.0722 * channel(0)
    }

    fn contrast(first: u32, second: u32) -> f64 {
        let (first, second) = (luminance(first), luminance(second));
        (first.max(second) + 0.05) / (first.min(second) + 0.05)
    }

    #[test]
    fn text_has_the_contrast_of_wcag_aaa() {
        for colour in PALETTE {
            let light = contrast(colour.light, INK_ON_LIGHT);
            let dark = contrast(colour.dark, INK_ON_DARK);
            assert!(light >= 7.0 && dark >= 7.0, "{colour:x?}: {light:.1} {dark:.1}");
        }
    }

    #[test]
    fn usual_types_have_their_own_colours_under_all_their_names() {
        let labels = ["PER", "LOC", "ORG", "MISC"];
        assert_eq!(labels.map(slot), [0, 1, 2, 3]);
        let others = ["B-PER", "location", "S-ORG", "misc"];
        assert_eq!(others.map(slot), [0, 1, 2, 3]);
    }

    #[test]
    fn other_labels_never_change_their_colour() {
        assert_eq!(["DATE", "PHONE-NUMBER", "", "<script>"].map(slot), [5, 7, 9, 10]);
        assert_eq!(slot("B-DATE"), slot("DATE"));
    }
}
