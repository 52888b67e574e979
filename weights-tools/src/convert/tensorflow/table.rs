//! LevelDB's sorted string table (`leveldb/doc/table_format.md`), read whole: the index block at
//! its end names the data blocks, whose keys share prefixes with the key before.

use anyhow::{Context, Result, bail, ensure};

use super::masked_crc32c;

/// The last bytes of every table.
const MAGIC: [u8; 8] = 0xdb47_7524_8b80_fb57_u64.to_le_bytes();

/// Two block handles, padded, and the magic number.
const FOOTER: usize = 48;

/// The type of a block and its checksum.
const TRAILER: usize = 5;

/// Most bytes of a block when decompressed.
const MAX_BLOCK: usize = 16 << 20;

/// Most bytes of all keys and values together.
const MAX_TOTAL: usize = 64 << 20;

/// Bytes that an entry takes beside its key and value.
const ENTRY: usize = 64;

/// Keys and values, in the order of the keys.
pub(super) type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// All entries of a table.
///
/// # Errors
/// When the file is no table, is cut, a checksum does not fit, or keys are not in order.
pub(super) fn read(file: &[u8]) -> Result<Entries> {
    let body = file.len().checked_sub(FOOTER);
    let body = body.with_context(|| format!("expected a table, found {} bytes", file.len()))?;
    let (blocks, mut footer) = file.split_at(body);
    ensure!(
        footer.ends_with(&MAGIC),
        "expected the end of a TensorFlow index, found {:02x?}",
        &footer[FOOTER - MAGIC.len()..]
    );
    handle(&mut footer)?;
    let index = entries(&block(blocks, &mut footer)?).context("the index block")?;
    let (mut all, mut total) = (Entries::new(), 0);
    for (_, handle) in index {
        let block = block(blocks, &mut handle.as_slice())?;
        let entries = entries(&block)?;
        // A block without any could be named again and again.
        ensure!(!entries.is_empty(), "expected entries in every block, found none");
        for (key, value) in entries {
            total += key.len() + value.len() + ENTRY;
            ensure!(total <= MAX_TOTAL, "expected at most {MAX_TOTAL} bytes of entries");
            if let Some((last, _)) = all.last() {
                ensure!(*last < key, "expected keys in order, each once");
            }
            all.push((key, value));
        }
    }
    Ok(all)
}

/// An offset and a length.
fn handle(bytes: &mut &[u8]) -> Result<(usize, usize)> {
    Ok((varint(bytes)?, varint(bytes)?))
}

/// The block that a handle names, checked and decompressed.
fn block(blocks: &[u8], place: &mut &[u8]) -> Result<Vec<u8>> {
    let (offset, length) = handle(place)?;
    let end = offset.checked_add(length).and_then(|end| end.checked_add(TRAILER));
    let stored = end.and_then(|end| blocks.get(offset..end));
    let stored = stored.with_context(|| {
        format!("block at {offset}: expected {length} bytes, found the end of the table")
    })?;
    let (checked, checksum) = stored.split_at(length + 1);
    let expected = checksum.iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte));
    let found = masked_crc32c(checked);
    ensure!(
        found == expected,
        "block at {offset}: expected the checksum {expected:08x}, found {found:08x}"
    );
    let content = &checked[..length];
    match checked[length] {
        0 => Ok(content.to_vec()),
        1 => {
            let size = snap::raw::decompress_len(content)
                .with_context(|| format!("block at {offset}: not snappy"))?;
            ensure!(
                size <= MAX_BLOCK,
                "block at {offset}: expected at most {MAX_BLOCK} bytes, found {size}"
            );
            let plain = snap::raw::Decoder::new().decompress_vec(content);
            plain.with_context(|| format!("block at {offset}: not snappy"))
        }
        other => bail!("block at {offset}: expected no compression or snappy, found {other}"),
    }
}

/// The entries of a block, without the restart points that only a search needs.
fn entries(block: &[u8]) -> Result<Entries> {
    let restarts = block.len().checked_sub(4).context("a block is cut")?;
    let (rest, count) = block.split_at(restarts);
    let count = count.iter().rev().fold(0_usize, |all, byte| all << 8 | usize::from(*byte));
    let end = count.checked_mul(4).and_then(|size| rest.len().checked_sub(size));
    let mut rest = &rest[..end.context("a block has more restart points than bytes")?];
    let (mut all, mut key, mut total) = (Entries::new(), Vec::new(), 0_usize);
    while !rest.is_empty() {
        let (shared, own, value) = (varint(&mut rest)?, varint(&mut rest)?, varint(&mut rest)?);
        ensure!(shared <= key.len(), "a key shares {shared} bytes of {}", key.len());
        key.truncate(shared);
        key.extend_from_slice(take(&mut rest, own)?);
        let value = take(&mut rest, value)?.to_vec();
        // Shared prefixes could make a small block large.
        total += key.len() + value.len() + ENTRY;
        ensure!(total <= MAX_TOTAL, "expected at most {MAX_TOTAL} bytes of entries");
        all.push((key.clone(), value));
    }
    Ok(all)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    let part = bytes.split_off(..length);
    part.with_context(|| format!("a block is cut: expected {length} more bytes"))
}

/// A number in groups of seven bits, lowest first.
fn varint(bytes: &mut &[u8]) -> Result<usize> {
    let mut number = 0_u64;
    for shift in (0..63).step_by(7) {
        let byte = take(bytes, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(usize::try_from(number)?);
        }
    }
    bail!("expected a number of at most nine bytes, found more")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with its trailer.
    fn stored(content: &[u8], kind: u8) -> Vec<u8> {
        let mut block = [content, &[kind]].concat();
        let checksum = masked_crc32c(&block);
        block.extend(checksum.to_le_bytes());
        block
    }

    /// A table of one data block.
    fn table(content: &[u8], kind: u8) -> Vec<u8> {
        let mut file = stored(content, kind);
        let length = u8::try_from(content.len()).unwrap();
        assert!(length < 0x80);
        let index = [&[0, 1, 2, b'z', 0, length][..], &[0, 0, 0, 0, 1, 0, 0, 0]].concat();
        let place = [0, 0, u8::try_from(file.len()).unwrap(), u8::try_from(index.len()).unwrap()];
        file.extend(stored(&index, 0));
        file.extend(place);
        file.resize(file.len() + FOOTER - place.len() - MAGIC.len(), 0);
        file.extend(MAGIC);
        file
    }

    /// Keys `ab` and `ac`.
    const CONTENT: [u8; 19] =
        [0, 2, 1, b'a', b'b', b'1', 1, 1, 2, b'c', b'2', b'3', 0, 0, 0, 0, 1, 0, 0];

    fn content() -> Vec<u8> {
        [&CONTENT[..], &[0]].concat()
    }

    #[test]
    fn prefixes_are_put_back_with_and_without_snappy() {
        let expected = [(b"ab".to_vec(), b"1".to_vec()), (b"ac".to_vec(), b"23".to_vec())];
        assert_eq!(read(&table(&content(), 0)).unwrap(), expected);
        let packed = snap::raw::Encoder::new().compress_vec(&content()).unwrap();
        assert_eq!(read(&table(&packed, 1)).unwrap(), expected);
    }

    #[test]
    fn every_changed_or_missing_byte_is_an_error_or_changes_nothing() {
        let whole = table(&content(), 0);
        let expected = read(&whole).unwrap();
        for at in 0..whole.len() {
            assert!(read(&whole[..at]).is_err(), "cut at {at}");
            let mut changed = whole.clone();
            changed[at] ^= 0x41;
            // Padding of the footer and the handle of the unused block say nothing.
            assert!(read(&changed).map_or(true, |entries| entries == expected), "changed at {at}");
        }
    }

    #[test]
    fn hostile_blocks_are_refused() {
        let restart = [0, 0, 0, 0, 1, 0, 0, 0];
        let block = |start: &[u8]| [start, &restart].concat();
        for (content, kind, expected) in [
            (block(&[5, 1, 0, b'a']), 0, "shares 5 bytes of 0"),
            (block(&[0, 100, 0, b'a']), 0, "is cut"),
            (block(&[0xff; 12]), 0, "at most nine bytes"),
            (block(&[0, 1, 0, b'b', 0, 1, 0, b'a']), 0, "keys in order"),
            (vec![0xff, 0xff, 0xff, 0x7f], 0, "more restart points"),
            (block(&[]), 0, "found none"),
            (vec![1], 0, "is cut"),
            (vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0], 1, "at most 16777216 bytes"),
            (vec![9, 0], 1, "not snappy"),
            (content(), 7, "no compression or snappy, found 7"),
        ] {
            let error = format!("{:#}", read(&table(&content, kind)).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
