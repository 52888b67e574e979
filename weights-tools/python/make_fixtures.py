"""Regenerates tests/fixtures/reference: configurations, reference outputs and manifest.json.

For every case below it makes the weights from their seed (synth.py), runs them through transformers
(reference.py) and keeps only the outputs. The weights are never committed: manifest.json says how to
make them again, `nervio_weights_tools::manifest` does so in Rust, and the SHA-256 digests in it prove
that the bytes are the same.

Example: python make_fixtures.py            (needs ../shared/models beside the project)
"""

import hashlib
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers.utils import logging

import reference
import synth

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "reference"
MODELS = "../shared/models"

SHORT = "Me llamo Wolfgang y vivo en Berlín"
ACCENTS = "La señora Núñez-Ibáñez llegó a Málaga, ¿verdad?"
LONG = (
    "El presidente de la República, don Ñuño O'Higgins, visitó ayer la sede de la Organización de las "
    "Naciones Unidas en Nueva York, donde pronunció un discurso sobre la economía de América Latina; "
    "después viajó a São Paulo y a Santiago de Chile. «No habrá más deuda», aseguró el ministro "
    "García-Márquez ante la prensa, que esperaba desde las 9:30 horas del martes 14 de mayo."
)
MULTILINGUAL = "Ñandú Žižek Ελλαδα Москва שלום سلام 一三 ひらがな 가각 babafe zulico 😀"

SMALL_TEXTS = ["Ana vive en León.", "El niño bebe zumo; ¿qué hacía José?"]
SMALL = {
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 48,
    "initializer_range": 0.02,
    "intermediate_size": 100,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 64,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "pad_token_id": 0,
    "type_vocab_size": 2,
    "vocab_size": 700,
}
ACTIVATIONS = [
    "gelu",
    "gelu_python",
    "gelu_new",
    "gelu_pytorch_tanh",
    "gelu_python_tanh",
    "gelu_fast",
    "quick_gelu",
    "gelu_10",
    "relu",
    "silu",
    "swish",
    "tanh",
    "mish",
    "relu6",
]
# Gains that reach beyond the bound of the two functions that have one.
CLIPPED = {"gelu_10": 4.0, "relu6": 3.0}
LABEL_SETS = {
    "bioes": ["O", "B-PER", "I-PER", "E-PER", "S-PER", "B-LOC", "I-LOC", "E-LOC", "S-LOC"],
    "no-prefix": ["ORG", "O", "PER", "LOC"],
    "dashes": ["O", "B-geo-political", "I-geo-political", "B-X-", "I-X-", "B-a-B-b", "I-a-B-b"],
    "two": ["O", "I-ENT"],
}


@dataclass
class Case:
    """One line of the manifest. `group` has the configuration, `set` changes keys of it."""

    group: str
    name: str
    config: dict
    texts: list[str]
    set: dict = field(default_factory=dict)
    seed: int = 1
    dtype: str = "f32"
    shards: int = 1
    prefix: bool = True
    gamma_beta: bool = False
    tokenizer_json: bool = False
    lowercase: bool = False
    labels: list[str] = field(default_factory=list)
    activation_gain: float = synth.ACTIVATION_GAIN
    vocab: str | None = None
    # Documents whose hidden states and attentions are kept; None is all of them.
    hidden_states: list[int] | None = None
    attentions: list[int] = field(default_factory=list)
    # Another case of the group whose outputs these are, to the bit.
    same_as: str | None = None

    def recipe(self) -> synth.Recipe:
        return synth.Recipe(
            config=self.config | self.set,
            seed=self.seed,
            dtype=self.dtype,
            shards=self.shards,
            prefix=self.prefix,
            gamma_beta=self.gamma_beta,
            tokenizer_json=self.tokenizer_json,
            lowercase=self.lowercase,
            labels=self.labels,
            activation_gain=self.activation_gain,
            vocab=ROOT / self.vocab if self.vocab else None,
        )

    def full_name(self) -> str:
        return self.group if self.name == "outputs" else f"{self.group}/{self.name}"

    def reference_file(self) -> str:
        return f"{self.group}/{self.same_as or self.name}.safetensors"

    def manifest_entry(self, digests: dict[str, str]) -> dict:
        keys = [
            "set",
            "seed",
            "dtype",
            "shards",
            "prefix",
            "gamma_beta",
            "tokenizer_json",
            "lowercase",
            "labels",
            "activation_gain",
            "vocab",
            "texts",
        ]
        return {
            "name": self.full_name(),
            "config": f"{self.group}/config.json",
            **{key: getattr(self, key) for key in keys},
            "reference": self.reference_file(),
            "sha256": digests,
        }


def small(group: str, name: str, **options) -> Case:
    return Case(group, name, SMALL, options.pop("texts", SMALL_TEXTS), **options)


def full_size_cases() -> list[Case]:
    """The shapes of published models, with BETO's own vocabularies."""
    beto, mbert, tinybert = (synth.preset(name)[0] for name in ("beto", "mbert", "tinybert"))
    return [
        Case(
            "beto-cased",
            "outputs",
            beto,
            [SHORT, ACCENTS, LONG],
            vocab=f"{MODELS}/beto/cased/vocab.txt",
            hidden_states=[0],
        ),
        Case(
            "tinybert-uncased",
            "outputs",
            tinybert,
            [ACCENTS, LONG],
            vocab=f"{MODELS}/beto/uncased/vocab.txt",
            lowercase=True,
            hidden_states=[0],
        ),
        Case(
            "mbert",
            "outputs",
            mbert | {"num_hidden_layers": 2},
            [MULTILINGUAL, "Zuvula lico"],
            dtype="f16",
            hidden_states=[1],
        ),
    ]


def storage_cases() -> list[Case]:
    """The same model in every layout of files, names and numbers."""
    group = "small-storage"
    return [
        small(group, "f32"),
        small(group, "f16", dtype="f16"),
        small(group, "bf16", dtype="bf16"),
        small(group, "f32-sharded", shards=3, same_as="f32"),
        small(group, "f32-no-prefix", prefix=False, same_as="f32"),
        small(group, "f32-gamma-beta", gamma_beta=True, same_as="f32"),
        small(group, "f32-tokenizer-json", tokenizer_json=True, same_as="f32"),
        small(
            group,
            "f16-sharded-no-prefix-gamma-beta",
            dtype="f16",
            shards=2,
            prefix=False,
            gamma_beta=True,
            same_as="f16",
        ),
        small(group, "uncased-tokenizer-json", tokenizer_json=True, lowercase=True),
    ]


def shape_cases() -> list[Case]:
    """Sizes that fit no vector width, and the edges of the configuration."""
    group = "small-shapes"
    sizes = {
        "hidden-40-heads-5": (40, 5, 72),
        "hidden-36-heads-3": (36, 3, 50),
        "hidden-30-heads-6": (30, 6, 33),
        "hidden-8-heads-1": (8, 1, 12),
        "hidden-7-heads-7": (7, 7, 5),
    }
    cases = [
        small(
            group,
            name,
            set={"hidden_size": hidden, "num_attention_heads": heads, "intermediate_size": wide},
            attentions=[0] if heads == 6 else [],
        )
        for name, (hidden, heads, wide) in sizes.items()
    ]
    return [
        *cases,
        small(group, "types-1", set={"type_vocab_size": 1}),
        small(group, "layer-norm-eps-1e-5", set={"layer_norm_eps": 1e-5}),
        small(group, "positions-16", set={"max_position_embeddings": 16}, texts=[SMALL_TEXTS[0], "y"]),
        small(group, "layers-1", set={"num_hidden_layers": 1}, attentions=[0]),
    ]


def all_cases() -> list[Case]:
    acts = [
        small(
            "small-acts",
            act,
            set={"hidden_act": act},
            activation_gain=CLIPPED.get(act, synth.ACTIVATION_GAIN),
        )
        for act in ACTIVATIONS
    ]
    labels = [
        small("small-labels", name, labels=labels, hidden_states=[]) for name, labels in LABEL_SETS.items()
    ]
    return [*full_size_cases(), *storage_cases(), *acts, *shape_cases(), *labels]


def digests_of(folder: Path) -> dict[str, str]:
    """SHA-256 of every file that both languages write to the byte (JSON spells numbers differently)."""
    names = sorted(
        path.name for path in folder.iterdir() if path.name not in ("config.json", "tokenizer_config.json")
    )
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def make(case: Case, folder: Path) -> dict:
    """Makes the weights of one case in `folder` and keeps its outputs; answers its manifest entry."""
    synth.synth_to_folder(case.recipe(), folder)
    out = FIXTURES / case.reference_file()
    out.parent.mkdir(parents=True, exist_ok=True)
    kept = out.read_bytes() if case.same_as else None
    documents = range(len(case.texts)) if case.hidden_states is None else case.hidden_states
    reference.write_reference(folder, out, case.texts, documents, case.attentions)
    if kept is not None and out.read_bytes() != kept:
        raise AssertionError(f"{case.full_name()}: not the outputs of {case.same_as}")
    synth.write_json(FIXTURES / case.group / "config.json", synth.Recipe(case.config).completed_config())
    return case.manifest_entry(digests_of(folder))


def main() -> None:
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    entries = []
    for case in all_cases():
        with tempfile.TemporaryDirectory() as folder:
            entries.append(make(case, Path(folder)))
        print(case.full_name(), flush=True)
    shared = f"{MODELS}/es-ner-base"
    (FIXTURES / "es-ner-base").mkdir(exist_ok=True)
    reference.write_reference(
        ROOT / shared, FIXTURES / "es-ner-base" / "outputs.safetensors", [SHORT, ACCENTS, LONG], [0]
    )
    folders = [{"name": "es-ner-base", "folder": shared, "reference": "es-ner-base/outputs.safetensors"}]
    manifest = {"cases": entries, "folders": folders}
    (FIXTURES / "manifest.json").write_text(
        json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
