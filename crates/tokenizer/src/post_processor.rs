//! The post-processor of a `tokenizer.json`: what it puts around a text.

use std::path::Path;

use serde_json::Value;

use crate::Error;
use crate::config::wrong;

/// The tokens before and behind a text; BERT has one of each, and nothing else is accepted.
///
/// # Errors
///
/// When the post-processor does anything but `[CLS] text [SEP]`.
pub(crate) fn frame(file: &Path, json: &Value) -> Result<(String, String), Error> {
    let processor = json.get("post_processor").unwrap_or(&Value::Null);
    let (frame, part) = match processor.get("type").and_then(Value::as_str) {
        Some("TemplateProcessing") => (template(processor), "single"),
        Some("BertProcessing") => (pair(processor), "cls and sep"),
        _ => {
            let key = "post_processor.type";
            let found = processor.get("type").unwrap_or(processor);
            return Err(wrong(file, key, "TemplateProcessing or BertProcessing", found));
        }
    };
    frame.ok_or_else(|| {
        let found = processor.get("single").unwrap_or(processor);
        wrong(file, &format!("post_processor: {part}"), "[CLS], the text, [SEP]", found)
    })
}

/// `[{"SpecialToken": {"id": "[CLS]", …}}, {"Sequence": {"id": "A", …}}, {"SpecialToken": …}]`.
fn template(processor: &Value) -> Option<(String, String)> {
    let [cls, text, sep] = processor.get("single")?.as_array()?.as_slice() else { return None };
    if text.get("Sequence")?.get("id")?.as_str()? != "A" {
        return None;
    }
    let token = |part: &Value| {
        let name = part.get("SpecialToken")?.get("id")?.as_str()?;
        // The name of a special token in the template stands for a list of tokens.
        let tokens = match processor.get("special_tokens").and_then(|all| all.get(name)) {
            Some(special) => special.get("tokens")?.as_array()?.as_slice(),
            None => return Some(name.to_owned()),
        };
        let [token] = tokens else { return None };
        token.as_str().map(str::to_owned)
    };
    Some((token(cls)?, token(sep)?))
}

/// `{"cls": ["[CLS]", 101], "sep": ["[SEP]", 102]}`.
fn pair(processor: &Value) -> Option<(String, String)> {
    let token = |key: &str| processor.get(key)?.get(0)?.as_str().map(str::to_owned);
    Some((token("cls")?, token("sep")?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn frame_of(processor: Value) -> Result<(String, String), String> {
        let json = json!({ "post_processor": processor });
        frame(Path::new("tokenizer.json"), &json).map_err(|error| error.to_string())
    }

    fn special(id: &str) -> Value {
        json!({ "SpecialToken": { "id": id, "type_id": 0 } })
    }

    fn text() -> Value {
        json!({ "Sequence": { "id": "A", "type_id": 0 } })
    }

    #[test]
    fn both_forms_name_the_tokens() {
        let bert = json!({ "type": "BertProcessing", "cls": ["[CLS]", 1], "sep": ["[SEP]", 2] });
        assert_eq!(frame_of(bert), Ok(("[CLS]".into(), "[SEP]".into())));
        let template = json!({
            "type": "TemplateProcessing",
            "single": [special("c"), text(), special("</s>")],
            "special_tokens": { "c": { "id": "c", "ids": [0], "tokens": ["<s>"] } },
        });
        assert_eq!(frame_of(template), Ok(("<s>".into(), "</s>".into())));
    }

    #[test]
    fn anything_else_is_refused_by_key() {
        let template = |single: Value| json!({ "type": "TemplateProcessing", "single": single });
        for (processor, key) in [
            (Value::Null, "post_processor.type"),
            (json!({ "type": "RobertaProcessing" }), "RobertaProcessing"),
            (template(json!([special("c"), text()])), "single"),
            (template(json!([special("c"), special("c"), text(), special("s")])), "single"),
            (template(json!([text(), special("c"), special("s")])), "single"),
            (json!({ "type": "BertProcessing", "cls": "[CLS]" }), "cls and sep"),
        ] {
            let error = frame_of(processor).unwrap_err();
            assert!(error.contains(key) && error.contains("tokenizer.json"), "{error}");
        }
    }
}
