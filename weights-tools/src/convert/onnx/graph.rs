//! Finding the weights of a graph and their names.
//!
//! Exporters fold a linear layer's weight into a matrix without a name, `[in, out]`. What tells which
//! layer it is of is the bias that is added to its product, which keeps its name. Quantisers put
//! integers in place of weights, with nodes that turn them, or the product, back into floats.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::dequantize::{Blocks, blocks, linear};
use super::proto::{Graph, Node, Tensor};
use super::tensor::{Array, Values, is_numeric, read};

/// Nodes that several layers were fused into.
const FUSED: [&str; 6] = [
    "Attention",
    "QAttention",
    "EmbedLayerNormalization",
    "SkipLayerNormalization",
    "DynamicQuantizeMatMul",
    "MatMulIntegerToFloat",
];

/// Nodes between a weight and its use that are followed; no exporter has as many.
const MAX_CHAIN: usize = 8;

/// A graph, its constants, and who makes and who uses each value.
struct Walk<'a> {
    folder: &'a Path,
    constants: HashMap<&'a str, &'a Tensor>,
    makers: HashMap<&'a str, &'a Node>,
    users: HashMap<&'a str, Vec<&'a Node>>,
}

/// The weights of a graph by name, all as floats; linear layers as `[out, in]`.
///
/// # Errors
/// When the graph is fused, or a layer's weight is of an unknown form or has no name.
pub(super) fn weights(graph: &Graph, folder: &Path) -> Result<BTreeMap<String, Array>> {
    let walk = Walk::new(graph, folder);
    let mut found = BTreeMap::new();
    for node in &graph.node {
        ensure!(
            !FUSED.contains(&node.op_type.as_str()),
            "{}: expected one layer to a node, found several fused into one; convert the graph as \
             it was before it was optimised",
            node.title()
        );
        if let Some(layer) = walk.layer(node).with_context(|| node.title())? {
            insert(&mut found, layer).with_context(|| node.title())?;
        }
    }
    for node in &graph.node {
        for named in walk.named(node).with_context(|| node.title())? {
            found.entry(named.0).or_insert(named.1);
        }
    }
    Ok(found)
}

/// Adds a layer's weight; two nodes of one name must share it.
fn insert(found: &mut BTreeMap<String, Array>, (name, array): (String, Array)) -> Result<()> {
    match found.get(&name) {
        Some(first) => ensure!(*first == array, "{name}: expected one weight, found two"),
        None => drop(found.insert(name, array)),
    }
    Ok(())
}

impl<'a> Walk<'a> {
    fn new(graph: &'a Graph, folder: &'a Path) -> Self {
        let mut walk = Self {
            folder,
            constants: graph.initializer.iter().map(|x| (x.name.as_str(), x)).collect(),
            makers: HashMap::new(),
            users: HashMap::new(),
        };
        for node in &graph.node {
            let value = node.find("value").and_then(|value| value.t.as_ref());
            if let (Some(tensor), Some(output), "Constant") =
                (value, node.output.first(), node.op_type.as_str())
            {
                walk.constants.insert(output, tensor);
            }
            walk.makers.extend(node.output.iter().map(|output| (output.as_str(), node)));
            for input in &node.input {
                walk.users.entry(input).or_default().push(node);
            }
        }
        walk
    }

    /// The numbers of a value that depends on constants alone.
    fn constant(&self, value: &str) -> Result<Option<Array>> {
        self.follow(value, MAX_CHAIN)
    }

    fn follow(&self, value: &str, left: usize) -> Result<Option<Array>> {
        if let Some(tensor) = self.constants.get(value) {
            return if is_numeric(tensor) { read(tensor, self.folder).map(Some) } else { Ok(None) };
        }
        let Some(node) = self.makers.get(value) else { return Ok(None) };
        let Some(input) = node.input(0) else { return Ok(None) };
        ensure!(left > 0, "{value}: expected at most {MAX_CHAIN} nodes before it, found more");
        match node.op_type.as_str() {
            "Identity" | "Cast" => self.follow(input, left - 1),
            "Transpose" => {
                let order = node.find("perm").map(|perm| perm.ints.as_slice());
                let Some(array) = self.follow(input, left - 1)? else { return Ok(None) };
                ensure!(
                    matches!(order, None | Some([1, 0])),
                    "{}: expected rows and columns exchanged, found {order:?}",
                    node.title()
                );
                array.transposed().map(Some)
            }
            "DequantizeLinear" => {
                let Some(array) = self.follow(input, left - 1)? else { return Ok(None) };
                self.dequantize(node, &array).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// What a `DequantizeLinear` makes of some integers.
    fn dequantize(&self, node: &Node, integers: &Array) -> Result<Array> {
        let scale = self.needed(node, 1, "a constant scale")?;
        let zero = node.input(2).map(|_| self.needed(node, 2, "a constant zero point"));
        let block = usize::try_from(node.int("block_size").unwrap_or(0))?;
        let axis = node.int("axis").unwrap_or(1);
        linear(integers, &scale, zero.transpose()?.as_ref(), axis, block)
            .with_context(|| node.title())
    }

    /// An input that must be a constant.
    fn needed(&self, node: &Node, index: usize, what: &str) -> Result<Array> {
        let value = node.input(index).map(|value| self.constant(value)).transpose()?.flatten();
        value.with_context(|| format!("{}: expected {what}, found none", node.title()))
    }

    /// Name and weight of the linear layer that a node is, if it is one.
    fn layer(&self, node: &Node) -> Result<Option<(String, Array)>> {
        let (weight, product) = match node.op_type.as_str() {
            "MatMul" => {
                let Some(weight) = self.second(node)? else { return Ok(None) };
                (weight.transposed()?, node)
            }
            "Gemm" => {
                let Some(weight) = self.second(node)? else { return Ok(None) };
                ensure!(node.int("transA").unwrap_or(0) == 0, "transA: expected 0");
                let is_transposed = node.int("transB").unwrap_or(0) == 1;
                (if is_transposed { weight } else { weight.transposed()? }, node)
            }
            "MatMulNBits" => (self.blocks(node)?, node),
            "MatMulInteger" => self.integer_layer(node)?,
            _ => return Ok(None),
        };
        ensure!(weight.shape.len() == 2, "expected a matrix, found shape {:?}", weight.shape);
        let name = self.layer_name(node, product).with_context(|| {
            "expected a bias with a name that is added to the product, or a name of its own, found \
             neither"
        })?;
        Ok(Some((name, weight)))
    }

    /// The second input as floats, if it is a constant matrix.
    fn second(&self, node: &Node) -> Result<Option<Array>> {
        let Some(value) = node.input(1) else { return Ok(None) };
        let Some(array) = self.constant(value)? else { return Ok(None) };
        let is_matrix = array.shape.len() == 2 && matches!(array.values, Values::Float(_));
        Ok(Some(array).filter(|_| is_matrix))
    }

    /// The weight of a `MatMulNBits`.
    fn blocks(&self, node: &Node) -> Result<Array> {
        let size = |name: &str| {
            let value = node.int(name).and_then(|value| usize::try_from(value).ok());
            value.with_context(|| format!("{name}: expected a size"))
        };
        let shape = Blocks {
            rows: size("N")?,
            columns: size("K")?,
            block: size("block_size")?,
            bits: node.int("bits").map_or(Ok(4), usize::try_from)?,
        };
        ensure!(node.input(4).is_none(), "expected no order of groups (g_idx), found one");
        let (packed, scale) = (self.needed(node, 1, "blocks")?, self.needed(node, 2, "scales")?);
        let zero = node.input(3).map(|_| self.needed(node, 3, "constant zero points"));
        blocks(shape, &packed, &scale, zero.transpose()?.as_ref())
    }

    /// The weight of a `MatMulInteger`, and the node that brings its product back to floats: the
    /// product is cast and multiplied by the product of both scales.
    fn integer_layer(&self, node: &'a Node) -> Result<(Array, &'a Node)> {
        let integers = self.needed(node, 1, "a constant weight")?;
        let zero = node.input(3).map(|_| self.needed(node, 3, "a constant zero point"));
        let cast = self.user(node, "Cast").context("expected a Cast of the product, found none")?;
        let product = self.user(cast, "Mul").context("expected scales of the product")?;
        let cast_output = cast.output.first();
        let scales = product.input.iter().find(|input| Some(*input) != cast_output);
        let scales = scales.and_then(|scales| self.makers.get(scales.as_str()));
        let scales = scales.filter(|node| node.op_type == "Mul").context("expected both scales")?;
        let inputs = scales.input.iter().map(|input| self.constant(input));
        let scale = inputs.collect::<Result<Vec<_>>>()?.into_iter().flatten().next();
        let scale = scale.context("expected a constant scale of the weight, found none")?;
        let weight = linear(&integers, &scale, zero.transpose()?.as_ref(), 1, 0)?;
        Ok((weight.transposed()?, product))
    }

    /// The first user of a node's output that is of a kind.
    fn user(&self, node: &Node, kind: &str) -> Option<&'a Node> {
        let users = self.users.get(node.output.first()?.as_str())?;
        users.iter().find(|user| user.op_type == kind).copied()
    }

    /// The name of a layer's weight: by its bias, by its own, or by the node's.
    fn layer_name(&self, node: &Node, product: &Node) -> Option<String> {
        let bias = match node.op_type.as_str() {
            "Gemm" => node.input(2).and_then(|bias| self.root(bias)),
            _ => self.user(product, "Add").and_then(|add| {
                let mut roots = add.input.iter().filter_map(|input| self.root(input));
                roots.find(|root| root.ends_with(".bias"))
            }),
        };
        let by_bias = bias.and_then(|bias| Some(format!("{}.weight", bias.strip_suffix(".bias")?)));
        let own = || node.input(1).and_then(|weight| self.root(weight));
        let by_node = || {
            let (scope, _) = node.name.trim_start_matches('/').rsplit_once("/MatMul")?;
            Some(format!("{}.weight", scope.replace('/', ".")))
        };
        by_bias.or_else(|| own().filter(|name| name.ends_with(".weight"))).or_else(by_node)
    }

    /// The name of the constant that a value comes from, without the marks of quantisers.
    fn root(&self, value: &str) -> Option<String> {
        let mut value = value;
        for _ in 0..MAX_CHAIN {
            if self.constants.contains_key(value) {
                return Some(plain(value).unwrap_or(value).to_owned());
            }
            value = self.makers.get(value)?.input(0)?;
        }
        None
    }

    /// The weights that a node uses under names of their own: biases, layer norms, tables.
    fn named(&self, node: &Node) -> Result<Vec<(String, Array)>> {
        let mut found = Vec::new();
        if node.op_type == "GatherBlockQuantized" {
            return Ok(self.block_table(node)?.into_iter().collect());
        }
        // A table of integers whose rows are dequantised after they are gathered.
        if node.op_type == "DequantizeLinear"
            && let Some(gather) = node.input(0).and_then(|input| self.makers.get(input))
            && gather.op_type == "Gather"
            && let Some(table) = gather.input(0)
            && let Some(name) = self.root(table)
            && let Some(integers) = self.constant(table)?
        {
            found.push((name, self.dequantize(node, &integers)?));
        }
        for value in &node.input {
            let Some(name) = self.root(value).filter(|name| plain(name).is_some()) else {
                continue;
            };
            if let Some(array) = self.constant(value)?
                && matches!(array.values, Values::Float(_))
            {
                found.push((name, array));
            }
        }
        Ok(found)
    }

    /// The table of a `GatherBlockQuantized`: blocks along the last axis, of integers of 4 bits, or
    /// of bytes that hold `bits` each.
    fn block_table(&self, node: &Node) -> Result<Option<(String, Array)>> {
        let Some(name) = node.input(0).and_then(|table| self.root(table)) else { return Ok(None) };
        let (integers, scale) =
            (self.needed(node, 0, "a constant table")?, self.needed(node, 2, "scales")?);
        let zero =
            node.input(3).map(|_| self.needed(node, 3, "constant zero points")).transpose()?;
        let block = usize::try_from(node.int("block_size").unwrap_or(128))?;
        let is_packed = node.int("bits").is_some()
            && node
                .input(0)
                .and_then(|table| self.constants.get(table))
                .is_some_and(|x| x.data_type == 2);
        let [rows, width] = integers.shape[..] else {
            bail!("expected a table, found shape {:?}", integers.shape)
        };
        let array = if is_packed {
            let bits = usize::try_from(node.int("bits").unwrap_or(4))?;
            let columns = width * 8 / bits.max(1);
            let whole = columns.is_multiple_of(block);
            ensure!(whole, "expected whole blocks of {block}, found {columns} columns");
            blocks(Blocks { rows, columns, block, bits }, &integers, &scale, zero.as_ref())?
        } else {
            linear(&integers, &scale, zero.as_ref(), 1, block)?
        };
        Ok(Some((name, array)))
    }
}

/// A name up to the part that weights have, if it has one: quantisers add marks behind it.
fn plain(name: &str) -> Option<&str> {
    let ends = [".weight", ".bias", ".gamma", ".beta"].iter().filter_map(|part| {
        let end = name.rfind(part)? + part.len();
        (end == name.len() || name[end..].starts_with('_')).then_some(end)
    });
    ends.max().map(|end| &name[..end])
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn marks_of_quantisers_are_taken_off() {
        for (name, expected) in [
            (
                "bert.embeddings.word_embeddings.weight_quantized",
                Some("bert.embeddings.word_embeddings.weight"),
            ),
            ("a.LayerNorm.bias", Some("a.LayerNorm.bias")),
            ("a.weight_Q4G32", Some("a.weight")),
            ("onnx::MatMul_12", None),
            ("a.weights", None),
        ] {
            assert_eq!(plain(name), expected);
        }
    }
}
