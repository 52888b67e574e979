//! The part of Python's pickle machine that tensors need. It makes values, and nothing runs.
//!
//! Values refer to nodes by number: sharing through the memo copies nothing, and no depth of
//! nesting is walked or dropped recursively. The work is linear in the length of the pickle.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use safetensors::Dtype;

use super::opcodes::{self as op, Global};

/// Most dimensions of a tensor.
const MAX_RANK: usize = 8;

/// Most values with parts, and most in the memo: they take more memory than the pickle.
const MAX_VALUES: usize = 1 << 20;

/// Most bytes of a storage's key, which every tensor in it repeats.
const MAX_KEY: usize = 64;

/// A value on the stack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    /// `None`, or a number whose value no tensor needs.
    None,
    Bool(bool),
    Int(i64),
    /// The number of a node.
    Node(usize),
}

/// A value with parts.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Text(String),
    /// An integer beyond 64 bits: little-endian two's complement.
    Long(Vec<u8>),
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    Global(Global),
    Storage(Storage),
    Tensor(TensorRef),
}

/// A run of elements that the file holds under a key.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Storage {
    pub(super) key: String,
    pub(super) dtype: Dtype,
    pub(super) elements: u64,
}

/// A view of a storage; not yet checked against its length.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TensorRef {
    /// The number of the storage's node.
    pub(super) storage: usize,
    pub(super) offset: u64,
    pub(super) shape: Vec<u64>,
    pub(super) strides: Vec<u64>,
}

/// What one pickle stands for.
#[derive(Debug)]
pub(super) struct Pickle {
    pub(super) nodes: Vec<Node>,
    pub(super) root: Value,
    /// Bytes up to and with the STOP.
    pub(super) length: usize,
}

/// Reads the pickle at the start of `bytes`, which lie at `base` in the file, for messages.
///
/// # Errors
/// For every opcode and global that tensors do not need, by name, and for a broken pickle.
pub(super) fn read(file: &Path, bytes: &[u8], base: u64) -> Result<Pickle> {
    let mut machine = Machine { bytes, ..Machine::default() };
    loop {
        let at = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => {
                return Ok(Pickle { nodes: machine.nodes, root, length: machine.at });
            }
            Err(error) => {
                let at = base + at as u64;
                return Err(error.context(format!("{}: pickle, byte {at}", file.display())));
            }
        }
    }
}

#[derive(Default)]
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u64, Value>,
    nodes: Vec<Node>,
}

impl Machine<'_> {
    /// One opcode; the value of the pickle at its end.
    fn step(&mut self) -> Result<Option<Value>> {
        let opcode = self.take(1)?[0];
        match opcode {
            op::STOP => {
                let value = self.pop()?;
                ensure!(self.stack.is_empty(), "expected one value at the end, found more");
                return Ok(Some(value));
            }
            op::PROTO => {
                let version = self.number(1)?;
                ensure!(version <= 5, "expected pickle protocol 2 to 5, found {version}");
            }
            op::FRAME => drop(self.take(8)?),
            op::MARK => self.marks.push(self.stack.len()),
            op::NONE => self.stack.push(Value::None),
            op::NEWTRUE => self.stack.push(Value::Bool(true)),
            op::NEWFALSE => self.stack.push(Value::Bool(false)),
            op::BININT | op::BININT1 | op::BININT2 | op::LONG1 | op::BINFLOAT => {
                self.scalar(opcode)?;
            }
            op::BINSTRING | op::SHORT_BINSTRING | op::BINUNICODE | op::SHORT_BINUNICODE => {
                let wide = matches!(opcode, op::BINSTRING | op::BINUNICODE);
                let length = usize::try_from(self.number(if wide { 4 } else { 1 })?)?;
                let text = std::str::from_utf8(self.take(length)?).context("a text")?.to_owned();
                self.push(Node::Text(text));
            }
            // Texts of protocol 0, which PyTorch does not write: nothing here needs their value.
            op::STRING | op::UNICODE => {
                self.line()?;
                self.stack.push(Value::None);
            }
            op::EMPTY_TUPLE | op::TUPLE | op::TUPLE1..=op::TUPLE3 => {
                self.tuple(opcode)?;
            }
            op::EMPTY_LIST => self.push(Node::List(Vec::new())),
            op::EMPTY_DICT => self.push(Node::Dict(Vec::new())),
            op::APPEND | op::APPENDS | op::SETITEM | op::SETITEMS => self.extend(opcode)?,
            op::BINPUT | op::LONG_BINPUT | op::MEMOIZE | op::BINGET | op::LONG_BINGET => {
                self.remember(opcode)?;
            }
            op::GLOBAL | op::STACK_GLOBAL => {
                let global = self.global(opcode)?;
                self.push(Node::Global(global));
            }
            // What it would call is named before it is refused.
            op::INST => {
                self.global(opcode)?;
                bail!("{}", unneeded(opcode));
            }
            op::REDUCE => self.reduce()?,
            op::BUILD => self.build()?,
            op::BINPERSID => self.storage()?,
            _ => bail!("{}", unneeded(opcode)),
        }
        let values = self.nodes.len().max(self.memo.len());
        ensure!(values <= MAX_VALUES, "expected at most {MAX_VALUES} values, found more");
        Ok(None)
    }

    fn take(&mut self, length: usize) -> Result<&[u8]> {
        let left = self.bytes.len() - self.at;
        ensure!(length <= left, "the pickle is cut: expected {length} more bytes, found {left}");
        self.at += length;
        Ok(&self.bytes[self.at - length..self.at])
    }

    /// An unsigned number of up to eight bytes.
    fn number(&mut self, length: usize) -> Result<u64> {
        Ok(self.take(length)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn push(&mut self, node: Node) {
        self.stack.push(Value::Node(self.nodes.len()));
        self.nodes.push(node);
    }

    fn pop(&mut self) -> Result<Value> {
        let floor = self.marks.last().copied().unwrap_or(0);
        ensure!(self.stack.len() > floor, "expected a value, found an empty stack");
        self.stack.pop().context("expected a value, found an empty stack")
    }

    /// All values above the last mark.
    fn pop_to_mark(&mut self) -> Result<Vec<Value>> {
        let mark = self.marks.pop().context("expected a mark, found none")?;
        Ok(self.stack.split_off(mark))
    }

    fn scalar(&mut self, opcode: u8) -> Result<()> {
        let value = match opcode {
            op::BININT => Value::Int(i64::from((self.number(4)? as u32).cast_signed())),
            op::BININT1 => Value::Int(self.number(1)?.cast_signed()),
            op::BININT2 => Value::Int(self.number(2)?.cast_signed()),
            op::BINFLOAT => {
                self.take(8)?;
                Value::None
            }
            _ => return self.long(),
        };
        self.stack.push(value);
        Ok(())
    }

    fn long(&mut self) -> Result<()> {
        let length = usize::try_from(self.number(1)?)?;
        let digits = self.take(length)?.to_vec();
        if length > 8 {
            self.push(Node::Long(digits));
            return Ok(());
        }
        let fill = if digits.last().is_some_and(|byte| *byte >= 0x80) { 0xff } else { 0 };
        let mut bytes = [fill; 8];
        bytes[..length].copy_from_slice(&digits);
        self.stack.push(Value::Int(i64::from_le_bytes(bytes)));
        Ok(())
    }

    fn tuple(&mut self, opcode: u8) -> Result<()> {
        let mut values = match opcode {
            op::TUPLE => self.pop_to_mark()?,
            op::EMPTY_TUPLE => Vec::new(),
            _ => (op::TUPLE1..=opcode).map(|_| self.pop()).collect::<Result<_>>()?,
        };
        if opcode != op::TUPLE {
            values.reverse();
        }
        self.push(Node::Tuple(values));
        Ok(())
    }

    /// Adds to the list or dictionary below.
    fn extend(&mut self, opcode: u8) -> Result<()> {
        let mut values = match opcode {
            op::APPEND => vec![self.pop()?],
            op::SETITEM => vec![self.pop()?, self.pop()?],
            _ => self.pop_to_mark()?,
        };
        if opcode == op::SETITEM {
            values.reverse();
        }
        let target = self.pop()?;
        self.stack.push(target);
        match (self.node_mut(target), opcode) {
            (Some(Node::List(list)), op::APPEND | op::APPENDS) => list.append(&mut values),
            (Some(Node::Dict(dict)), op::SETITEM | op::SETITEMS) => {
                ensure!(values.len().is_multiple_of(2), "expected keys and values in pairs");
                dict.extend(values.as_chunks::<2>().0.iter().map(|[key, value]| (*key, *value)));
            }
            _ => bail!("expected a list or a dictionary to add to, found {}", self.kind(target)),
        }
        Ok(())
    }

    fn remember(&mut self, opcode: u8) -> Result<()> {
        let place = match opcode {
            op::MEMOIZE => self.memo.len() as u64,
            op::BINPUT | op::BINGET => self.number(1)?,
            _ => self.number(4)?,
        };
        if matches!(opcode, op::BINGET | op::LONG_BINGET) {
            let value = self.memo.get(&place);
            let value = *value.with_context(|| format!("expected memo {place}, found none"))?;
            self.stack.push(value);
        } else {
            let value = self.pop()?;
            self.stack.push(value);
            self.memo.insert(place, value);
        }
        Ok(())
    }

    fn global(&mut self, opcode: u8) -> Result<Global> {
        let (module, name) = if matches!(opcode, op::GLOBAL | op::INST) {
            (self.line()?, self.line()?)
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            (self.text(module)?.to_owned(), self.text(name)?.to_owned())
        };
        Global::find(&module, &name).ok_or_else(|| {
            let name = format!("{module}.{name}");
            let name: String = name.chars().take(80).flat_map(char::escape_debug).collect();
            anyhow!("expected a global that tensors need, found {name}; nothing of it was run")
        })
    }

    fn line(&mut self) -> Result<String> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|byte| *byte == b'\n');
        let line = self.take(end.context("the pickle is cut: expected the end of a line")?)?;
        let line = std::str::from_utf8(line).context("a global")?.to_owned();
        self.take(1)?;
        Ok(line)
    }

    /// What a call of a global would give.
    fn reduce(&mut self) -> Result<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Some(Node::Global(global)) = self.node(function) else {
            bail!("expected a global to call, found {}", self.kind(function));
        };
        let global = *global;
        let Some(Node::Tuple(arguments)) = self.node(arguments) else {
            bail!("expected a tuple of arguments, found {}", self.kind(arguments));
        };
        match (global, arguments.as_slice()) {
            (Global::OrderedDict, []) => self.push(Node::Dict(Vec::new())),
            (Global::RebuildTensor, [storage, offset, shape, strides, ..]) => {
                let tensor = self.tensor(*storage, *offset, *shape, *strides)?;
                self.push(Node::Tensor(tensor));
            }
            (Global::RebuildParameter, [tensor, ..]) => {
                let tensor = *tensor;
                let is_tensor = matches!(self.node(tensor), Some(Node::Tensor(_)));
                ensure!(is_tensor, "expected a tensor, found {}", self.kind(tensor));
                self.stack.push(tensor);
            }
            _ => bail!("expected other arguments of {global:?}, found {}", arguments.len()),
        }
        Ok(())
    }

    /// The arguments of `_rebuild_tensor_v2`; the rest of them (gradients, hooks) says nothing here.
    fn tensor(
        &self,
        storage: Value,
        offset: Value,
        shape: Value,
        strides: Value,
    ) -> Result<TensorRef> {
        let (Value::Node(number), Some(Node::Storage(_))) = (storage, self.node(storage)) else {
            bail!("expected the storage of a tensor, found {}", self.kind(storage));
        };
        let (shape, strides) = (self.sizes("shape", shape)?, self.sizes("strides", strides)?);
        ensure!(
            shape.len() == strides.len(),
            "expected a stride for each dimension, found shape {shape:?} and strides {strides:?}"
        );
        Ok(TensorRef { storage: number, offset: natural("offset", offset)?, shape, strides })
    }

    fn sizes(&self, what: &str, value: Value) -> Result<Vec<u64>> {
        let Some(Node::Tuple(values)) = self.node(value) else {
            bail!("expected a tuple as {what} of a tensor, found {}", self.kind(value));
        };
        let rank = values.len();
        ensure!(rank <= MAX_RANK, "expected at most {MAX_RANK} dimensions, found {rank}");
        values.iter().map(|value| natural(what, *value)).collect()
    }

    /// The attributes that a dictionary has beside its items (`_metadata`) are left out.
    fn build(&mut self) -> Result<()> {
        self.pop()?;
        let target = self.pop()?;
        let is_dict = matches!(self.node(target), Some(Node::Dict(_)));
        ensure!(is_dict, "expected a dictionary with attributes, found {}", self.kind(target));
        self.stack.push(target);
        Ok(())
    }

    /// `('storage', torch.FloatStorage, key, location, elements)`, in old files with a view.
    fn storage(&mut self) -> Result<()> {
        let id = self.pop()?;
        let Some(Node::Tuple(parts)) = self.node(id) else {
            bail!("expected the id of a storage, found {}", self.kind(id));
        };
        let [kind, class, key, _location, elements, rest @ ..] = parts.as_slice() else {
            bail!("expected five parts in the id of a storage, found {}", parts.len());
        };
        ensure!(self.text(*kind)? == "storage", "expected 'storage', found {}", self.kind(*kind));
        ensure!(
            rest.iter().all(|part| *part == Value::None),
            "a view of a storage is not supported"
        );
        let Some(Node::Global(Global::Storage(dtype))) = self.node(*class) else {
            bail!("expected the class of a storage, found {}", self.kind(*class));
        };
        let (dtype, elements) = (*dtype, natural("length of a storage", *elements)?);
        let key = self.text(*key)?;
        ensure!(key.len() <= MAX_KEY, "expected at most {MAX_KEY} bytes as key of a storage");
        let key = key.to_owned();
        self.push(Node::Storage(Storage { key, dtype, elements }));
        Ok(())
    }

    fn node(&self, value: Value) -> Option<&Node> {
        if let Value::Node(number) = value { self.nodes.get(number) } else { None }
    }

    fn node_mut(&mut self, value: Value) -> Option<&mut Node> {
        if let Value::Node(number) = value { self.nodes.get_mut(number) } else { None }
    }

    fn text(&self, value: Value) -> Result<&str> {
        match self.node(value) {
            Some(Node::Text(text)) => Ok(text),
            _ => bail!("expected a text, found {}", self.kind(value)),
        }
    }

    /// What a value is, for messages.
    fn kind(&self, value: Value) -> &'static str {
        match (value, self.node(value)) {
            (Value::None, _) => "None or a float",
            (Value::Bool(_), _) => "a bool",
            (Value::Int(_), _) | (_, Some(Node::Long(_))) => "an integer",
            (_, Some(Node::Text(_))) => "a text",
            (_, Some(Node::Tuple(_))) => "a tuple",
            (_, Some(Node::List(_))) => "a list",
            (_, Some(Node::Dict(_))) => "a dictionary",
            (_, Some(Node::Global(_))) => "a global",
            (_, Some(Node::Storage(_))) => "a storage",
            (_, Some(Node::Tensor(_))) => "a tensor",
            (Value::Node(_), None) => "nothing",
        }
    }
}

fn unneeded(opcode: u8) -> String {
    format!("expected an opcode that tensors need, found 0x{opcode:02x} ({})", op::name(opcode))
}

fn natural(what: &str, value: Value) -> Result<u64> {
    match value {
        Value::Int(number) if number >= 0 => Ok(number.cast_unsigned()),
        Value::Int(number) => bail!("expected a {what} of 0 or more, found {number}"),
        _ => bail!("expected a number as {what}, found something else"),
    }
}
