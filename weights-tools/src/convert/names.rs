//! Foreign names of BERT's tensors, brought to Hugging Face's without the `bert.` prefix.

use super::reader::Naming;

/// Prefixes that wrappers put before every name: `DataParallel`, Lightning, `torch.compile`.
const WRAPPERS: [&str; 3] = ["module.", "model.", "_orig_mod."];

/// A tensor's name in Hugging Face's form, and whether its matrix is stored transposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Canonical {
    pub(super) name: String,
    pub(super) transposed: bool,
}

/// The canonical name of a tensor.
pub(super) fn canonical(name: &str, naming: Naming) -> Canonical {
    match naming {
        Naming::HuggingFace => Canonical { name: hugging_face(name), transposed: false },
        Naming::TensorFlow => tensorflow(name),
    }
}

fn hugging_face(name: &str) -> String {
    let mut name = name;
    while let Some(rest) = WRAPPERS.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        name = rest;
    }
    let name = name.strip_prefix("bert.").unwrap_or(name);
    for (old, new) in
        [("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")]
    {
        if let Some(stem) = name.strip_suffix(old) {
            return format!("{stem}{new}");
        }
    }
    name.to_owned()
}

/// Google's names: `kernel` is the transposed `weight`, embeddings are tables without a part of
/// their own, and a fine-tuned model's classifier is `output_weights` and `output_bias`.
fn tensorflow(name: &str) -> Canonical {
    let plain = |name: &str| Canonical { name: name.into(), transposed: false };
    match name {
        "output_weights" => return plain("classifier.weight"),
        "output_bias" => return plain("classifier.bias"),
        _ => {}
    }
    let name = name.strip_prefix("bert/").unwrap_or(name).replace('/', ".");
    let name = match name.split_once("encoder.layer_") {
        Some(("", rest)) => format!("encoder.layer.{rest}"),
        _ => name,
    };
    let Some((stem, part)) = name.rsplit_once('.') else { return plain(&name) };
    match part {
        "kernel" => Canonical { name: format!("{stem}.weight"), transposed: true },
        "gamma" => plain(&format!("{stem}.weight")),
        "beta" => plain(&format!("{stem}.bias")),
        part if stem == "embeddings" && part.ends_with("_embeddings") => {
            plain(&format!("{name}.weight"))
        }
        _ => plain(&name),
    }
}

/// Why a tensor that a token classifier lacks is left out.
pub(super) fn reason(canonical: &str) -> &'static str {
    let last = canonical.rsplit(['.', '/']).next().unwrap_or_default();
    if canonical.starts_with("pooler.") {
        "the pooler, which token classification lacks"
    } else if canonical.starts_with("cls.") {
        "a pre-training head"
    } else if matches!(last, "adam_m" | "adam_v" | "global_step") || last.starts_with("Adam") {
        "state of the optimizer"
    } else if matches!(last, "position_ids" | "token_type_ids") {
        "a buffer that is computed"
    } else {
        "unknown to a BERT token classifier"
    }
}

/// The layer that a canonical name belongs to.
pub(super) fn layer(canonical: &str) -> Option<usize> {
    canonical.strip_prefix("encoder.layer.")?.split('.').next()?.parse().ok()
}

/// The name in Hugging Face's files.
pub(super) fn file_name(canonical: &str) -> String {
    if canonical.starts_with("classifier.") {
        canonical.to_owned()
    } else {
        format!("bert.{canonical}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_and_old_names_are_taken_off() {
        for (name, expected) in [
            ("bert.embeddings.word_embeddings.weight", "embeddings.word_embeddings.weight"),
            ("embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"),
            (
                "module.bert.encoder.layer.0.output.LayerNorm.beta",
                "encoder.layer.0.output.LayerNorm.bias",
            ),
            ("model.module.classifier.weight", "classifier.weight"),
            ("_orig_mod.bert.pooler.dense.bias", "pooler.dense.bias"),
            ("my.gamma", "my.gamma"),
        ] {
            assert_eq!(canonical(name, Naming::HuggingFace).name, expected);
        }
    }

    #[test]
    fn googles_names_are_mapped() {
        let layer = "bert/encoder/layer_11";
        for (name, expected, transposed) in [
            (
                "bert/embeddings/word_embeddings".to_owned(),
                "embeddings.word_embeddings.weight",
                false,
            ),
            ("bert/embeddings/LayerNorm/gamma".to_owned(), "embeddings.LayerNorm.weight", false),
            (
                format!("{layer}/attention/self/query/kernel"),
                "encoder.layer.11.attention.self.query.weight",
                true,
            ),
            (
                format!("{layer}/output/LayerNorm/beta"),
                "encoder.layer.11.output.LayerNorm.bias",
                false,
            ),
            (format!("{layer}/output/dense/bias"), "encoder.layer.11.output.dense.bias", false),
            ("output_weights".to_owned(), "classifier.weight", false),
            ("classifier/kernel".to_owned(), "classifier.weight", true),
            ("bert/pooler/dense/kernel".to_owned(), "pooler.dense.weight", true),
            (
                format!("{layer}/output/dense/kernel/adam_m"),
                "encoder.layer.11.output.dense.kernel.adam_m",
                false,
            ),
        ] {
            let found = canonical(&name, Naming::TensorFlow);
            assert_eq!((found.name.as_str(), found.transposed), (expected, transposed));
        }
        assert_eq!(reason("encoder.layer.11.output.dense.kernel.adam_m"), "state of the optimizer");
    }
}
