//! Tags as the tests write them.

/// The tags of each sentence, written with blanks between them.
pub(crate) fn tags<S: AsRef<str>>(sentences: &[S]) -> Vec<Vec<String>> {
    let split = |tags: &S| tags.as_ref().split_whitespace().map(str::to_owned).collect();
    sentences.iter().map(split).collect()
}
