//! Bytes that are moved from lane to lane.

use hdl::*;

/// Its bytes moved up by `by` lanes; those from the upper end come in at lane 0. A power of two of lanes.
pub fn rotate_up(data: Bits, by: Bits) -> Bits {
    let lanes = data.chunks(8);
    let count = lanes.len();
    let rotated = (0..count).map(|lane| {
        let options: Vec<Bits> = (0..count).map(|up| lanes[(lane + count - up) % count]).collect();
        select(&options, by)
    });
    let rotated: Vec<Bits> = rotated.collect();
    cat(rotated.into_iter().rev())
}

/// The lowest `count` lanes of `low`, and those of `high` above them.
pub fn merge(low: Bits, high: Bits, count: Bits) -> Bits {
    let lanes = low.chunks(8).into_iter().zip(high.chunks(8)).enumerate();
    let merged: Vec<Bits> = lanes.map(|(lane, (low, high))| count.gt(lane).mux(low, high)).collect();
    cat(merged.into_iter().rev())
}
