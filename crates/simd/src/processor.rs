//! What the processor is, beside the instruction sets that it has.
#![allow(unsafe_code, reason = "asks the processor")]

use core::arch::x86_64::__cpuid;
use std::sync::OnceLock;

/// Whether this is a processor by Intel: leaf 0 of `cpuid` (Intel SDM, volume 2, `CPUID`). Asked once: in a
/// virtual machine the host answers, which takes its time.
pub(crate) fn is_intel() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        // SAFETY: every x86-64 processor has `cpuid`, and leaf 0 of it.
        #[allow(unused_unsafe, reason = "safe after the oldest supported Rust")]
        let leaf = unsafe { __cpuid(0) };
        let maker = [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes);
        maker.as_flattened() == b"GenuineIntel"
    })
}
