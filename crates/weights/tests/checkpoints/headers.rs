//! Headers that lie, one per rule of the format.

use nervio_weights::{Checkpoint, Dtype, Error};

use crate::bytes::{assert_error, file, one, open, refused, tensor};

#[test]
fn a_good_file_is_read() {
    let header = format!(
        r#"{{"__metadata__":{{"format":"pt"}},{},{},{}}}   "#,
        tensor("b", "F16", "[3]", 5, 11),
        tensor("a", "I8", "[5]", 0, 5),
        tensor("empty", "F32", "[0,18446744073709551615]", 5, 5),
    );
    let checkpoint = open(file(&header, b"abcdefghijk"));
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["a", "b", "empty"]);
    assert_eq!(checkpoint.metadata()["format"], "pt");
    let b = checkpoint.get("b").unwrap();
    assert_eq!((b.name, b.dtype, b.shape, b.data), ("b", Dtype::F16, &[3][..], &b"fghijk"[..]));
    assert!(checkpoint.get("empty").unwrap().data.is_empty());
    assert!(checkpoint.get("c").is_none());
    assert_eq!(checkpoint.total_bytes(), 8 + header.len() as u64 + 11);
}

#[test]
fn scalars_and_files_without_tensors_are_legal() {
    let scalar = open(one("F32", "[]", &1.5_f32.to_le_bytes()));
    assert_eq!(scalar.get("x").unwrap().floats().unwrap().to_vec(), [1.5]);
    assert_eq!(open(file("{}", b"")).names().count(), 0);
}

#[test]
fn files_that_end_before_their_header() {
    assert_error!(refused(vec![]), Error::TooShort { found: 0, .. }, "found 0 bytes");
    assert_error!(refused(vec![1; 7]), Error::TooShort { found: 7, .. }, "8 bytes");
    let cut = refused([&50_u64.to_le_bytes()[..], b"{}"].concat());
    assert_error!(cut, Error::HeaderCut { expected: 50, found: 2, .. }, "expected 50");
}

#[test]
fn headers_longer_than_any_are_not_even_looked_for() {
    for len in [100_000_001, u64::MAX] {
        let error = refused([&len.to_le_bytes()[..], b"{}"].concat());
        assert_error!(error, Error::TooLong { limit: 100_000_000, .. }, "the header");
    }
}

#[test]
fn headers_that_are_not_the_json_of_the_format() {
    for (header, reason) in [
        ("", "EOF"),
        ("null", "invalid type"),
        ("[]", "an object of tensors"),
        ("{\"a\":", "EOF"),
        (" {}", "begins with a blank"),
        ("{} {}", "trailing"),
        (r#"{"a":1}"#, "a: invalid type"),
        (r#"{"a":{"dtype":"F32","shape":[1]}}"#, "a: missing field `data_offsets`"),
        (r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, "a: invalid value"),
        (r#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, "floating point"),
        (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#, "a: "),
        (r#"{"a":{"dtype":"F32","shape":[1e308],"data_offsets":[0,4]}}"#, "floating point"),
        (r#"{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#, "unknown variant `F99`"),
        (r#"{"a":{"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,4]}}"#, "duplicate"),
        (r#"{"__metadata__":{"format":1}}"#, "format: invalid type"),
        (r#"{"__metadata__":null}"#, "__metadata__: invalid type"),
    ] {
        assert_error!(refused(file(header, b"")), Error::Json { .. }, reason, "the header");
    }
    let not_text = refused([&4_u64.to_le_bytes()[..], b"{\"\xff\""].concat());
    assert_error!(not_text, Error::Json { .. }, "the header");
}

#[test]
fn json_nested_too_deep() {
    for deep in ["[".repeat(100_000), "{\"a\":".repeat(100_000)] {
        let inside = format!(r#"{{"a":{{"dtype":"F32","other":{deep}"#);
        assert_error!(refused(file(&deep, b"")), Error::TooDeep { .. }, "at most 32 levels");
        assert_error!(refused(file(&inside, b"")), Error::TooDeep { .. }, "the header");
    }
}

#[test]
fn keys_that_occur_twice() {
    let a = tensor("a", "I8", "[2]", 0, 2);
    let b = tensor("b", "I8", "[2]", 0, 2);
    let twice = refused(file(&format!("{{{a},{b},{a}}}"), b"xx"));
    assert_error!(twice, Error::DuplicateKey { what: "the header", .. }, "found a twice");
    // The same name in other letters of JSON.
    let escaped = refused(file(&format!("{{{a},{}}}", a.replacen('a', "\\u0061", 1)), b"xx"));
    assert_error!(escaped, Error::DuplicateKey { .. }, "found a twice");
    let metadata = r#""__metadata__":{"k":"1","k":"2"}"#;
    let inside = refused(file(&format!("{{{metadata},{a}}}"), b"xx"));
    assert_error!(inside, Error::DuplicateKey { what: "__metadata__", .. }, "found k twice");
    let metadata = r#""__metadata__":{}"#;
    let whole = refused(file(&format!("{{{metadata},{a},{metadata}}}"), b"xx"));
    assert_error!(whole, Error::DuplicateKey { .. }, "__metadata__ twice");
}

#[test]
fn names_that_hide_something() {
    for name in ["", "a\\u0000b", "\\u001b[2J", "a\\nb"] {
        let header = format!("{{{}}}", tensor(name, "I8", "[2]", 0, 2));
        assert_error!(refused(file(&header, b"xx")), Error::Name { .. }, "control characters");
    }
    let long = tensor(&"n".repeat(100_000), "I8", "[2]", 0, 2);
    let error = refused(file(&format!("{{{long}}}"), b"xx"));
    assert_error!(error, Error::TooLong { found: 100_000, .. }, "tensor name nnnn");
}

#[test]
fn tensors_that_share_bytes_or_leave_some_out() {
    let two = |first: (usize, usize), second: (usize, usize)| {
        let first = tensor("a", "I8", "[4]", first.0, first.1);
        let second = tensor("b", "I8", "[4]", second.0, second.1);
        refused(file(&format!("{{{first},{second}}}"), b"12345678"))
    };
    assert_error!(two((0, 4), (3, 7)), Error::Overlap { expected: 4, begin: 3, .. }, "tensor b");
    assert_error!(two((0, 4), (0, 4)), Error::Overlap { .. }, "overlapping offsets 0..4");
    assert_error!(two((4, 8), (3, 7)), Error::Hole { expected: 0, .. }, "tensor b");
    assert_error!(two((0, 4), (5, 9)), Error::Hole { expected: 4, begin: 5, .. }, "hole");
    assert_error!(two((0, 4), (8, 4)), Error::Hole { .. }, "offsets 8..4");
}

#[test]
fn data_that_is_longer_or_shorter_than_the_header_says() {
    let a = format!("{{{}}}", tensor("a", "F32", "[2]", 0, 8));
    let cut = refused(file(&a, b"1234567"));
    assert_error!(cut, Error::Truncated { expected: 8, found: 7, .. }, "tensor a", "cut short");
    let more = refused(file(&a, b"123456789"));
    assert_error!(more, Error::Trailing { expected: 8, found: 9, .. }, "found 9");
    let empty = refused(file("{}", b"1"));
    assert_error!(empty, Error::Trailing { expected: 0, .. }, "the data");
}

#[test]
fn shapes_that_do_not_fit_their_data() {
    let with = |dtype: &str, shape: &str, len| {
        refused(file(&format!("{{{}}}", tensor("a", dtype, shape, 0, len)), &vec![0; len]))
    };
    assert_error!(with("F32", "[3]", 8), Error::Length { expected: 12, .. }, "offsets 0..8");
    assert_error!(with("F16", "[0]", 2), Error::Length { expected: 0, .. }, "tensor a");
    for shape in ["[18446744073709551615,2]", "[4294967296,4294967296]", "[2305843009213693952]"] {
        assert_error!(with("F32", shape, 8), Error::Size { .. }, "tensor a", "F32");
    }
    assert_error!(with("F4", "[3]", 1), Error::Size { .. }, "whole bytes");
    let ones = format!("[{}1]", "1,".repeat(1_000_000));
    assert_error!(with("F32", &ones, 4), Error::Rank { found: 1_000_001, limit: 64, .. }, "64");
}

#[test]
fn offsets_backwards() {
    let header = format!("{{{}}}", tensor("a", "I8", "[4]", 0, 4).replace("[0,4]", "[4,0]"));
    assert_error!(refused(file(&header, b"1234")), Error::Hole { .. }, "offsets 4..0");
    let two = format!("{{{},{}}}", tensor("a", "I8", "[4]", 0, 4), tensor("b", "I8", "[4]", 4, 0));
    assert_error!(refused(file(&two, b"1234")), Error::Length { .. }, "offsets 4..0");
}

#[test]
fn every_beginning_of_a_file_is_refused() {
    let a = tensor("a", "F32", "[2]", 0, 8);
    let whole = file(&format!("{{{a}}}"), b"12345678");
    for len in 0..whole.len() {
        refused(whole[..len].to_vec());
    }
    open(whole);
}

#[test]
fn the_embedded_kind_is_checked_too() {
    static SHORT: &[u8] = &[9, 0, 0];
    let error = Checkpoint::from_static("embedded", SHORT).unwrap_err();
    assert_error!(error, Error::TooShort { .. }, "embedded: ");
}
