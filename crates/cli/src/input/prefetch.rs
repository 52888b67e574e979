//! Reading on a thread of its own, so that the next records are there when a batch is done.
//!
//! It also keeps answers prompt: a chunk is what has arrived so far, so a slow producer at the
//! other end of a pipe gets each answer at once, and a fast one gets full batches.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::Item;

/// Records read ahead; bounds the memory of a long input.
const READ_AHEAD: usize = 256;

/// How much one chunk holds at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Records.
    pub(crate) records: usize,
    /// Bytes of text; one record may go beyond.
    pub(crate) bytes: usize,
}

/// Records being read on another thread.
pub(crate) struct Prefetch {
    records: Receiver<Item>,
}

impl Prefetch {
    /// Starts to read.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(records: impl Iterator<Item = Item> + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(READ_AHEAD);
        thread::Builder::new().name("nervio-input".to_owned()).spawn(move || {
            for item in records {
                // The other end is gone: nobody wants the rest.
                if sender.send(item).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { records: receiver })
    }

    /// Waits for one record, then takes those that are there up to `limits`; `None` at the end.
    pub(crate) fn next_chunk(&mut self, limits: Limits) -> Option<Vec<Item>> {
        let first = self.records.recv().ok()?;
        let mut bytes = size(&first);
        let mut chunk = vec![first];
        while chunk.len() < limits.records && bytes < limits.bytes {
            let Ok(item) = self.records.try_recv() else { break };
            bytes += size(&item);
            chunk.push(item);
        }
        Some(chunk)
    }
}

/// Bytes of text in a record.
fn size(item: &Item) -> usize {
    item.as_ref().map_or(0, |record| record.document.text.len())
}

#[cfg(test)]
mod tests {
    use super::super::{ReadOptions, Records, Source};
    use super::*;

    #[test]
    fn chunks_keep_the_order_and_the_limits() {
        let sources = (1..=1000)
            .map(|number| Source::Argument { number, text: format!("text {number}") })
            .collect();
        let records = Records::new(sources, ReadOptions::default());
        let mut prefetch = Prefetch::start(records).unwrap();
        let mut texts = Vec::new();
        while let Some(chunk) = prefetch.next_chunk(Limits { records: 7, bytes: 40 }) {
            assert!(chunk.len() <= 7);
            texts.extend(chunk.into_iter().map(|item| item.unwrap().document.text));
        }
        let expected: Vec<String> = (1..=1000).map(|number| format!("text {number}")).collect();
        assert_eq!(texts, expected);
    }
}
