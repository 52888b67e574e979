"""Model folders of seeded random weights: the same bytes as `nervio-weights synth`.

The algorithm is described in weights-tools/src/synth.rs; this is it in numpy, without PyTorch.
Every f32 operation is rounded once, so both give the same bits.

Example: python synth.py --shape tinybert --seed 7 out/
"""

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, count, islice
from operator import itemgetter
from pathlib import Path

import numpy as np

SHAPES = Path(__file__).resolve().parent.parent / "shapes"
PRESETS = {
    "beto": ("beto", False),
    "beto-uncased": ("beto", True),
    "mbert": ("mbert", False),
    "tinybert": ("tinybert", True),
}
CONLL_LABELS = ["B-LOC", "B-MISC", "B-ORG", "B-PER", "I-LOC", "I-MISC", "I-ORG", "I-PER", "O"]
TORCH_NAMES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CHARACTERS = [
    (0x21, 0x7E),
    (0xA1, 0xAC),
    (0xAE, 0x17F),
    (0x2013, 0x2014),
    (0x2018, 0x2019),
    (0x201C, 0x201D),
    (0x2026, 0x2026),
    (0x20AC, 0x20AC),
    (0x391, 0x3A1),
    (0x3A3, 0x3A9),
    (0x3B1, 0x3C9),
    (0x410, 0x44F),
    (0x5D0, 0x5EA),
    (0x621, 0x63A),
    (0x641, 0x64A),
    (0x3041, 0x3096),
    (0x30A1, 0x30FA),
    (0x4E00, 0x4FFF),
    (0xAC00, 0xAC5F),
    (0x1F600, 0x1F60F),
    (0x1F1E6, 0x1F1FF),
]
CONSONANTS, VOWELS = "bcdfghjklmnpqrstvwxz", "aeiou"

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
CHUNK = 1 << 20

ACTIVATION_GAIN = 1.75


def mix(z: int) -> int:
    """Output function of SplitMix64."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def mix_all(z: np.ndarray) -> np.ndarray:
    """`mix` of every element of a uint64 array."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def fnv1a(text: str) -> int:
    """64-bit FNV-1a of the UTF-8 bytes."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & MASK
    return value


@dataclass
class TensorSpec:
    """A tensor by canonical name, its shape, and its uniform law `centre ± scale`."""

    canonical: str
    shape: list[int]
    centre: float
    scale: float


def linear(name: str, outputs: int, inputs: int, gain: float) -> Iterator[TensorSpec]:
    yield TensorSpec(f"{name}.weight", [outputs, inputs], 0.0, gain * math.sqrt(3.0 / inputs))
    yield TensorSpec(f"{name}.bias", [outputs], 0.0, 0.1)


def layer_norm(name: str, hidden: int) -> Iterator[TensorSpec]:
    yield TensorSpec(f"{name}.weight", [hidden], 1.0, 0.25)
    yield TensorSpec(f"{name}.bias", [hidden], 0.0, 0.1)


def tensor_specs(config: dict, activation_gain: float) -> Iterator[TensorSpec]:
    """Every tensor of a BertForTokenClassification of this configuration."""
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    tables = [
        ("word", config["vocab_size"], 0.08),
        ("position", config["max_position_embeddings"], 0.03),
        ("token_type", config.get("type_vocab_size", 2), 0.03),
    ]
    for name, rows, scale in tables:
        yield TensorSpec(f"embeddings.{name}_embeddings.weight", [rows, hidden], 0.0, scale)
    yield from layer_norm("embeddings.LayerNorm", hidden)
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}."
        yield from linear(at + "attention.self.query", hidden, hidden, 1.7)
        yield from linear(at + "attention.self.key", hidden, hidden, 1.7)
        yield from linear(at + "attention.self.value", hidden, hidden, 1.0)
        yield from linear(at + "attention.output.dense", hidden, hidden, 0.3)
        yield from layer_norm(at + "attention.output.LayerNorm", hidden)
        yield from linear(at + "intermediate.dense", wide, hidden, activation_gain)
        yield from linear(at + "output.dense", hidden, wide, 0.3)
        yield from layer_norm(at + "output.LayerNorm", hidden)
    yield from linear("classifier", len(config["id2label"]), hidden, 2.5)


def tensor_chunks(spec: TensorSpec, seed: int, dtype: str) -> Iterator[bytes]:
    """Little-endian bytes of a whole tensor, in parts."""
    key = np.uint64(mix(fnv1a(spec.canonical) ^ mix(seed)))
    centre, scale = np.float32(spec.centre), np.float32(spec.scale)
    total = math.prod(spec.shape)
    for start in range(0, total, CHUNK):
        counter = np.arange(start + 1, min(start + CHUNK, total) + 1, dtype=np.uint64)
        bits = mix_all(key + counter * np.uint64(GOLDEN))
        signed = ((bits >> np.uint64(40)).astype(np.int32) - (1 << 23)).astype(np.float32)
        yield store(centre + scale * (signed * np.float32(2.0**-23)), dtype)


def store(values: np.ndarray, dtype: str) -> bytes:
    """f32 values as bytes of `dtype`, rounded to nearest, ties to even."""
    if dtype == "f32":
        return values.astype("<f4").tobytes()
    if dtype == "f16":
        return values.astype("<f2").tobytes()
    bits = values.view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded >> np.uint32(16)).astype("<u2").tobytes()


def syllables(index: int) -> str:
    """Word number `index`: all words of one open syllable first, then all of two, and so on."""
    base = len(CONSONANTS) * len(VOWELS)
    length, words = 1, base
    while index >= words:
        index, length, words = index - words, length + 1, words * base
    word = ""
    for _ in range(length):
        index, digit = divmod(index, base)
        word = CONSONANTS[digit // len(VOWELS)] + VOWELS[digit % len(VOWELS)] + word
    return word


def synthetic_pieces(size: int) -> list[str]:
    """Special tokens, single characters, words of syllables; each piece with its `##` form."""
    characters = (chr(code) for first, last in CHARACTERS for code in range(first, last + 1))
    stems = chain(characters, (syllables(index) for index in count()))
    pieces = (piece for stem in stems for piece in (stem, "##" + stem))
    return list(islice(chain(SPECIALS, pieces), size))


def tokenizer_json(pieces: list[str], lowercase: bool) -> dict:
    """The `tokenizer.json` of a BERT WordPiece tokenizer."""
    ids = {piece: index for index, piece in enumerate(pieces)}
    added = [
        {
            "id": ids[token],
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for token in sorted(SPECIALS, key=ids.__getitem__)
    ]
    cls, first, sep = (
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
    )
    second = [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": lowercase,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [cls, first, sep],
            "pair": [cls, first, sep, *second],
            "special_tokens": {
                token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in ("[CLS]", "[SEP]")
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": ids,
        },
    }


@dataclass
class Recipe:
    """Everything that decides the bytes of a folder."""

    config: dict
    seed: int = 0
    dtype: str = "f32"
    shards: int = 1
    prefix: bool = True
    gamma_beta: bool = False
    vocab: Path | None = None
    lowercase: bool = False
    tokenizer_json: bool = False
    labels: list[str] = field(default_factory=list)
    # Standard deviation of the activation function's inputs.
    activation_gain: float = ACTIVATION_GAIN

    def completed_config(self) -> dict:
        """The configuration as it is written: architecture named, labels always there."""
        config = dict(self.config)
        if self.labels or "id2label" not in config:
            labels = self.labels or CONLL_LABELS
            config["id2label"] = {str(index): label for index, label in enumerate(labels)}
            config["label2id"] = {label: index for index, label in enumerate(labels)}
        config |= {
            "architectures": ["BertForTokenClassification"],
            "model_type": "bert",
            "dtype": TORCH_NAMES[self.dtype],
        }
        return config

    def file_name(self, canonical: str) -> str:
        """The name in the file of a canonical name."""
        name = canonical
        if self.gamma_beta:
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                "LayerNorm.bias", "LayerNorm.beta"
            )
        return f"bert.{name}" if self.prefix and not canonical.startswith("classifier.") else name


def write_json(file: Path, value: dict) -> None:
    file.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def write_tokenizer(recipe: Recipe, config: dict, out: Path) -> None:
    """vocab.txt or tokenizer.json, and tokenizer_config.json."""
    if recipe.vocab:
        text = recipe.vocab.read_text(encoding="utf-8")
    else:
        text = "\n".join(synthetic_pieces(config["vocab_size"])) + "\n"
    pieces = text.removesuffix("\n").split("\n")
    if len(pieces) != config["vocab_size"]:
        raise ValueError(f"{recipe.vocab}: {len(pieces)} pieces, expected vocab_size {config['vocab_size']}")
    if recipe.tokenizer_json:
        write_json(out / "tokenizer.json", tokenizer_json(pieces, recipe.lowercase))
    else:
        (out / "vocab.txt").write_text(text, encoding="utf-8")
    write_json(
        out / "tokenizer_config.json",
        {
            "do_lower_case": recipe.lowercase,
            "model_max_length": config["max_position_embeddings"],
            "tokenizer_class": "BertTokenizer",
        },
    )


def synth_to_folder(recipe: Recipe, out: Path) -> None:
    """Writes the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    config = recipe.completed_config()
    write_json(out / "config.json", config)
    write_tokenizer(recipe, config, out)
    specs = tensor_specs(config, recipe.activation_gain)
    named = sorted(((recipe.file_name(spec.canonical), spec) for spec in specs), key=itemgetter(0))
    weight_map, total = {}, 0
    for shard in range(recipe.shards):
        first, last = (bound * len(named) // recipe.shards for bound in (shard, shard + 1))
        file = (
            f"model-{shard + 1:05}-of-{recipe.shards:05}.safetensors"
            if recipe.shards > 1
            else "model.safetensors"
        )
        total += write_safetensors(out / file, named[first:last], recipe)
        weight_map |= dict.fromkeys((name for name, _ in named[first:last]), file)
    if recipe.shards > 1:
        write_json(
            out / "model.safetensors.index.json",
            {"metadata": {"total_size": total}, "weight_map": weight_map},
        )


def write_safetensors(file: Path, specs: list[tuple[str, TensorSpec]], recipe: Recipe) -> int:
    """Writes one file tensor by tensor; answers the bytes of all tensors."""
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, spec in specs:
        start, end = end, end + math.prod(spec.shape) * (4 if recipe.dtype == "f32" else 2)
        header[name] = {"dtype": recipe.dtype.upper(), "shape": spec.shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for _, spec in specs:
            out.writelines(tensor_chunks(spec, recipe.seed, recipe.dtype))
    return end


def preset(name: str) -> tuple[dict, bool]:
    """Configuration and casing of a shape: a preset's name or the path of a config.json."""
    file, lowercase = PRESETS.get(name, (None, False))
    path = SHAPES / f"{file}.json" if file else Path(name)
    return json.loads(path.read_text(encoding="utf-8")), lowercase


def setting(text: str) -> tuple[str, object]:
    key, _, value = text.partition("=")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", required=True, help=f"{', '.join(PRESETS)} or a config.json")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=TORCH_NAMES, default="f32")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--set", type=setting, action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--labels", type=lambda text: text.split(","), default=[])
    parser.add_argument("--vocab", type=Path)
    parser.add_argument("--lowercase", action="store_true")
    parser.add_argument("--tokenizer-json", action="store_true")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--no-prefix", action="store_true")
    parser.add_argument("--gamma-beta", action="store_true")
    parser.add_argument("--activation-gain", type=float, default=ACTIVATION_GAIN)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    config, lowercase = preset(args.shape)
    config |= dict(args.set)
    if args.layers:
        config["num_hidden_layers"] = args.layers
    synth_to_folder(
        Recipe(
            config=config,
            seed=args.seed,
            dtype=args.dtype,
            shards=args.shards,
            prefix=not args.no_prefix,
            gamma_beta=args.gamma_beta,
            vocab=args.vocab,
            lowercase=args.lowercase or lowercase,
            tokenizer_json=args.tokenizer_json,
            labels=args.labels,
            activation_gain=args.activation_gain,
        ),
        args.out,
    )


if __name__ == "__main__":
    main()
