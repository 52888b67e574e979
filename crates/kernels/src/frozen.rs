//! Elements that are only read, wherever their bytes live.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytemuck::Pod;

use crate::aligned::Aligned;

/// Bytes that somebody keeps alive: a buffer, a mapped file, a part of the program.
pub type SharedBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A slice of elements that are never written again. Clones share the memory.
///
/// Weights are frozen once they are packed; those of a file of panels, and tables that are part of
/// the program, are used where they lie.
#[derive(Clone)]
pub struct Frozen<T> {
    owner: SharedBytes,
    element: PhantomData<T>,
}

impl<T: Pod> Frozen<T> {
    /// The bytes of `owner` as elements; nothing if they begin on no border of an element, or end
    /// within one.
    #[must_use]
    pub fn new(owner: SharedBytes) -> Option<Self> {
        bytemuck::try_cast_slice::<u8, T>((*owner).as_ref()).ok()?;
        Some(Self { owner, element: PhantomData })
    }

    /// The elements.
    #[inline(always)]
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        bytemuck::cast_slice((*self.owner).as_ref())
    }

    /// Bytes that the elements occupy.
    #[must_use]
    pub fn bytes(&self) -> usize {
        (*self.owner).as_ref().len()
    }

    /// The bytes of the elements, little-endian on the machines that there are kernels for.
    #[must_use]
    pub fn shared(&self) -> SharedBytes {
        Arc::clone(&self.owner)
    }
}

impl<T: Pod + Send + Sync> From<Aligned<T>> for Frozen<T> {
    fn from(elements: Aligned<T>) -> Self {
        Self { owner: Arc::new(elements), element: PhantomData }
    }
}

impl<T: Pod> fmt::Debug for Frozen<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frozen").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_in_place() {
        let mut elements = Aligned::<f32>::new(3);
        elements.as_mut_slice().copy_from_slice(&[1.0, 2.0, 3.0]);
        let place = elements.as_slice().as_ptr();
        let frozen = Frozen::from(elements);
        assert_eq!((frozen.as_slice(), frozen.bytes()), (&[1.0, 2.0, 3.0][..], 12));
        let again = Frozen::<f32>::new(frozen.shared()).unwrap();
        assert_eq!(again.as_slice().as_ptr(), place);
    }

    #[test]
    fn half_an_element_is_refused() {
        let bytes = |len: usize| Arc::new(vec![0_u8; len]) as SharedBytes;
        assert!(Frozen::<i8>::new(bytes(7)).is_some());
        assert!(Frozen::<f32>::new(bytes(7)).is_none());
    }
}
