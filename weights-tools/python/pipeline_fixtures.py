"""Regenerates tests/fixtures/pipeline/es-ner-base.json: what transformers' pipeline answers.

`pipeline("token-classification")` on the Spanish model, weights in f32, eager attention, one text at a
time, for every aggregation strategy; and once with a stride on a text longer than the model. Scores
are rounded to six digits. `departures` says on which texts nervio answers otherwise unless told not to:
`removed-character` where the pipeline takes a piece for a continuation although it has no `##` (a removed
character makes its range longer than the piece), `special-token` where the text spells one out.

Example: python pipeline_fixtures.py        (needs ../shared/models beside the project)
"""

import json
from pathlib import Path

import torch
import transformers
from transformers import TokenClassificationPipeline
from transformers.utils import logging

import reference

ROOT = Path(__file__).resolve().parents[2]
MODEL = "../shared/models/es-ner-base"
OUT = ROOT / "tests" / "fixtures" / "pipeline" / "es-ner-base.json"
STRATEGIES = ["none", "simple", "first", "average", "max"]
STRIDE = 64

TEXTS = [
    "Me llamo Wolfgang y vivo en Berlín",
    "El presidente Pedro Sánchez viajó ayer a Bruselas.",
    "¿Dónde está María Fernández? ¡En Málaga, con José Ángel Núñez!",
    "«El Quijote», de Miguel de Cervantes, se publicó en Madrid en 1605.",
    "El Real Madrid ganó al F.C. Barcelona por 3-1 en el Santiago Bernabéu.",
    "La ONU, la OTAN y la Unión Europea se reunieron en Ginebra.",
    "O'Brien y D'Alessandro llegaron a L'Hospitalet de Llobregat.",
    "La empresa U.S. Steel cotiza en EE.UU. desde 1901.",
    "Telefónica S.A. compró la brasileña Telesp en São Paulo.",
    "Ana\u00adbel vive en Bar\u00adcelona",
    "Lucía\u200b García trabaja en Sevilla",
    "Hola 👋 soy Íñigo 🇪🇸 y vengo de Logroño 👨‍👩‍👧",
    "García-Márquez nació en Aracataca (Colombia) en 1927; murió en México D.F.",
    "EFE, Buenos Aires, 14 may.- El ministro Domingo Cavallo dimitió.",
    "LA POLICÍA NACIONAL DETIENE A JUAN LÓPEZ EN BILBAO",
    "el ayuntamiento de zaragoza y la diputación de huesca",
    "...",
    "¿?¡! — «»",
    "a",
    "   \t  ",
    "Sant\u2019Angelo, l\u2019Hospitalet y Coro\u0301n\u0303a",
    "El Ñuble, el Paraná y el Río de la Plata\ncruzan Chile\r\ny Argentina",
    "IBM, Microsoft y Google invirtieron 3.500 millones de € en Iberia",
    "東京 y 北京 son capitales de Japón y China",
    "La Copa del Mundo y los Juegos Olímpicos de Sydney 2000 dieron fama a Cathy Freeman",
    "Dr. Juan Carlos I. Pérez-Reverte, Universidad Autónoma de Nuevo León, Monterrey",
    "[CLS] Juan vive en [MASK] y Pedro en Roma [SEP]",
]

PEOPLE = [
    "Carmen Ortiz",
    "el general Ramón Blanco",
    "Julio Iglesias",
    "la jueza Elena Ruiz",
    "Antonio Machado",
]
PLACES = ["Valencia", "Buenos Aires", "La Habana", "Castilla y León", "Nueva York", "Tenerife", "Lima"]
ORGANISATIONS = ["el Banco de España", "la Cruz Roja", "Repsol YPF", "el Partido Popular"]


def long_text() -> str:
    """Sixty sentences from templates: about twice what the model takes at once."""
    templates = [
        "{person} llegó a {place} invitado por {organisation}.",
        "Según {organisation}, {person} no volverá a {place} este año.",
        "En {place}, {person} criticó a {organisation} y a sus socios.",
    ]
    return " ".join(
        templates[n % 3].format(
            person=PEOPLE[n % len(PEOPLE)],
            place=PLACES[n % len(PLACES)],
            organisation=ORGANISATIONS[n % len(ORGANISATIONS)],
        )
        for n in range(60)
    )


def plain(item: dict) -> dict:
    """One answer with numbers that JSON knows."""
    return {
        key: round(float(value), 6) if key == "score" else value if isinstance(value, str) else int(value)
        for key, value in item.items()
    }


def departures(tokenizer, text: str) -> list[str]:
    """Why nervio's answers on this text are other ones by default."""
    encoding = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    tokens = tokenizer.convert_ids_to_tokens(encoding["input_ids"])
    lengths = [end - start for start, end in encoding["offset_mapping"]]
    known = [
        (token, length)
        for token, length in zip(tokens, lengths, strict=True)
        if token not in tokenizer.all_special_tokens
    ]
    mistaken = any((len(token) != length) != token.startswith("##") for token, length in known)
    spelled = any(token in text for token in tokenizer.all_special_tokens)
    return ["removed-character"] * mistaken + ["special-token"] * spelled


def main() -> None:
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    tokenizer, model = reference.load(ROOT / MODEL)
    pipe = TokenClassificationPipeline(model=model, tokenizer=tokenizer)
    texts = []
    for text in TEXTS:
        answers = {
            name: [plain(item) for item in pipe(text, aggregation_strategy=name)] for name in STRATEGIES
        }
        texts.append({"text": text, "departures": departures(tokenizer, text), "answers": answers})
    text = long_text()
    pieces = len(tokenizer(text, truncation=False)["input_ids"]) - 2
    strided = {
        name: [plain(item) for item in pipe(text, aggregation_strategy=name, stride=STRIDE)]
        for name in STRATEGIES[1:]
    }
    fixture = {
        "model": MODEL,
        "made_with": {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]},
        "texts": texts,
        "strided": {
            "text": text,
            "pieces": pieces,
            "max_length": tokenizer.model_max_length,
            "stride": STRIDE,
            "answers": strided,
        },
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(fixture, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
