//! The Spanish model inside the binary: `models/es-ner`, described in its `MODEL_CARD.md`.

/// The files of a model folder as they are linked into the binary.
pub(crate) struct EmbeddedModel {
    pub(crate) config: &'static [u8],
    pub(crate) vocab: &'static [u8],
    pub(crate) tokenizer_config: &'static [u8],
    pub(crate) weights: &'static [u8],
}

/// The embedded model.
pub(crate) const ES_NER: EmbeddedModel = EmbeddedModel {
    config: include_bytes!("../../../models/es-ner/config.json"),
    vocab: include_bytes!("../../../models/es-ner/vocab.txt"),
    tokenizer_config: include_bytes!("../../../models/es-ner/tokenizer_config.json"),
    weights: include_bytes!("../../../models/es-ner/model.safetensors"),
};
