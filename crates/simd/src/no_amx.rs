//! Where there is no AMX.

/// Products by tile registers, which no processor of this architecture has: there is no such value.
#[derive(Clone, Copy, Debug)]
pub enum Tiles {}

impl Tiles {
    /// Rows that are multiplied at once.
    pub const ROWS: usize = 16;

    /// Columns of a panel of the right operand.
    pub const COLUMNS: usize = 32;

    /// The length of sums is a multiple of this.
    pub const STEPS: usize = 64;

    /// Cannot be called.
    pub fn multiply(self, _left: &[u8], _right: &[i8], _sums: &mut [i32], _next: &[i8]) {
        match self {}
    }

    /// Cannot be called.
    #[must_use]
    pub fn spin(self, _rounds: usize) -> usize {
        match self {}
    }
}
