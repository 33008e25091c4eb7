//! The data of the packet buffer, read with a tag put in, taken out or replaced.

use super::{
    types::{Edit, Tag},
    writer::DataWrite,
};
use crate::config::{CELL_BEATS, Config};
use hdl::*;

/// Bytes of a lane: those of a tag.
const LANE: usize = 4;

/// The lane of the frame where a tag is: behind the two addresses.
const TAG_LANE: usize = 3;

/// The byte behind the place of a tag.
pub const BODY: usize = (TAG_LANE + 1) * LANE;

/// A beat to read.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct BeatRead {
    #[ty(bits(config.cell_bits()))]
    pub cell: Bits,
    /// The cells of the frame before and behind it; without meaning at the frame's ends.
    #[ty(bits(config.cell_bits()))]
    pub previous: Bits,
    #[ty(bits(config.cell_bits()))]
    pub next: Bits,
    /// Of the beat in the cell.
    #[ty(bits(clog2(CELL_BEATS)))]
    pub position: Bits,
    /// The cell is the frame's first.
    pub begins: Bool,
    pub edit: Enum<Edit>,
    pub tag: Tag,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct FrameMemoryIo {
    #[input]
    #[ty(Valid::ty(DataWrite::ty(config)))]
    pub write: Valid<DataWrite>,
    /// Beats of a cell come in order; other cells' do not come between them.
    #[input]
    #[ty(Valid::ty(BeatRead::ty(config)))]
    pub read: Valid<BeatRead>,
    /// The beat as it leaves, three cycles after `read`.
    #[output]
    #[ty(bits(8 * config.bytes))]
    pub data: Bits,
}

/// The part of a frame in which a beat is, as far as that decides what is done to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// Before the beat with the place of a tag.
    Front,
    /// The beat with that place.
    Tag,
    /// The next beat.
    FirstBody,
    Body,
}

/// Where a lane of a beat that leaves comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Origin {
    Bank(usize),
    /// The last bank, as it was read for the beat before.
    Held,
    Tag,
}

/// How lanes are spread over banks.
#[derive(Clone, Copy)]
struct Layout {
    /// Lanes of a beat, which are also the banks.
    lanes: usize,
}

impl Layout {
    const PARTS: [Part; 4] = [Part::Front, Part::Tag, Part::FirstBody, Part::Body];
    const EDITS: [Edit; 4] = [Edit::Keep, Edit::Replace, Edit::Insert, Edit::Remove];

    fn tag_lane(self) -> usize {
        TAG_LANE % self.lanes
    }

    /// The bank of a lane. In the body the first lane goes where the tag's place is in the beat with the tag, so that
    /// whoever leaves the tag out can read the first lane of the next beat in its stead.
    fn bank(self, lane: usize, body: bool) -> usize {
        match lane {
            _ if !body => lane,
            0 => self.tag_lane(),
            _ if lane <= self.tag_lane() => lane - 1,
            _ => lane,
        }
    }

    /// The bank that is read one beat ahead when the tag is left out.
    fn ahead(self) -> usize {
        self.bank(0, true)
    }

    /// The bank that is read one beat behind when a tag is put in.
    fn behind(self) -> usize {
        self.bank(self.lanes - 1, true)
    }

    /// Where a lane of a leaving beat comes from.
    fn origin(self, lane: usize, part: Part, edit: Edit) -> Origin {
        let (last, tag_lane) = (self.lanes - 1, self.tag_lane());
        let body = matches!(part, Part::FirstBody | Part::Body);
        let moves = body || (part == Part::Tag && lane >= tag_lane);
        match edit {
            Edit::Replace | Edit::Insert if part == Part::Tag && lane == tag_lane => Origin::Tag,
            Edit::Insert if moves && lane > 0 => Origin::Bank(self.bank(lane - 1, body)),
            Edit::Insert if part == Part::FirstBody => Origin::Held,
            Edit::Insert if moves => Origin::Bank(self.behind()),
            Edit::Remove if moves && lane == last => Origin::Bank(self.ahead()),
            Edit::Remove if moves => Origin::Bank(self.bank(lane + 1, body)),
            _ => Origin::Bank(self.bank(lane, body)),
        }
    }
}

/// Holds the data of the packet buffer, and reads a beat of a frame in each cycle as it is to leave: as it came, with
/// four bytes more or less behind the addresses, or with four others there.
///
/// ```text
///                     ┌─► bank 0 ─┐
///  write ─► lanes ────┼─► ...     ├─► lanes ─► data
///  read ─► addresses ─┴─► bank n ─┘     ▲
///                              tag ─────┘
/// ```
///
/// Each lane of four bytes has a bank, a block RAM with an address of its own. With a tag more, all lanes behind it move
/// up by one, and the first of a beat is the last of the beat before; with a tag less, they move down, and the last of
/// a beat is the first of the beat behind. So one bank is read a beat behind or ahead of the others, in the neighbouring
/// cell if need be, and no beat costs a second cycle. In the body of a frame lanes are spread over the banks in another
/// order than in the beat with the tag's place, so that no two lanes of a leaving beat ever share a bank.
#[hdl]
pub fn frame_memory(config: &Config) -> FrameMemoryIo {
    let name = format!("veb_frame_memory_{}x{}", config.cells, 8 * config.bytes);
    module(name, FrameMemoryIo::ty(config), |io| {
        let layout = Layout { lanes: config.bytes / LANE };
        let lane_bits = 8 * LANE;
        let BeatRead { cell, previous, next, position, begins, edit, tag } = io.read.payload;

        // The addresses, a cycle later: the way to all RAMs is long.
        let here = cat([cell, position]);
        let ahead = cat([position.all().mux(next, cell), position + 1]);
        let behind = cat([position.any().mux(cell, previous), position - 1]);
        let tag_beat = TAG_LANE / layout.lanes;
        let read = delay(io.read.valid);
        let is_part = |part: Part| match part {
            Part::Front if tag_beat == 0 => false.to_bool(),
            Part::Front => begins & position.lt(tag_beat),
            Part::Tag => begins & position.eq(tag_beat),
            Part::FirstBody => begins & position.eq(tag_beat + 1),
            Part::Body => !begins | position.gt(tag_beat + 1),
        };
        let before_body = is_part(Part::Front) | is_part(Part::Tag);
        let before_tag = is_part(Part::Front);
        let addresses: Vec<Bits> = (0..layout.lanes)
            .map(|bank| {
                let address = reg_without_reset(here);
                address.set(here);
                if bank == layout.ahead() {
                    when(edit.is(Edit::Remove) & !before_tag, || address.set(ahead));
                } else if bank == layout.behind() {
                    when(edit.is(Edit::Insert) & !before_body, || address.set(behind));
                }
                address
            })
            .collect();

        // The banks.
        let DataWrite { address, data, body } = io.write.payload;
        let lanes = data.chunks(lane_bits);
        let mut words = vec![];
        for (number, &read_address) in addresses.iter().enumerate() {
            let bank = mem(bits(lane_bits), config.cells * CELL_BEATS, Collision::Undefined);
            let stored = |body: bool| {
                let lane = (0..layout.lanes).find(|&lane| layout.bank(lane, body) == number);
                lanes[lane.expect("each bank has a lane")]
            };
            when(io.write.valid, || bank.write(address, body.mux(stored(true), stored(false))));
            words.push(bank.read(read_address));
        }
        let held = reg_without_reset(bits(lane_bits));
        when(delay(read), || held.set(words[layout.lanes - 1]));

        // The lanes: for each, those that may be chosen, and when.
        let tag = delay_without_reset(delay_without_reset(tag)).bytes();
        let chosen = (0..layout.lanes).map(|lane| {
            let mut cases: Vec<(Origin, Bool)> = vec![];
            for part in Layout::PARTS {
                for edit_now in Layout::EDITS {
                    let origin = layout.origin(lane, part, edit_now);
                    let condition = is_part(part) & edit.is(edit_now);
                    match cases.iter_mut().find(|(known, _)| *known == origin) {
                        Some((_, known)) => *known = *known | condition,
                        None => cases.push((origin, condition)),
                    }
                }
            }
            let word = |origin: Origin| match origin {
                Origin::Bank(bank) => words[bank],
                Origin::Held => held,
                Origin::Tag => tag,
            };
            let choices = cases.iter().map(|&(origin, condition)| {
                let now = delay_without_reset(delay_without_reset(condition));
                word(origin) & now.bits().repeat(lane_bits)
            });
            choices.reduce(|all, choice| all | choice).expect("a lane comes from somewhere")
        });
        let mut leaving: Vec<Bits> = chosen.collect();
        leaving.reverse();
        io.data.set(delay_without_reset(cat(leaving)));
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// A frame in cells, as it came.
    struct Stored {
        cells: Vec<usize>,
        bytes: Vec<u8>,
    }

    /// What leaves: the bytes with the edit made.
    fn edited(bytes: &[u8], edit: Edit, tag: [u8; 4]) -> Vec<u8> {
        let (addresses, rest) = bytes.split_at(12);
        match edit {
            Edit::Keep => bytes.to_vec(),
            Edit::Replace => [addresses, &tag, &rest[4..]].concat(),
            Edit::Insert => [addresses, &tag, rest].concat(),
            Edit::Remove => [addresses, &rest[4..]].concat(),
        }
    }

    fn config(bytes: usize) -> Config {
        Config { bytes, cells: 64, ..Config::small() }
    }

    /// Frames of all lengths in scattered cells, each read with every edit, beats of one cell after another.
    #[test]
    fn frames_leave_with_their_edits() {
        for width in [8, 16, 32] {
            let config = config(width);
            let (mut bench, io) = Bench::new(|| frame_memory(&config), 1);
            for round in 0..120 {
                let stored = store(&mut bench, &io, &config, 18 + 3 * round);
                for edit in Layout::EDITS {
                    let tag: [u8; 4] = [bench.rng.u8(..), bench.rng.u8(..), 0x12, bench.rng.u8(..)];
                    let service = bench.rng.bool();
                    let tpid: u16 = if service { 0x88a8 } else { 0x8100 };
                    let tag = [(tpid >> 8) as u8, tpid as u8, tag[2], tag[3]];
                    let expected = edited(&stored.bytes, edit, tag);
                    let found = read(&mut bench, &io, &config, &stored, edit, tag, expected.len());
                    assert_eq!(found, expected, "{width} bytes wide, {} long, {edit:?}", stored.bytes.len());
                }
            }
        }
    }

    fn store(bench: &mut Bench, io: &FrameMemoryIo, config: &Config, length: usize) -> Stored {
        let bytes: Vec<u8> = (0..length).map(|_| bench.rng.u8(..)).collect();
        let mut cells: Vec<usize> = (0..config.cells).collect();
        bench.rng.shuffle(&mut cells);
        cells.truncate(length.div_ceil(config.cell_bytes()));
        for (number, beat) in bytes.chunks(config.bytes).enumerate() {
            let mut word = beat.to_vec();
            word.resize_with(config.bytes, || bench.rng.u8(..));
            let word: Word =
                Word::from_iter(word.iter().flat_map(|byte| (0..8).map(move |i| byte >> i & 1 == 1)));
            let address = cells[number / CELL_BEATS] * CELL_BEATS + number % CELL_BEATS;
            bench.sim.poke(io.write.valid, true);
            bench.sim.poke(io.write.payload.address, address as u128);
            bench.sim.poke_wide(&io.write.payload.data, &word);
            bench.sim.poke(io.write.payload.body, number * config.bytes >= 16);
            bench.sim.step();
        }
        bench.sim.poke(io.write.valid, false);
        Stored { cells, bytes }
    }

    fn read(
        bench: &mut Bench,
        io: &FrameMemoryIo,
        config: &Config,
        stored: &Stored,
        edit: Edit,
        tag: [u8; 4],
        length: usize,
    ) -> Vec<u8> {
        let beats = length.div_ceil(config.bytes);
        let mut found = vec![];
        let (mut asked, mut answers) = (0, vec![]);
        while found.len() < beats * config.bytes {
            // Now and then a cycle without a beat, in which anything may stand there.
            let go = asked < beats && bench.rng.u8(..4) > 0;
            let (cell, position) = (asked / CELL_BEATS, asked % CELL_BEATS);
            let anything = bench.rng.usize(..config.cells);
            let number = |cell: usize| stored.cells.get(cell).copied().unwrap_or(anything) as u128;
            bench.sim.poke(io.read.valid, go);
            let payload = &io.read.payload;
            bench.sim.poke(payload.cell, number(cell));
            bench.sim.poke(payload.previous, number(cell.wrapping_sub(1)));
            bench.sim.poke(payload.next, number(cell + 1));
            bench.sim.poke(payload.position, position as u128);
            bench.sim.poke(payload.begins, cell == 0);
            bench.sim.poke(payload.edit, edit);
            bench.sim.poke(payload.tag.service, tag[0] == 0x88);
            bench.sim.poke(payload.tag.pcp, u128::from(tag[2] >> 5));
            bench.sim.poke(payload.tag.dei, tag[2] >> 4 & 1 == 1);
            bench.sim.poke(payload.tag.vid, u128::from(tag[2] & 15) << 8 | u128::from(tag[3]));
            answers.push(go);
            if answers.len() > 3 && answers[answers.len() - 4] {
                let word = bench.sim.peek_wide(&io.data);
                found.extend(
                    word.chunks(8)
                        .map(|byte| byte.iter().by_vals().rev().fold(0, |all, bit| all << 1 | bit as u8)),
                );
            }
            bench.sim.step();
            asked += usize::from(go);
        }
        found.truncate(length);
        found
    }
}
