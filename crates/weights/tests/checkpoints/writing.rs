//! Files that are written: readable by others, the same each time, whole or not at all.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use nervio_weights::{Checkpoint, Dtype, Error, OpenOptions, OwnedTensor, write_file};
use safetensors::SafeTensors;
use tempfile::tempdir;

use crate::bytes::assert_error;

fn tensors() -> Vec<OwnedTensor> {
    let q = OwnedTensor { name: "q".into(), dtype: Dtype::I8, shape: vec![3], data: vec![1, 2, 3] };
    vec![
        q,
        OwnedTensor::from_f32("w", vec![2, 1], &[0.5, -1.0]),
        OwnedTensor::from_i64("ids", vec![1], &[-7]),
        OwnedTensor::from_f32("a", vec![0], &[]),
    ]
}

fn metadata() -> HashMap<String, String> {
    ["format", "b", "a", "c"].iter().map(|key| ((*key).into(), "pt \"\n".into())).collect()
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn what_is_written_is_read_back_by_either_reader() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    write_file(&file, &tensors(), metadata()).unwrap();
    assert_eq!(entries(folder.path()), 1);
    let checkpoint = Checkpoint::open_file(&file, &OpenOptions::default()).unwrap();
    assert_eq!(checkpoint.metadata().len(), 4);
    let bytes = fs::read(&file).unwrap();
    let theirs = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(theirs.len(), tensors().len());
    for tensor in tensors() {
        let ours = checkpoint.get(&tensor.name).unwrap();
        assert_eq!(
            (ours.dtype, ours.shape, ours.data),
            (tensor.dtype, &*tensor.shape, &*tensor.data)
        );
        let theirs = theirs.tensor(&tensor.name).unwrap();
        assert_eq!((theirs.dtype(), theirs.data()), (tensor.dtype, &*tensor.data));
    }
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    let folder = tempdir().unwrap();
    let write = |name: &str, tensors: &[OwnedTensor]| {
        let file = folder.path().join(name);
        write_file(&file, tensors, metadata()).unwrap();
        fs::read(file).unwrap()
    };
    let mut reversed = tensors();
    reversed.reverse();
    let bytes = write("one", &tensors());
    assert_eq!(write("two", &reversed), bytes);
    // One key has but one order: there the package writes the same bytes.
    let file = folder.path().join("three");
    let one = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    write_file(&file, &tensors(), one.clone()).unwrap();
    let ours = tensors();
    let views = ours.iter().map(|tensor| {
        let view = safetensors::tensor::TensorView::new;
        (&tensor.name, view(tensor.dtype, tensor.shape.clone(), &tensor.data).unwrap())
    });
    assert_eq!(fs::read(file).unwrap(), safetensors::serialize(views, Some(one)).unwrap());
}

#[test]
fn the_data_of_each_tensor_is_aligned_to_its_type() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    write_file(&file, &tensors(), HashMap::new()).unwrap();
    let bytes = fs::read(file).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert!(header.is_multiple_of(8));
    let checkpoint = Checkpoint::from_bytes("x", bytes).unwrap();
    let start = checkpoint.get("ids").unwrap().data.as_ptr().addr();
    assert_eq!(checkpoint.get("w").unwrap().data.as_ptr().addr() - start, 8);
    assert_eq!(checkpoint.get("q").unwrap().data.as_ptr().addr() - start, 16);
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    fs::write(&file, "before").unwrap();
    let refused = |tensors: &[OwnedTensor]| {
        let error = write_file(&file, tensors, HashMap::new()).unwrap_err();
        assert_eq!(fs::read_to_string(&file).unwrap(), "before");
        assert_eq!(entries(folder.path()), 1);
        error
    };
    let named = |name: &str| OwnedTensor::from_f32(name, vec![1], &[1.0]);
    let twice = refused(&[named("a"), named("b"), named("a")]);
    assert_error!(twice, Error::DuplicateKey { .. }, "found a twice");
    assert_error!(refused(&[named("a\0")]), Error::Name { .. }, "model.safetensors");
    assert_error!(refused(&[named("__metadata__")]), Error::Name { .. }, "__metadata__");
    let short = OwnedTensor::from_f32("a", vec![2], &[1.0]);
    assert_error!(refused(&[short]), Error::Length { expected: 8, .. }, "4 bytes of data");
    let huge = OwnedTensor::from_f32("a", vec![usize::MAX, 2], &[1.0]);
    assert_error!(refused(&[huge]), Error::Size { .. }, "tensor a");
}

#[test]
fn only_files_are_replaced() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    write_file(&file, &tensors(), HashMap::new()).unwrap();
    write_file(&file, &[], HashMap::new()).unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"\x08\0\0\0\0\0\0\0{}      ");
    let taken = write_file(folder.path(), &tensors(), HashMap::new()).unwrap_err();
    assert_error!(taken, Error::NotAFile { .. }, "found a folder");
    let nowhere = folder.path().join("missing/model.safetensors");
    let error = write_file(&nowhere, &tensors(), HashMap::new()).unwrap_err();
    assert_error!(error, Error::Io { action: "write", .. }, "missing");
    let nameless = write_file(Path::new(""), &tensors(), HashMap::new()).unwrap_err();
    assert_error!(nameless, Error::Io { action: "write", .. }, "cannot write");
    assert_eq!(entries(folder.path()), 1);
}
