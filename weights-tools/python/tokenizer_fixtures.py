"""Regenerates crates/tokenizer/tests/fixtures: what Hugging Face's fast BertTokenizer answers.

Every file is the output of transformers' BertTokenizer (the `tokenizers` package underneath), run
without special tokens around the text and without truncation. The same versions give the same bytes.

vocab.txt, tokenizer.json   a small vocabulary of our own, and the same as the library saves it (uncased)
vectors.json                the golden vectors of the reference, with their pre-tokens
unicode.json                random Unicode strings from a fixed seed, and random pre-split words
unicode.MODEL.txt           digests of the same for the vocabularies of three models
typed_specials.json         texts with typed special tokens, which are cut out of the text here only
added_tokens.json           texts with added tokens of every kind (added_tokens.config.json lists the tokens)
codepoints.{cased,uncased}.txt   every code point beside letters: run lengths of block digests
conll/MODEL.CORPUS.txt      digests of CoNLL-2002 Spanish: joined words, then words as given

A case is `{"text": ..., "cased": [...], "uncased": [...]}`; a list of pieces is flat, four numbers a
piece: id, start, end (code points of the text), word. Pre-split words are joined by one space; offsets
count from the start of the joined text, and `word` is the index of the given word.

A digest is 64-bit FNV-1a, 16 hex digits, over little-endian u32: per text the number of pieces, then
id, start, end, word of each. One digest covers a sentence, as joined words and as given words (conll; the
texts themselves may not be passed on), a case (unicode), or the 256 code points of a block (codepoints).

Example: python tokenizer_fixtures.py            (needs ../shared beside the project)
"""

import json
import random
import struct
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from transformers import AddedToken, BertTokenizer

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "crates" / "tokenizer" / "tests" / "fixtures"
SHARED = ROOT.parent / "shared"

SPECIALS = ["[MASK]", "[PAD]", "[EOS]", "[UNK]", "[CLS]", "[SEP]"]  # BETO's order: ids 0, 1, 3, 4, 5
CASINGS = {"cased": False, "uncased": True}
MODELS = {
    "es-ner-base": ("es-ner-base", False),
    "beto-cased": ("beto/cased", False),
    "beto-uncased": ("beto/uncased", True),
}
SEED = 2002

# Golden texts; the pre-tokens written beside them in the reference are asserted by the Rust tests too.
VECTORS = [
    "a_b", "@user#tag", "e-mail", "3.5€", "¡Hola!", "l’Hospitalet", "日本語テスト",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "a\u2028b", "x\x85y", "a\u0378b", "\U0002b830a",
    "a\x0bb", "a\x0cb", "a\x1cb", "a\x1fb", "a\u200bb", "a\u00adb", "a\u200db", "a\ufeffb", "a\ue000b",
    "a\x00b", "a\ufffdb", "a\tb\nc\rd", "a\u00a0b", "cafe\u0301", "café", "CAFÉ", "İstanbul", "ΟΔΟΣ",
    "½ № £ €", "¿Qué?", "«hola»", "uno—dos…", "O'Brien", "U.S.", "ひらがな", "한국어", "ไทย", "\U0002b81fa\U0002b920b",
    "\u9fffa\u3400b\uf900c\U0002f800d", "ñandú", "ÑANDÚ", "a" * 100, "a" * 101, "x " + "b" * 101 + " y", "", " ", "\x00",
    "a\U0001d16d\U0001d165b", "a\u302e\U0001d165\u0323\U0001d16db", "[SEP]", "##a", "a\u037eb", "\u1f88\u1f80", "\u212b\u2126\ufb01",
]  # fmt: skip
# Whole words in the vocabulary, so that the vectors show pre-tokens and greedy longest matches.
WORDS = [
    "user", "tag", "mail", "Hola", "hola", "Hospitalet", "hospitalet", "ab", "xy", "café", "cafe", "Istanbul", "istanbul",
    "οδος", "οδοσ", "Brien", "brien", "uno", "dos", "Madrid", "madrid", "ña", "nandu", "##ndú", "##ndu", "##ana", "##ción",
    "##cion", "SEP", "sep", "CLS", "cls", "MASK", "mask", "PAD", "pad", "UNK", "unk", "\U0001f468\U0001f469\U0001f467", "a\u0378b",
    "\U0002b830a", "’", "—", "…", "日", "本", "語",
    "##€", *(f"##{mark}" for mark in "\u302e\u302f\U0001d165\U0001d16d\U0001d16e\u1ac0\u1ace\U00010efd\U00010eab"),
]  # fmt: skip
# Characters that are a piece of their own, at the start of a word and inside it: (first, last).
ALPHABET = [
    (0x21, 0x7E), (0xA1, 0x17F), (0x301, 0x30C), (0x391, 0x3C9), (0x410, 0x44F), (0x5D0, 0x5EA), (0x627, 0x64A), (0x905, 0x920),
    (0xE01, 0xE10), (0x1100, 0x1112), (0x1161, 0x1175), (0x11A8, 0x11C2), (0x3041, 0x3060), (0x30A2, 0x30C8), (0x4E00, 0x4E20),
    (0xAC00, 0xAC20), (0x1F600, 0x1F640), (0x20000, 0x20010),
]  # fmt: skip
# Marks that NFD puts in order and that accent stripping does not all drop (not Mn, or newer than the
# library's tables), with some that are dropped, and a joiner that hides between them.
REORDERED = list("\u302e\u302f\U0001d165\U0001d16d\U0001d16e\u1ac0\u1ace\U00010efd\U00010eab\u0323\u0301\u3099\u094d\u200d")
# Added tokens with their flags: cut out of raw or of normalised text, new or in the vocabulary.
ADDED = [
    ("<e1>", ["normalized"]), ("<É2>", ["normalized", "lstrip", "rstrip"]), ("[x]", []), ("<s>", ["special"]),
    ("<S2>", ["special", "normalized", "lstrip"]), ("ana", ["single_word", "normalized"]), ("foo", ["single_word", "rstrip"]),
    ("Foo bar", ["normalized", "lstrip"]), ("SEP]", ["rstrip"]), ("madrid", ["normalized"]), ("ß日", ["normalized", "lstrip", "rstrip"]),
]  # fmt: skip
# Scalars below this bound are single pieces of the code point vocabulary: everything that is assigned
# and can come out of lower-casing or NFD.
CODEPOINT_VOCABULARY_END = 0x32000


def is_control_or_space(char: str) -> bool:
    """Cc or White_Space: cannot be a line of a vocabulary."""
    return unicodedata.category(char) in {"Cc", "Zs", "Zl", "Zp"}


def small_vocabulary() -> list[str]:
    """The lines of vocab.txt."""
    chars = [chr(code) for first, last in ALPHABET for code in range(first, last + 1)]
    visible = [char for char in chars if not is_control_or_space(char)]
    return list(dict.fromkeys(SPECIALS + WORDS + visible + [f"##{char}" for char in visible]))


def codepoint_vocabulary() -> list[str]:
    """The specials, then every visible scalar below the bound, then the same as continuations."""
    scalars = [chr(code) for code in range(CODEPOINT_VOCABULARY_END) if not 0xD800 <= code < 0xE000]
    visible = [char for char in scalars if not is_control_or_space(char)]
    return SPECIALS + visible + [f"##{char}" for char in visible]


def tokenizer_of(vocabulary: list[str], lowercase: bool, typed_specials_are_text: bool = True) -> BertTokenizer:
    """The library's fast tokenizer over these lines."""
    ids = {token: index for index, token in enumerate(vocabulary)}
    tokenizer = BertTokenizer(vocab=ids, do_lower_case=lowercase)
    tokenizer.backend_tokenizer.encode_special_tokens = typed_specials_are_text
    return tokenizer


def tokenizer_of_model(model: str) -> BertTokenizer:
    """The library's fast tokenizer over the vocabulary of a shared model."""
    folder, lowercase = MODELS[model]
    lines = (SHARED / "models" / folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    return tokenizer_of(lines[:-1], lowercase)


def flat(encoding, word_starts: list[int] | None = None) -> list[int]:
    """id, start, end, word of every piece; `word_starts` shifts offsets that count from a given word."""
    numbers = []
    for index, (start, end), word in zip(encoding.ids, encoding.offsets, encoding.word_ids, strict=True):
        shift = word_starts[word] if word_starts else 0
        numbers += [index, start + shift, end + shift, word]
    return numbers


def pieces(tokenizer: BertTokenizer, texts: list[str]) -> list[list[int]]:
    """Flat pieces of each text."""
    encodings = tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
    return [flat(encoding) for encoding in encodings]


def pieces_of_words(tokenizer: BertTokenizer, sentences: list[list[str]]) -> list[list[int]]:
    """Flat pieces of each list of words, offsets into the words joined by one space."""
    encodings = tokenizer.backend_tokenizer.encode_batch(sentences, is_pretokenized=True, add_special_tokens=False)
    return [flat(encoding, starts_of(words)) for encoding, words in zip(encodings, sentences, strict=True)]


def starts_of(words: list[str]) -> list[int]:
    """Where each word begins in the joined text, in code points."""
    starts, at = [], 0
    for word in words:
        starts.append(at)
        at += len(word) + 1
    return starts


def packed(flat_pieces: Iterable[list[int]]) -> bytes:
    """What a digest covers."""
    return b"".join(struct.pack(f"<{len(numbers) + 1}I", len(numbers) // 4, *numbers) for numbers in flat_pieces)


def fnv1a(data: bytes) -> str:
    """64-bit FNV-1a in hex."""
    digest = 0xCBF29CE484222325
    for byte in data:
        digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


def write_cases(name: str, cases: Iterable[dict]) -> None:
    """A JSON array, one case a line, ASCII only."""
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (FIXTURES / name).write_text(f"[\n{lines}\n]\n", encoding="ascii")


def write_vocabulary() -> None:
    """vocab.txt, and tokenizer.json of the uncased tokenizer."""
    vocabulary = small_vocabulary()
    (FIXTURES / "vocab.txt").write_text("".join(f"{line}\n" for line in vocabulary), encoding="utf-8", newline="\n")
    backend = tokenizer_of(vocabulary, lowercase=True).backend_tokenizer
    backend.save(str(FIXTURES / "tokenizer.json"), pretty=False)


def write_vectors() -> None:
    """Golden texts with pieces and the library's own pre-tokens."""
    tokenizers = {casing: tokenizer_of(small_vocabulary(), lowercase) for casing, lowercase in CASINGS.items()}
    cases = [{"text": text} for text in VECTORS]
    for casing, tokenizer in tokenizers.items():
        backend = tokenizer.backend_tokenizer
        for case, numbers in zip(cases, pieces(tokenizer, VECTORS), strict=True):
            split = backend.pre_tokenizer.pre_tokenize_str(backend.normalizer.normalize_str(case["text"]))
            case[casing] = numbers
            case[f"{casing}_pre_tokens"] = [token for token, _ in split]
    write_cases("vectors.json", cases)


def random_char(rng: random.Random) -> str:
    """One character, or a short sequence that belongs together, from a class drawn first."""
    letters = "abcdefghijklmnopqrstuvwxyzABCÑÁÉÍÓÚÜñáéíóúüçßøŁİıſ0123456789"
    ranges = {
        "greek": (0x391, 0x3C9), "cyrillic": (0x400, 0x45F), "hebrew": (0x5D0, 0x5EA), "arabic": (0x621, 0x652), "indic": (0x900, 0x97F),
        "thai": (0xE01, 0xE3A), "jamo": (0x1100, 0x11FF), "latin": (0x1E00, 0x1EFF), "kana": (0x3041, 0x30FF), "han": (0x4DB0, 0x4E20),
        "hangul": (0xAC00, 0xAC20), "compat": (0xF8F0, 0xF910), "forms": (0xFB00, 0xFB4F), "wide": (0xFF01, 0xFF5E),
        "emoji": (0x1F600, 0x1F640), "han 2": (0x20000, 0x20010), "han gap": (0x2B730, 0x2B930), "han 2F": (0x2F7F0, 0x2FA2F),
        "private": (0xE000, 0xE005), "private 15": (0xF0000, 0xF0005), "unassigned": (0x378, 0x379), "any": (0x80, 0x10FFFF),
        "marks": (0x300, 0x36F), "symbols": (0x2000, 0x2BFF), "accented": (0xA0, 0x24F), "control": (0x0, 0x1F), "c1": (0x7F, 0x9F),
    }  # fmt: skip
    kind = rng.choice(["letter"] * 22 + ["space"] * 5 + ["punctuation", "odd"] * 2 + ["joined", *ranges])
    if kind in ranges:
        code = rng.randint(*ranges[kind])
        return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)
    if kind == "letter":
        return rng.choice(letters)
    if kind == "space":
        return rng.choice([" ", " ", " ", "  ", "\n", "\t", "\r\n", "\u00a0", "\u2028", "\u2029", "\u3000", "\u1680", "\u205f"])
    if kind == "punctuation":
        return rng.choice(list(".,;:!?-_'\"()[]{}$+<=>^`|~@#%&*/\\¡¿«»…—’·§¶†€£½№"))
    if kind == "odd":
        return rng.choice(["\x85", "\x0b", "\x00", "\ufeff", "\u200b", "\u200d", "\u00ad", "\ufffd", "\u202e", "\u180e", "\ufe0f", "\ufffe"])
    return rng.choice(
        ["\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd", "\U0001f1ea\U0001f1f8", "e\u0301", "n\u0303", "\u1112\u1161\u11ab", "❤\ufe0f"]
    )


def random_text(rng: random.Random, index: int) -> str:
    """A short text; now and then with a very long word, marks out of order or a typed special."""
    text = "".join(random_char(rng) for _ in range(rng.randint(1, 14)))
    if index % 40 == 0:
        text += rng.choice(["ñ", "a", "e\u0301", "\u200bx", "Σ"]) * rng.randint(95, 104) + rng.choice(["", ".", " b"])
    if index % 20 == 10:
        text += rng.choice("aé가日") + "".join(rng.choice(REORDERED) for _ in range(rng.randint(2, 5))) + "b"
    if index % 25 == 0:
        cut = rng.randint(0, len(text))
        text = text[:cut] + rng.choice([*SPECIALS, "[sep]", "[ SEP ]", "[SEP", "##a", "[UNK][UNK]"]) + text[cut:]
    return text


def write_unicode() -> None:
    """1,800 random texts and 200 random lists of words."""
    rng = random.Random(SEED)
    texts = [random_text(rng, index) for index in range(1800)]
    sentences = [[random_text(rng, rng.randint(1, 2000)) for _ in range(rng.randint(1, 4))] for _ in range(200)]
    cases = [{"text": text} for text in texts] + [{"words": words} for words in sentences]
    for casing, lowercase in CASINGS.items():
        tokenizer = tokenizer_of(small_vocabulary(), lowercase)
        for case, numbers in zip(cases, pieces(tokenizer, texts) + pieces_of_words(tokenizer, sentences), strict=True):
            case[casing] = numbers
    write_cases("unicode.json", cases)
    for model in MODELS:
        tokenizer = tokenizer_of_model(model)
        answers = pieces(tokenizer, texts) + pieces_of_words(tokenizer, sentences)
        lines = [f"{fnv1a(packed([numbers]))}\n" for numbers in answers]
        (FIXTURES / f"unicode.{model}.txt").write_text("".join(lines), encoding="ascii")


def write_typed_specials() -> None:
    """Texts whose typed special tokens become their ids (`encode_special_tokens` off)."""
    rng = random.Random(SEED + 1)
    texts = ["[CLS]", "a[SEP]b", " [MASK] ", "[sep]", "[EOS]", "[UNK]ñ[PAD]", "[[SEP]]", "é[SEP]é", "[SEP\u200b]", "[SEP][SEP]"]
    for _ in range(70):
        parts = [rng.choice([random_char(rng), *SPECIALS, "hola", " ", "[", "]"]) for _ in range(rng.randint(1, 8))]
        texts.append("".join(parts))
    cases = [{"text": text} for text in texts]
    for casing, lowercase in CASINGS.items():
        tokenizer = tokenizer_of(small_vocabulary(), lowercase, typed_specials_are_text=False)
        for case, numbers in zip(cases, pieces(tokenizer, texts), strict=True):
            case[casing] = numbers
    write_cases("typed_specials.json", cases)


def added_text(rng: random.Random) -> str:
    """Added tokens and their likes among random characters."""
    contents = [*(content for content, _ in ADDED), "[SEP]"]
    parts = []
    for _ in range(rng.randint(1, 6)):
        content = rng.choice(contents)
        likes = [content] * 4 + [content.upper(), content.lower(), content[:-1], f"{content[0]}\u200b{content[1:]}"]
        around = ["", " ", "  ", "\t", "\u00a0", "_", "a", "\u0301", "日", "\u200b", "."]
        parts += [rng.choice(around), rng.choice([*likes, random_char(rng)]), rng.choice(around)]
    return "".join(parts)


def write_added_tokens() -> None:
    """Texts with added tokens; `typed_specials_are_text` says how special ones are treated."""
    vocabulary = small_vocabulary()
    decoder = {}
    for content, flags in ADDED:
        index = vocabulary.index(content) if content in vocabulary else len(vocabulary)
        if index == len(vocabulary):
            vocabulary.append(content)
        switches = {flag: flag in flags for flag in ["lstrip", "rstrip", "single_word", "normalized", "special"]}
        decoder[str(index)] = {"content": content, **switches}
    config = json.dumps({"added_tokens_decoder": decoder}, indent=1)
    (FIXTURES / "added_tokens.config.json").write_text(config + "\n", encoding="ascii")
    rng = random.Random(SEED + 2)
    texts = [added_text(rng) for _ in range(150)]
    cases = [{"text": text, "typed_specials_are_text": are_text} for are_text in [True, False] for text in texts]
    for casing, lowercase in CASINGS.items():
        answers = []
        for are_text in [True, False]:
            tokenizer = tokenizer_of(small_vocabulary(), lowercase, are_text)
            tokens = [(int(index), AddedToken(**token)) for index, token in decoder.items()]
            tokenizer.add_tokens([token for _, token in sorted(tokens, key=lambda token: token[0])])
            assert all(tokenizer.convert_tokens_to_ids(str(token)) == index for index, token in tokens)
            answers += pieces(tokenizer, texts)
        for case, numbers in zip(cases, answers, strict=True):
            case[casing] = numbers
    write_cases("added_tokens.json", cases)


def write_codepoints() -> None:
    """Digest of each block of 256 code points in `a{c}b a{c} {c}b`; equal neighbours become `count digest`."""
    for casing, lowercase in CASINGS.items():
        tokenizer = tokenizer_of(codepoint_vocabulary(), lowercase)
        known: dict[bytes, str] = {}
        digests = []
        for block in range(0, 0x110000, 256):
            chars = [chr(code) for code in range(block, block + 256) if not 0xD800 <= code < 0xE000]
            data = packed(pieces(tokenizer, [f"a{char}b a{char} {char}b" for char in chars]))
            digests.append(known.get(data) or known.setdefault(data, fnv1a(data)))
        lines = [f"{len(list(run))} {digest}\n" for digest, run in groupby(digests)]
        (FIXTURES / f"codepoints.{casing}.txt").write_text("".join(lines), encoding="ascii")


def conll_sentences(corpus: Path) -> list[list[str]]:
    """The words of each sentence: first column, sentences ended by an empty line."""
    blocks = corpus.read_text(encoding="utf-8").split("\n\n")
    sentences = [[line.split(" ")[0] for line in block.split("\n") if line] for block in blocks]
    return [words for words in sentences if words]


def digest_lines(tokenizer: BertTokenizer, sentences: list[list[str]]) -> Iterator[str]:
    """A digest of each sentence: joined words, then words as given."""
    joined = pieces(tokenizer, [" ".join(words) for words in sentences])
    given = pieces_of_words(tokenizer, sentences)
    for answers in zip(joined, given, strict=True):
        yield f"{fnv1a(packed(answers))}\n"


def write_conll() -> None:
    """Digests of both corpora for the three vocabularies."""
    (FIXTURES / "conll").mkdir(exist_ok=True)
    for corpus in ["esp.train", "esp.testa"]:
        sentences = conll_sentences(SHARED / "data" / "conll2002-es" / corpus)
        for model in MODELS:
            lines = digest_lines(tokenizer_of_model(model), sentences)
            (FIXTURES / "conll" / f"{model}.{corpus}.txt").write_text("".join(lines), encoding="ascii")


if __name__ == "__main__":
    FIXTURES.mkdir(parents=True, exist_ok=True)
    write_vocabulary()
    write_vectors()
    write_unicode()
    write_typed_specials()
    write_added_tokens()
    write_conll()
    write_codepoints()
