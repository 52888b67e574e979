//! Buffers that start on a cache line, without unsafe code.

/// Bytes of a cache line, and the alignment of every buffer.
const LINE: usize = 64;

/// A growable buffer whose first element lies on a 64-byte boundary.
///
/// It allocates a line more than it needs and skips to the boundary. Growing forgets the contents.
#[derive(Debug, Default)]
pub struct Aligned<T> {
    storage: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// A buffer of `len` default elements.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let mut buffer = Self { storage: Vec::new(), start: 0, len: 0 };
        buffer.grow(len);
        buffer
    }

    /// The elements.
    #[inline(always)]
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.storage[self.start..self.start + self.len]
    }

    /// The elements, to write.
    #[inline(always)]
    #[must_use]
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.storage[self.start..self.start + self.len]
    }

    /// The first `len` elements, growing the buffer if it is shorter.
    #[must_use]
    pub fn first(&mut self, len: usize) -> &mut [T] {
        if len > self.len {
            self.grow(len);
        }
        &mut self.as_mut_slice()[..len]
    }

    /// Bytes that the buffer occupies.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.storage.capacity() * size_of::<T>()
    }

    fn grow(&mut self, len: usize) {
        let slack = LINE / size_of::<T>();
        self.storage = Vec::new();
        self.storage = vec![T::default(); len + slack];
        // `align_offset` may decline with a huge number; alignment is for speed alone.
        self.start = self.storage.as_ptr().align_offset(LINE).min(slack);
        self.len = len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_start_on_a_line_and_grow() {
        let mut buffer = Aligned::<f32>::default();
        for len in [1, 7, 100, 3] {
            assert_eq!(buffer.first(len).len(), len);
            assert_eq!(buffer.first(len).as_ptr().align_offset(LINE), 0);
        }
        assert_eq!(buffer.as_slice().len(), 100);
        assert_eq!(Aligned::<i8>::new(5).as_mut_slice(), [0; 5]);
    }
}
