"""Regenerates crates/eval/tests/fixtures/seqeval.json: what seqeval says of random tag sequences.

Each case has tags of a few sentences, blank between words, and what seqeval answers to them:

expected, predicted   the tags, a string for each sentence
accuracy              share of equal tags
detected              the scheme that `auto_detect` finds in the expected tags, or null where it finds none
digits                digits behind the point in the reports
lenient               the default mode: averages and report
strict                scheme -> the same for `mode="strict"`, or null where a tag is not of the scheme

Averages are precision, recall and F1, each micro, macro and weighted. Where a sequence of letters that
no scheme has would let seqeval carry a span over from the sentence before, the case has one sentence.

Example: python eval_fixtures.py
"""

import json
import random
import warnings
from pathlib import Path

from seqeval import scheme as schemes
from seqeval.metrics import (
    accuracy_score,
    classification_report,
    f1_score,
    precision_score,
    recall_score,
)

OUT = Path(__file__).resolve().parents[2] / "crates" / "eval" / "tests" / "fixtures" / "seqeval.json"
SCHEMES = {
    "iob1": (schemes.IOB1, "IB"),
    "iob2": (schemes.IOB2, "BI"),
    "ioe1": (schemes.IOE1, "IE"),
    "ioe2": (schemes.IOE2, "IE"),
    "iobes": (schemes.IOBES, "BIES"),
    "bilou": (schemes.BILOU, "BILU"),
}
TYPES = ["PER", "LOC", "ORG", "a-b", "ÑU", "-x-", "A_LONG_NAME_OF_A_TYPE"]
# Labels that no scheme has: without prefix, without type, with two letters, and other marks.
ODD = ["PER", "LOC", "ER", "B", "I", "E", "S", "X", "O-PER", "BX-PER", "-", ".", ".-PER", "B--", "U-PER", "L-PER", "Ñ-PER"]
DIGITS = [2, 2, 2, 4, 0, 1, 7, 15]
CASES_PER_SCHEME = 25
ODD_CASES = 40
SEED = 2010

Tags = list[list[str]]


def spans(rng: random.Random, name: str, length: int, types: list[str]) -> list[str]:
    """A sentence of well-formed spans."""
    tags: list[str] = []
    while len(tags) < length:
        if rng.random() < 0.5:
            tags.append("O")
            continue
        kind, words = rng.choice(types), rng.choice([1, 1, 1, 2, 2, 3])
        inner = {"iobes": "E", "bilou": "L", "ioe1": "I", "ioe2": "E"}.get(name, "I")
        first = {"iob1": "I", "ioe1": "I", "ioe2": "I"}.get(name, "B")
        alone = {"iobes": "S", "bilou": "U", "ioe2": "E"}.get(name, first)
        letters = alone if words == 1 else first + "I" * (words - 2) + inner
        tags.extend(f"{letter}-{kind}" for letter in letters)
    return tags[:length]


def blur(rng: random.Random, tags: list[str], letters: str, types: list[str], rate: float) -> list[str]:
    """Some tags replaced by others of the scheme."""

    def other() -> str:
        return rng.choice(["O", f"{rng.choice(letters)}-{rng.choice(types)}"])

    return [other() if rng.random() < rate else tag for tag in tags]


def averages(expected: Tags, predicted: Tags, **mode: object) -> list[list[float]]:
    scores = (precision_score, recall_score, f1_score)
    return [
        [float(score(expected, predicted, average=average, **mode)) for average in ("micro", "macro", "weighted")]
        for score in scores
    ]


def answer(expected: Tags, predicted: Tags, digits: int, **mode: object) -> dict | None:
    """Averages and report; null where seqeval refuses the tags or finds no spans at all."""
    try:
        return {
            "averages": averages(expected, predicted, **mode),
            "report": classification_report(expected, predicted, digits=digits, **mode),
        }
    except (ValueError, KeyError):
        return None


def detected(tags: Tags) -> str | None:
    try:
        found = schemes.auto_detect(tags)
    except ValueError:
        return None
    return next(name for name, (scheme, _) in SCHEMES.items() if scheme is found)


def case(expected: Tags, predicted: Tags, digits: int, strict: list[str]) -> dict:
    return {
        "expected": [" ".join(tags) for tags in expected],
        "predicted": [" ".join(tags) for tags in predicted],
        "accuracy": accuracy_score(expected, predicted),
        "detected": detected(expected),
        "digits": digits,
        "lenient": answer(expected, predicted, digits),
        "strict": {
            name: answer(expected, predicted, digits, mode="strict", scheme=SCHEMES[name][0]) for name in strict
        },
    }


def of_scheme(rng: random.Random, name: str, index: int) -> dict:
    letters = SCHEMES[name][1]
    types = rng.sample(TYPES, rng.randint(1, 4))
    lengths = [rng.randint(1, 12) for _ in range(rng.randint(1, 4))]
    expected = [spans(rng, name, length, types) for length in lengths]
    if index % 3 == 2:  # nothing is well-formed
        expected = [blur(rng, tags, letters, types, 0.5) for tags in expected]
    predicted = [blur(rng, tags, letters, types, rng.choice([0.1, 0.3, 1.0])) for tags in expected]
    # One scheme of other letters too, so that refusals are there.
    others = [name, rng.choice([other for other in SCHEMES if other != name])]
    return case(expected, predicted, DIGITS[index % len(DIGITS)], others)


def odd(rng: random.Random, index: int) -> dict:
    tags = ODD + ["O", "O", "O", "B-PER", "I-PER", "E-PER", "S-PER", "I-LOC"]
    length = rng.randint(1, 10)
    expected = [rng.choices(tags, k=length)]
    predicted = [[rng.choice(tags) if rng.random() < 0.3 else tag for tag in expected[0]]]
    return case(expected, predicted, DIGITS[index % len(DIGITS)], [rng.choice(list(SCHEMES))])


def main() -> None:
    warnings.simplefilter("ignore")
    rng = random.Random(SEED)
    cases = [of_scheme(rng, name, index) for name in SCHEMES for index in range(CASES_PER_SCHEME)]
    cases += [odd(rng, index) for index in range(ODD_CASES)]
    # Without a span on either side seqeval's report fails.
    cases = [case for case in cases if case["lenient"] is not None]
    lines = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{len(cases)} cases, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
