//! Checkpoints made to harm: every one is refused by a sentence, and nothing of it runs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/convert")
}

/// What `convert` says of a folder with this file; it must fail and leave nothing.
fn refusal(name: &str, bytes: &[u8]) -> String {
    let (source, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(source.path().join(name), bytes).unwrap();
    fs::copy(fixtures().join("bert_config.json"), source.path().join("config.json")).unwrap();
    refusal_of(source.path(), &place.path().join("out"))
}

fn refusal_of(source: &Path, out: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_nervio-weights"))
        .args(["convert", "--labels", "O,B-PER,I-PER"])
        .args([source, out])
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.starts_with("error: ") && !message.contains("panicked"), "{message}");
    assert!(!out.exists());
    message
}

/// A zip file of `torch.save` with this pickle and one storage of 4 bytes.
fn zipped(pickle: &[u8], method: CompressionMethod) -> Vec<u8> {
    let place = tempfile::NamedTempFile::new().unwrap();
    let mut zip = ZipWriter::new(File::create(place.path()).unwrap());
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in [("m/data.pkl", pickle), ("m/data/0", &[0; 4])] {
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    fs::read(place.path()).unwrap()
}

fn pickle_refusal(pickle: &[u8]) -> String {
    refusal("pytorch_model.bin", &zipped(pickle, CompressionMethod::Stored))
}

/// A dictionary with one tensor `x`: its storage's elements, offset, shape and strides as opcodes.
fn tensor(elements: &[u8], offset: &[u8], shape: &[u8], strides: &[u8]) -> Vec<u8> {
    [
        b"\x80\x02}X\x01\0\0\0xctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\n",
        b"FloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu".as_slice(),
        elements,
        b"tQ",
        offset,
        shape,
        strides,
        b"\x89NtRs.",
    ]
    .concat()
}

#[test]
fn code_in_a_pickle_is_refused_by_name() {
    let marker = std::env::temp_dir().join(format!("nervio-was-run-{}", std::process::id()));
    let command = format!("touch {}", marker.display());
    let length = u8::try_from(command.len()).unwrap();
    let system = [b"\x80\x02cos\nsystem\nX", &[length, 0, 0, 0][..], command.as_bytes(), b"\x85R."];
    let stack_global = b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.";
    for (pickle, words) in [
        (system.concat(), ["byte 2", "os.system"]),
        (stack_global.to_vec(), ["byte 18", "builtins.eval"]),
        (b"\x80\x02cposix\nsystem\n.".to_vec(), ["data.pkl", "posix.system"]),
        (b"\x80\x02ctorch.hub\nload\n.".to_vec(), ["nothing of it was run", "torch.hub.load"]),
        (b"(S'ls'\nios\nsystem\n.".to_vec(), ["byte 7", "found os.system"]),
        (b"(ios\nsystem\n.".to_vec(), ["byte 1", "found os.system"]),
        (b"(icollections\nOrderedDict\n.".to_vec(), ["byte 1", "0x69 (INST)"]),
        (b"(cbuiltins\nexec\nS'1'\no.".to_vec(), ["byte 1", "found builtins.exec"]),
        (b"(ctorch\nFloatStorage\no.".to_vec(), ["byte 21", "0x6f (OBJ)"]),
        (b"\x80\x02}cnt\nsystem\nb.".to_vec(), ["byte 3", "found nt.system"]),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.".to_vec(), ["0x81", "NEWOBJ"]),
        (b"\x80\x02\x82\x01.".to_vec(), ["0x82", "EXT"]),
        (b"\x80\x02ctorch\nFloatStorage\n)R.".to_vec(), ["Storage(F32)", "arguments"]),
    ] {
        let message = pickle_refusal(&pickle);
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    }
    assert!(!marker.exists());
}

#[test]
fn deep_and_growing_pickles_end_at_once() {
    let deep = [b"\x80\x02)".to_vec(), vec![0x85; 1_000_000], b".".to_vec()].concat();
    assert!(pickle_refusal(&deep).contains("expected a dictionary of tensors"));
    let many = [b"\x80\x02(".to_vec(), vec![b']'; 4_000_000], b"t.".to_vec()].concat();
    assert!(pickle_refusal(&many).contains("at most 1048576 values"));
    let memos = [b"\x80\x02N".to_vec(), vec![0x94; 4_000_000], b".".to_vec()].concat();
    assert!(pickle_refusal(&memos).contains("at most 1048576 values"));
    let marks = [b"\x80\x02".to_vec(), vec![b'('; 4_000_000], b".".to_vec()].concat();
    assert!(pickle_refusal(&marks).contains("empty stack"));
    // Each list holds the one before ten times.
    let mut bomb = b"\x80\x02]q\0".to_vec();
    for level in 0..100_u8 {
        bomb.extend(b"](");
        bomb.extend([b'h', level].repeat(10));
        bomb.extend([b'e', b'q', level + 1]);
    }
    bomb.push(b'.');
    assert!(pickle_refusal(&bomb).contains("expected one value at the end"));
    let pairs = b"\x80\x02ccollections\nOrderedDict\n]\x85R.";
    assert!(pickle_refusal(pairs).contains("arguments of OrderedDict"));
    let long = vec![b'N'; (16 << 20) + 1];
    assert!(pickle_refusal(&long).contains("data.pkl: expected at most 16777216 bytes"));
    let claims = b"\x80\x02X\xff\xff\xff\xff.";
    assert!(pickle_refusal(claims).contains("is cut: expected 4294967295 more bytes"));
}

#[test]
fn broken_pickles_are_told() {
    for (pickle, expected) in [
        (&b""[..], "is cut"),
        (b".", "empty stack"),
        (b"\x80\x09.", "protocol 2 to 5, found 9"),
        (b"\x80\x02h\x05.", "expected memo 5, found none"),
        (b"\x80\x02t.", "expected a mark"),
        (b"\x80\x02}(K\x01u.", "in pairs"),
        (b"\x80\x02K\x01K\x02a.", "found an integer"),
        (b"\x80\x02K\x01.", "expected a dictionary of tensors"),
        (b"\x80\x02}K\x01K\x02s.", "expected names as keys"),
        (b"\x80\x02K\x01)R.", "expected a global to call"),
        (b"\x80\x02]}b.", "expected a dictionary with attributes"),
        (b"\x80\x02(K\x01tQ.", "expected five parts"),
        (b"\x80\x02X\x02\0\0\0\xff\xfe.", "a text"),
        (b"\x80\x02cos", "end of a line"),
        (b"\x80\x02}.", "tensor classifier.weight: expected 3 rows"),
    ] {
        let message = pickle_refusal(pickle);
        assert!(message.contains(expected), "{pickle:?}: {message}");
    }
}

#[test]
fn tensors_outside_of_their_storage_are_refused() {
    let (one, zero, unit) = (b"K\x01", b"K\0", b"K\x01\x85");
    let huge = b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86";
    let beyond = b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    for (pickle, expected) in [
        (tensor(one, one, unit, unit), "to fit a storage of 1 elements"),
        (tensor(one, zero, b"K\x02\x85", unit), "to fit a storage of 1 elements"),
        (tensor(one, zero, huge, b"K\0K\0\x86"), "to fit a storage of 1 elements"),
        (tensor(one, zero, unit, b")"), "expected a stride for each dimension"),
        (tensor(one, zero, unit, b"J\xff\xff\xff\xff\x85"), "strides of 0 or more, found -1"),
        (tensor(one, zero, &[&b"("[..], &b"K\x01".repeat(9), b"t"].concat(), unit), "at most 8"),
        (tensor(b"K\x02", zero, unit, unit), "expected 8 bytes (2 x F32), found 4"),
        (tensor(beyond, zero, unit, unit), "length of a storage"),
        (tensor(b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", zero, unit, unit), "elements"),
        (tensor(one, zero, unit, unit), "tensor classifier.weight: expected 3 rows"),
    ] {
        let message = pickle_refusal(&pickle);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn other_zip_files_are_refused() {
    let compressed = zipped(b"\x80\x02}.", CompressionMethod::Stored);
    // The method is stated twice: in the member's own header and in the directory.
    let mut deflated = compressed.clone();
    for signature in [&b"PK\x03\x04"[..], b"PK\x01\x02"] {
        let at = deflated.windows(4).position(|window| window == signature).unwrap();
        deflated[at + if signature[2] == 3 { 8 } else { 10 }] = 8;
    }
    let message = refusal("pytorch_model.bin", &deflated);
    assert!(message.contains("m/data.pkl"), "{message}");
    let cut = &compressed[..compressed.len() - 1];
    assert!(refusal("pytorch_model.bin", cut).contains("not a whole zip file"));
    let message = refusal("pytorch_model.bin", b"version https://git-lfs.github.com/spec/v1\n");
    assert!(message.contains("expected a file of torch.save"), "{message}");
}

#[test]
fn a_changed_weight_in_a_zip_file_fails_its_checksum() {
    let mut bytes = fs::read(fixtures().join("zip/pytorch_model.bin")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let message = refusal("pytorch_model.bin", &bytes);
    assert!(message.contains("tensor bert."), "{message}");
}

#[test]
fn a_changed_weight_in_a_bundle_fails_its_checksum() {
    let (source, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let fixture = fixtures().join("tensorflow");
    let data = "bert_model.ckpt.data-00000-of-00001";
    fs::copy(fixtures().join("bert_config.json"), source.path().join("config.json")).unwrap();
    fs::copy(fixture.join("bert_model.ckpt.index"), source.path().join("a.ckpt.index")).unwrap();
    let out = place.path().join("out");
    assert!(refusal_of(source.path(), &out).contains("a.ckpt.data-00000-of-00001"));
    let mut bytes = fs::read(fixture.join(data)).unwrap();
    let file = source.path().join(data.replace("bert_model", "a"));
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    assert!(refusal_of(source.path(), &out).contains("found its end at"));
    bytes[40] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let message = refusal_of(source.path(), &out);
    assert!(message.contains("expected the checksum"), "{message}");
}

#[test]
fn a_cut_legacy_file_is_told() {
    let bytes = fs::read(fixtures().join("legacy/pytorch_model.bin")).unwrap();
    for length in [1, 5, 13, 20, 100, 2_000, bytes.len() / 2, bytes.len() - 1] {
        let message = refusal("pytorch_model.bin", &bytes[..length]);
        assert!(message.contains("pytorch_model.bin"), "{length}: {message}");
    }
    let big = bytes.windows(15).position(|window| window.starts_with(b"little_endian")).unwrap();
    let mut bytes = bytes;
    let order = bytes[big..].iter().position(|byte| *byte == 0x88).unwrap();
    bytes[big + order] = 0x89;
    let message = refusal("pytorch_model.bin", &bytes);
    assert!(message.contains("expected little_endian True"), "{message}");
}
