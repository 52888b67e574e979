//! A trie of strings, to find the first and longest of many in a text.

/// Strings with a number each.
#[derive(Debug)]
pub(crate) struct Trie {
    /// The first is the root.
    nodes: Vec<Node>,
    /// Whether a string begins with this byte: few do, so most of a text is passed over quickly.
    begins: [bool; 256],
}

#[derive(Debug, Default)]
struct Node {
    /// The bytes that follow, each with the node behind it.
    children: Vec<(u8, usize)>,
    /// The number of the string that ends here.
    ends: Option<usize>,
}

impl Default for Trie {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], begins: [false; 256] }
    }
}

impl Trie {
    /// Adds a string, unless it is there already or empty; says whether it was added.
    pub(crate) fn insert(&mut self, string: &str, number: usize) -> bool {
        let mut node = 0;
        for byte in string.bytes() {
            node = self.child(node, byte).unwrap_or_else(|| {
                let new = self.nodes.len();
                self.nodes.push(Node::default());
                self.nodes[node].children.push((byte, new));
                new
            });
        }
        if node == 0 || self.nodes[node].ends.is_some() {
            return false;
        }
        self.nodes[node].ends = Some(number);
        self.begins[usize::from(string.as_bytes()[0])] = true;
        true
    }

    fn child(&self, node: usize, byte: u8) -> Option<usize> {
        let children = self.nodes[node].children.iter();
        children.copied().find_map(|(label, child)| (label == byte).then_some(child))
    }

    /// Start, end and number of the first string at or behind `from`, of several the longest.
    pub(crate) fn next_match(&self, text: &[u8], from: usize) -> Option<(usize, usize, usize)> {
        // A string begins with the first byte of a character, so a match is on character borders.
        let mut starts = (from..text.len()).filter(|start| self.begins[usize::from(text[*start])]);
        starts.find_map(|start| {
            self.longest(&text[start..]).map(|(length, number)| (start, start + length, number))
        })
    }

    /// Length and number of the longest string that `text` begins with.
    fn longest(&self, text: &[u8]) -> Option<(usize, usize)> {
        let mut node = 0;
        let mut longest = None;
        for (before, byte) in text.iter().enumerate() {
            let Some(child) = self.child(node, *byte) else { break };
            node = child;
            longest = self.nodes[node].ends.map(|number| (before + 1, number)).or(longest);
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_longest_string_is_found() {
        let mut trie = Trie::default();
        for (number, string) in ["ab", "abcd", "ñ", "b"].into_iter().enumerate() {
            assert!(trie.insert(string, number));
        }
        let find = |text: &str, from| trie.next_match(text.as_bytes(), from);
        assert_eq!(find("xabcd", 0), Some((1, 5, 1)));
        assert_eq!(find("xabce", 0), Some((1, 3, 0)));
        assert_eq!(find("xabce", 2), Some((2, 3, 3)));
        assert_eq!(find("éñ", 0), Some((2, 4, 2)));
        assert_eq!(find("ac", 0), None);
        assert_eq!(find("", 0), None);
    }

    #[test]
    fn a_string_is_added_once_and_never_empty() {
        let mut trie = Trie::default();
        assert_eq!(trie.next_match(b"a", 0), None);
        assert!(!trie.insert("", 0) && trie.insert("ab", 1) && trie.insert("a", 2));
        assert!(!trie.insert("ab", 3));
        assert_eq!(trie.next_match(b"ab", 0), Some((0, 2, 1)));
    }
}
