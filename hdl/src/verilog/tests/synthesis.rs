//! Memories become what they are meant to become.

use super::tools::Emitted;
use crate::*;
use std::path::Path;

#[derive(Bundle, Clone, Copy)]
#[ty(address: usize, width: usize)]
struct RamIo {
    #[input]
    write: Bool,
    #[input]
    #[ty(bits(address))]
    at: Bits,
    #[input]
    #[ty(bits(address))]
    from: Bits,
    #[input]
    #[ty(bits(width))]
    data: Bits,
    #[output]
    #[ty(bits(width))]
    word: Bits,
}

/// Cells of ECP5 with this name in the memory that `body` makes, if Yosys is installed.
fn cells(ty: RamIo, cell: &str, body: impl Fn(&RamIo)) -> Option<usize> {
    let design = elaborate(|| module("ram", ty, |io| body(io))).expect("a sound design").design;
    let emitted = Emitted::new(&design);
    let script = format!("read_verilog {}; synth_ecp5 -top ram; stat", emitted.files.join(" "));
    let printed = emitted.run(Path::new("yosys"), &["-p", &script])?;
    let statistics = printed.rsplit("Number of cells:").next().unwrap_or_default();
    let count = |line: &str| line.trim().strip_prefix(cell)?.trim().parse().ok();
    Some(statistics.lines().find_map(count).unwrap_or(0))
}

#[hdl]
fn block_ram(io: &RamIo, depth: usize) {
    let ram = mem(bits(io.data.width()), depth, Collision::Undefined);
    when(io.write, || ram.write(io.at, io.data));
    io.word.set(ram.read(io.from));
}

#[hdl]
fn distributed_ram(io: &RamIo, depth: usize) {
    let ram = mem(bits(io.data.width()), depth, Collision::Undefined);
    when(io.write, || ram.write(io.at, io.data));
    io.word.set(ram.peek(io.from));
}

#[test]
fn a_synchronous_memory_is_block_ram() {
    let found = cells(RamIo::ty(9, 64), "DP16KD", |io| block_ram(io, 512));
    assert!(found.is_none_or(|count| count == 2), "{found:?}");
}

#[test]
fn lanes_stay_in_block_ram() {
    #[hdl]
    fn lanes(io: &RamIo) {
        let ram = mem(bits(36), 512, Collision::Undefined);
        when(io.write, || ram.write_lanes(io.at, io.data, io.data.trunc(4)));
        io.word.set(ram.read(io.from));
    }
    let found = cells(RamIo::ty(9, 36), "DP16KD", lanes);
    assert!(found.is_none_or(|count| count == 1), "{found:?}");
}

#[test]
fn a_peeked_memory_is_distributed_ram() {
    let found = cells(RamIo::ty(4, 16), "TRELLIS_DPR16X4", |io| distributed_ram(io, 16));
    assert!(found.is_none_or(|count| count == 4), "{found:?}");
}
