//! Which files of a repository make a model.

use crate::output::COMPANIONS;

/// The forms that weights may have, best first: one file, or an index and its shards.
const WEIGHTS: [(&str, Option<(&str, &str)>); 4] = [
    ("model.safetensors", None),
    ("model.safetensors.index.json", Some(("model-", ".safetensors"))),
    ("pytorch_model.bin", None),
    ("pytorch_model.bin.index.json", Some(("pytorch_model-", ".bin"))),
];

/// What is fetched of a repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The names of the files.
    pub(super) files: Vec<String>,
    /// The weights are PyTorch's, which must be converted before they can be used.
    pub(super) needs_conversion: bool,
}

/// Chooses among the files of a repository; the error says what is missing.
pub(super) fn choose(listing: &[String]) -> Result<Wanted, String> {
    let has = |name: &str| listing.iter().any(|file| file == name);
    let wanted = |name: &&str| has(name);
    let mut files: Vec<String> =
        COMPANIONS.iter().filter(|name| wanted(name)).map(|name| (*name).to_owned()).collect();
    if !has("config.json") {
        return Err("expected config.json, found none".to_owned());
    }
    let Some((name, shards)) = WEIGHTS.iter().find(|(name, _)| has(name)) else {
        return Err(format!(
            "expected {}, found none of them",
            WEIGHTS.map(|(name, _)| name).join(", ")
        ));
    };
    files.push((*name).to_owned());
    if let Some((start, end)) = shards {
        // Names with a folder, or that lead out of one, are no shards.
        let is_shard = |file: &&String| {
            file.starts_with(start) && file.ends_with(end) && !file.contains(['/', '\\'])
        };
        files.extend(listing.iter().filter(is_shard).cloned());
    }
    Ok(Wanted { files, needs_conversion: name.starts_with("pytorch") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(names: &[&str]) -> Result<Vec<String>, String> {
        let listing: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        choose(&listing).map(|wanted| wanted.files)
    }

    #[test]
    fn safetensors_come_before_pickles_and_nothing_else_is_fetched() {
        let names = ["README.md", "config.json", "model.safetensors", "pytorch_model.bin", "tf.h5"];
        assert_eq!(choice(&names).unwrap(), ["config.json", "model.safetensors"]);
        assert_eq!(choice(&names[..2]).unwrap_err().matches("pytorch_model.bin").count(), 2);
        assert!(choice(&["vocab.txt"]).unwrap_err().contains("config.json"));
    }

    #[test]
    fn shards_have_plain_names() {
        let index = "model.safetensors.index.json";
        let shard = "model-00001-of-00002.safetensors";
        let names =
            ["config.json", index, shard, "x/model-1.safetensors", "model-../a.safetensors"];
        assert_eq!(choice(&names).unwrap(), ["config.json", index, shard]);
        let listing = ["config.json", "pytorch_model.bin"].map(str::to_owned);
        assert!(choose(&listing).unwrap().needs_conversion);
    }
}
