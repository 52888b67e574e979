//! The configuration of tile registers, which every thread has of its own.

use core::arch::asm;
use std::cell::Cell;
use std::marker::PhantomData;

use super::{CONFIG, Tiles, tile_asm};

thread_local! {
    /// How many [`Configured`] this thread has.
    static HOLDERS: Cell<usize> = const { Cell::new(0) };
}

/// As long as it lives, the tile registers of this thread are configured.
///
/// Each product configures them for itself, which takes some hundred cycles. A caller that holds this
/// over many products saves that. Nothing but [`Tiles`] may change or release the registers of the
/// thread meanwhile: products count on what they are.
#[derive(Debug)]
#[must_use = "the registers are given back when it is dropped"]
pub struct Configured(PhantomData<*const ()>);

impl Tiles {
    /// Configures the tile registers of this thread, unless they are.
    pub fn configure(self) -> Configured {
        let holders = HOLDERS.get();
        if holders == 0 {
            // SAFETY: `self` proves that tiles can be used; the configuration is valid and 64 bytes.
            unsafe { tile_asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG,) };
        }
        HOLDERS.set(holders + 1);
        Configured(PhantomData)
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        let holders = HOLDERS.get() - 1;
        HOLDERS.set(holders);
        if holders == 0 {
            // SAFETY: whoever has made this has proved that tiles can be used, and no one on this thread
            // counts on them any more. Gives the registers back, which the system need not save then.
            unsafe { tile_asm!("tilerelease",) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_stay_until_the_last_holder_is_gone() {
        let Some(tiles) = Tiles::new() else { return };
        let product = || {
            let mut sums = [0; 512];
            tiles.multiply_bytes((&[2; 1024], 1024), &[3; 2048], (&mut sums, true), &[]);
            assert_eq!(sums, [384; 512]);
        };
        product();
        let (first, second) = (tiles.configure(), tiles.configure());
        product();
        drop(first);
        product();
        assert_eq!(HOLDERS.get(), 1);
        drop(second);
        assert_eq!(HOLDERS.get(), 0);
        product();
    }
}
