//! What holds for any input.

use std::collections::{BTreeMap, HashMap};
use std::fs;

use nervio_weights::{BertTensors, Checkpoint, Dtype, OpenOptions, OwnedTensor, write_file};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use safetensors::SafeTensors;
use tempfile::tempdir;

use crate::bytes::{file, tensor};

/// Opens bytes and, if that succeeds, reads all there is to read.
fn read_all(bytes: &[u8]) {
    let Ok(checkpoint) = Checkpoint::from_bytes("any", bytes.to_vec()) else { return };
    // What we accept, the reference implementation accepts.
    SafeTensors::deserialize(bytes).unwrap();
    for name in checkpoint.names() {
        let tensor = checkpoint.get(name).unwrap();
        if let Ok(floats) = tensor.floats() {
            let values = floats.to_vec();
            let finite = values.iter().all(|value| value.is_finite());
            assert_eq!(floats.check_finite().is_ok(), finite);
        }
    }
    if let Ok(tensors) = BertTensors::new(&checkpoint) {
        assert!(tensors.ignored().len() + tensors.unknown().len() <= checkpoint.names().count());
    }
}

/// Headers that are nearly right: the mistakes are in the numbers.
fn header() -> impl Strategy<Value = String> {
    let dtype = prop::sample::select(vec!["F32", "F16", "BF16", "I8", "I64", "F4", "BOOL"]);
    let dim = prop_oneof![0_u64..5, Just(u64::MAX), Just(1 << 32)];
    let one = ("[a-c]", dtype, vec(dim, 0..3), 0_usize..12, 0_usize..12);
    vec(one, 0..4).prop_map(|tensors| {
        let tensors: Vec<_> = tensors
            .into_iter()
            .map(|(name, dtype, shape, begin, end)| {
                tensor(&name, dtype, &format!("{shape:?}"), begin, end)
            })
            .collect();
        format!("{{{}}}", tensors.join(","))
    })
}

fn contents() -> impl Strategy<Value = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>> {
    let dtype = prop::sample::select(vec![Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::I8]);
    let one = (dtype, vec(0_usize..5, 0..4), any::<u8>()).prop_map(|(dtype, shape, fill)| {
        let len = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        (dtype, shape, vec![fill; len])
    });
    // Any letters, among them quotes and backslashes.
    btree_map("[^\\p{Cc}]{1,12}", one, 0..6)
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn random_headers_never_panic(json in "[{}\\[\\]\":,a-z0-9_ \\\\\\u{0}]{0,80}", data in vec(any::<u8>(), 0..20)) {
        read_all(&file(&json, &data));
    }

    #[test]
    fn random_offsets_never_panic(header in header(), data in vec(any::<u8>(), 0..16)) {
        read_all(&file(&header, &data));
    }

    #[test]
    fn damaged_files_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let header = format!("{{{},{}}}", tensor("a", "F16", "[2,2]", 0, 8), tensor("b", "F32", "[1]", 8, 12));
        let mut bytes = file(&header, &[0x3c; 12]);
        let index = at.index(bytes.len());
        bytes[index] = byte;
        read_all(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        read_all(&bytes);
    }

    #[test]
    fn random_indexes_never_panic(json in "\\{\"weight_map\":[{}\\[\\]\":,a-z./ \\\\]{0,40}\\}?") {
        let folder = tempdir().unwrap();
        fs::write(folder.path().join("model.safetensors.index.json"), json).unwrap();
        prop_assert!(Checkpoint::open(folder.path(), &OpenOptions::default()).is_err());
    }

    #[test]
    fn what_is_written_is_read(contents in contents(), metadata in btree_map(".{0,5}", ".{0,5}", 0..3)) {
        let folder = tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let tensors: Vec<_> = contents
            .iter()
            .map(|(name, (dtype, shape, data))| OwnedTensor {
                name: name.clone(),
                dtype: *dtype,
                shape: shape.clone(),
                data: data.clone(),
            })
            .collect();
        write_file(&path, &tensors, HashMap::from_iter(metadata.clone())).unwrap();
        let bytes = fs::read(&path).unwrap();
        read_all(&bytes);
        let checkpoint = Checkpoint::from_bytes("x", bytes).unwrap();
        prop_assert_eq!(checkpoint.names().count(), contents.len());
        for (name, (dtype, shape, data)) in &contents {
            let tensor = checkpoint.get(name).unwrap();
            prop_assert_eq!((tensor.dtype, tensor.shape, tensor.data), (*dtype, &**shape, &**data));
        }
        let read: BTreeMap<String, String> =
            checkpoint.metadata().into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        prop_assert_eq!(read, metadata);
    }
}
