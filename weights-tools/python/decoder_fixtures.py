"""Regenerates crates/ner/tests/fixtures/hugging_face.json: transformers' aggregation on made-up logits.

Random texts of a small cased or uncased vocabulary, with accents, characters that the tokenizer drops,
unknown words and punctuation; random label sets, also such that follow no scheme; random logits. The
answers are those of `TokenClassificationPipeline.postprocess`, for every strategy and, with a stride, for
the windows that the tokenizer cuts. Every piece has the same logits in all windows.

All offsets are bytes. Per case: `pieces` are [token, start, end, word, is_unknown], `logits` are thousandths,
`answers` are [label, score, start, end, word, index].

Example: python decoder_fixtures.py
"""

import json
import random
import tempfile
from pathlib import Path
from types import SimpleNamespace

import torch
import transformers
from transformers import BertTokenizerFast, TokenClassificationPipeline
from transformers.pipelines.token_classification import AggregationStrategy

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "crates" / "ner" / "tests" / "fixtures" / "hugging_face.json"
STRATEGIES = ["none", "simple", "first", "average", "max"]
CASES = 300
SEED = 20240229

WORDS = """Wolf ##gang vive en Ber ##lin ##lín Ana ana ab a ##b ##n U S . , - ' ’ ? ! « » ( ) & / O Brien New York
    l Hos ##pita ##let ñ ##ñ café cafe 日 本 3 5 ##5 ber ##e do not n ##t m s ve wolf new york u o brien""".split()
PARTS = """Wolfgang Berlin Berlín Ana Anab U.S. O'Brien New-York l’Hospitalet café cafe\u0301 a\u200bb A\u00adna
    Wolf\u200dgang ab? Ana! , . «Ana» (Berlin) 日本 3.5 xyzzy 👍 n't do not 's can't & / vive en ber\u0301lin \u0301""".split()
LABEL_SETS = [
    ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"],
    ["B-LOC", "B-MISC", "B-ORG", "B-PER", "I-LOC", "I-MISC", "I-ORG", "I-PER", "O"],
    ["O", "B-PER", "I-PER", "E-PER", "S-PER"],
    ["O", "PER", "LOC"],
    ["O", "B-a-b", "I-a-b", "a-b", "B-O"],
    ["LABEL_0", "LABEL_1", "LABEL_2"],
    ["O", "I-PER", "I-LOC", "B-PER"],
]


def tokenizer(folder: Path, *, lowercase: bool) -> BertTokenizerFast:
    """A tokenizer of the small vocabulary."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(WORDS)]
    file = folder / f"vocab-{lowercase}.txt"
    file.write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    return BertTokenizerFast(vocab=str(file), do_lower_case=lowercase)


def rows(rng: random.Random, pieces: int, labels: list[str]) -> list[list[int]]:
    """Logits in thousandths: mostly one clear label, at times a close race or a tie."""
    answer = []
    for _ in range(pieces):
        row = [rng.randint(-2000, 2000) for _ in labels]
        sure = rng.choice([0, 1500, 4000, 9000])
        if rng.random() < 0.3 and "O" in labels:
            row[labels.index("O")] += sure
        else:
            row[rng.randrange(len(labels))] += sure
        if rng.random() < 0.05:
            row[rng.randrange(len(labels))] = max(row)
        answer.append(row)
    return answer


def outputs(encoding, windows: int, text: str, logits: list[list[int]]) -> list[dict]:
    """What the model would hand over to `postprocess`, one window each."""
    special = [[0] * len(logits[0])] if logits else [[0]]
    start, answer = 0, []
    for index in range(windows):
        kept = len(encoding["input_ids"][index]) - 2
        table = special + logits[start : start + kept] + special
        answer.append(
            {
                "logits": torch.tensor([table], dtype=torch.float32) / 1000,
                "sentence": text,
                "input_ids": torch.tensor([encoding["input_ids"][index]]),
                "offset_mapping": torch.tensor([encoding["offset_mapping"][index]]),
                "special_tokens_mask": torch.tensor([encoding["special_tokens_mask"][index]]),
            }
        )
        start += kept - encoding.stride
    return answer


def case(rng: random.Random, tokenizers: list[BertTokenizerFast]) -> dict:
    """One text with its pieces, logits and answers."""
    tokens = rng.choice(tokenizers)
    labels = rng.choice(LABEL_SETS)
    text = "".join(rng.choice(PARTS) + rng.choice([" ", " ", " ", "", "  "]) for _ in range(rng.randint(1, 8)))
    whole = tokens(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, count = whole["input_ids"], len(whole["input_ids"])

    def byte(char: int) -> int:
        return len(text[:char].encode())

    logits = rows(rng, count, labels)
    capacity = rng.choice([count + 5, rng.randint(2, 9)])
    stride = rng.randint(0, capacity - 1)
    windows = tokens(
        text,
        max_length=capacity + 2,
        stride=stride,
        truncation=True,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
    )
    windows.stride = stride
    pipe = TokenClassificationPipeline.__new__(TokenClassificationPipeline)
    pipe.tokenizer = tokens
    pipe.model = SimpleNamespace(config=SimpleNamespace(id2label=dict(enumerate(labels))))
    given = outputs(windows, len(windows["input_ids"]), text, logits)
    strategies = STRATEGIES if len(given) == 1 else STRATEGIES[1:]
    answers = {
        name: [
            [
                item.get("entity", item.get("entity_group")),
                round(float(item["score"]), 7),
                byte(int(item["start"])),
                byte(int(item["end"])),
                item["word"],
                item.get("index"),
            ]
            for item in pipe.postprocess(given, AggregationStrategy(name))
        ]
        for name in strategies
    }
    pieces = [
        [token, byte(start), byte(end), word, token_id == tokens.unk_token_id]
        for token, (start, end), word, token_id in zip(
            tokens.convert_ids_to_tokens(ids), whole["offset_mapping"], whole.word_ids(), ids, strict=True
        )
    ]
    return {
        "text": text,
        "labels": labels,
        "pieces": pieces,
        "logits": logits,
        "capacity": capacity,
        "stride": stride,
        "windows": len(given),
        "answers": answers,
    }


def main() -> None:
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        tokenizers = [tokenizer(Path(folder), lowercase=lowercase) for lowercase in (False, True)]
        cases = [case(rng, tokenizers) for _ in range(CASES)]
    lines = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    head = json.dumps({"transformers": transformers.__version__})
    OUT.write_text(f'{{"made_with": {head},\n"cases": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
