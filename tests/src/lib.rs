//! Helpers shared by the whole-program tests.
#![forbid(unsafe_code)]
#![allow(clippy::panic, reason = "tests fail by panicking")]

pub mod program;

use std::path::{Path, PathBuf};

/// The root of the project.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A path below `../shared`, the data that is too large or not free to commit; `None` when it is
/// not there, which is printed, and fails if `NERVIO_REQUIRE_SHARED` is 1.
///
/// # Panics
///
/// When the data is required and missing.
#[must_use]
pub fn shared(path: &str) -> Option<PathBuf> {
    let path = root().join("../shared").join(path);
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var("NERVIO_REQUIRE_SHARED").is_ok_and(|value| value == "1");
    assert!(!required, "{} is required and missing", path.display());
    println!("skipped: {} is not there", path.display());
    None
}

/// Names, places and organisations for texts of any length.
const PEOPLE: [&str; 8] = [
    "Carmen Ortiz",
    "Antonio Machado",
    "Elena Ruiz",
    "Julio Iglesias",
    "Ramón Blanco",
    "María José Núñez",
    "Pedro Sánchez",
    "Gabriela Mistral",
];
const PLACES: [&str; 8] = [
    "Madrid",
    "Buenos Aires",
    "La Habana",
    "Nueva York",
    "Castilla y León",
    "Lima",
    "São Paulo",
    "Berlín",
];
const BODIES: [&str; 6] = [
    "el Banco de España",
    "la Cruz Roja",
    "Telefónica",
    "el Partido Popular",
    "la Organización de las Naciones Unidas",
    "Repsol YPF",
];

/// A Spanish text of at least `words` words, made of sentences that vary with their number.
#[must_use]
pub fn spanish_text(words: usize) -> String {
    let mut text = String::new();
    let mut count = 0;
    let mut sentence = 0;
    while count < words {
        let pick = |list: &[&'static str], step: usize| {
            list[(sentence * step + sentence / 5) % list.len()]
        };
        let (person, place, body) = (pick(&PEOPLE, 3), pick(&PLACES, 5), pick(&BODIES, 1));
        let next = match sentence % 4 {
            0 => format!("{person} llegó ayer a {place} invitado por {body}."),
            1 => format!("Según {body}, {person} no volverá a {place} este año."),
            2 => format!("En {place} llueve, y nadie sabe por qué las calles siguen vacías."),
            _ => format!(
                "¿Quién dijo en {place} que {person} dejaría {body} en {}?",
                1990 + sentence % 30
            ),
        };
        count += next.split_whitespace().count();
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&next);
        sentence += 1;
    }
    text
}
