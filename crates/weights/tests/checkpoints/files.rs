//! Files that are not what they should be, and files that change.

use std::fs;
use std::path::Path;

use nervio_weights::{Checkpoint, Error, OpenOptions};
use tempfile::tempdir;

use crate::bytes::{assert_error, one};

const BOTH: [OpenOptions; 2] = [OpenOptions { mmap: true }, OpenOptions { mmap: false }];

#[test]
fn a_file_is_the_same_mapped_and_read() {
    let folder = tempdir().unwrap();
    let bytes = one("I8", "[2,3]", b"abcdef");
    fs::write(folder.path().join("model.safetensors"), &bytes).unwrap();
    for options in BOTH {
        let checkpoint = Checkpoint::open(folder.path(), &options).unwrap();
        assert_eq!(checkpoint.get("x").unwrap().data, b"abcdef");
        assert_eq!(checkpoint.total_bytes(), bytes.len() as u64);
        assert!(checkpoint.path().ends_with("model.safetensors"));
    }
}

#[test]
fn folders_without_weights_say_what_they_have() {
    let folder = tempdir().unwrap();
    let open = || Checkpoint::open(folder.path(), &OpenOptions::default()).unwrap_err();
    assert_error!(open(), Error::NoWeights { .. }, "found neither");
    fs::write(folder.path().join("pytorch_model.bin"), "").unwrap();
    assert_error!(open(), Error::NoWeights { .. }, "pytorch_model.bin", "converted");
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    for options in BOTH {
        let missing = Checkpoint::open_file(&file, &options).unwrap_err();
        assert_error!(missing, Error::Io { action: "open", .. }, "model.safetensors");
    }
    fs::create_dir(&file).unwrap();
    for options in BOTH {
        let error = Checkpoint::open(folder.path(), &options).unwrap_err();
        assert_error!(error, Error::NotAFile { .. }, "expected a file, found a folder");
    }
}

#[test]
fn an_empty_file_is_refused() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("model.safetensors"), "").unwrap();
    for options in BOTH {
        let error = Checkpoint::open(folder.path(), &options).unwrap_err();
        assert_error!(error, Error::TooShort { found: 0, .. }, "model.safetensors");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_or_a_device_is_refused_at_once() {
    let folder = tempdir().unwrap();
    let pipe = folder.path().join("model.safetensors");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    let mut paths = vec![Path::new("/dev/zero").to_owned()];
    if made.is_ok_and(|status| status.success()) {
        paths.push(pipe);
    } else {
        println!("skipped: mkfifo is not there");
    }
    for path in paths {
        for options in BOTH {
            let error = Checkpoint::open_file(&path, &options).unwrap_err();
            assert_error!(error, Error::NotAFile { .. }, "a pipe or a device");
        }
    }
}

#[cfg(unix)]
#[test]
fn files_that_may_not_be_read_are_refused() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    fs::write(&file, one("I8", "[1]", b"x")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&file).is_ok() {
        println!("skipped: this user may read everything");
        return;
    }
    for options in BOTH {
        let error = Checkpoint::open(folder.path(), &options).unwrap_err();
        assert_error!(error, Error::Io { action: "open", .. }, "model.safetensors");
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_dangling_ones_named() {
    let folder = tempdir().unwrap();
    let (blobs, model) = (folder.path().join("blobs"), folder.path().join("snapshots/1"));
    fs::create_dir_all(&blobs).unwrap();
    fs::create_dir_all(&model).unwrap();
    let link = model.join("model.safetensors");
    std::os::unix::fs::symlink("../../blobs/0123", &link).unwrap();
    let error = Checkpoint::open(&model, &OpenOptions::default()).unwrap_err();
    assert_error!(error, Error::Io { action: "open", .. }, "model.safetensors");
    fs::write(blobs.join("0123"), one("I8", "[1]", b"x")).unwrap();
    let checkpoint = Checkpoint::open(&model, &OpenOptions::default()).unwrap();
    assert_eq!(checkpoint.get("x").unwrap().data, b"x");
}

#[test]
fn a_file_that_was_read_may_be_cut_short() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let data = vec![7; 1 << 20];
    fs::write(&path, one("I8", "[1048576]", &data)).unwrap();
    let checkpoint = Checkpoint::open_file(&path, &OpenOptions { mmap: false }).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    assert_eq!(checkpoint.get("x").unwrap().data, data);
}

#[test]
fn a_mapped_file_may_be_replaced_or_removed() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    fs::write(&path, one("I8", "[3]", b"old")).unwrap();
    let checkpoint = Checkpoint::open_file(&path, &OpenOptions { mmap: true }).unwrap();
    let new = folder.path().join("new");
    fs::write(&new, one("I8", "[3]", b"new")).unwrap();
    fs::rename(new, &path).unwrap();
    assert_eq!(checkpoint.get("x").unwrap().data, b"old");
    fs::remove_file(&path).unwrap();
    assert_eq!(checkpoint.get("x").unwrap().data, b"old");
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_stays_mapped_behind_the_last_clone() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("model-to-be-unmapped.safetensors");
    fs::write(&path, one("I8", "[3]", b"abc")).unwrap();
    let is_mapped = || {
        fs::read_to_string("/proc/self/maps").unwrap().contains("model-to-be-unmapped.safetensors")
    };
    let checkpoint = Checkpoint::open_file(&path, &OpenOptions { mmap: true }).unwrap();
    let clone = checkpoint.clone();
    drop(checkpoint);
    assert!(is_mapped());
    drop(clone);
    assert!(!is_mapped());
}

#[test]
fn a_checkpoint_can_be_shared_between_threads() {
    let checkpoint = crate::bytes::open(one("I8", "[3]", b"abc"));
    let sums: Vec<u32> = std::thread::scope(|scope| {
        let sum = || checkpoint.get("x").unwrap().data.iter().map(|x| u32::from(*x)).sum();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(sum)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(sums, [294; 4]);
}
