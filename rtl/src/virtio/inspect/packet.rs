//! What a packet is, and whether it is right.

use super::{
    super::{
        LENGTH,
        sum::{SumBeat, sum},
    },
    align::PacketBeat,
    toeplitz::{WORDS, toeplitz},
};
use crate::prim;
use hdl::*;

/// What a frame's header says.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct Flow {
    /// Bytes behind the Ethernet header, with padding.
    pub body: U<LENGTH>,
    /// An unfragmented TCP or UDP packet with a checksum, and lengths that hold.
    pub checked: Bool,
    /// It has a header checksum as well.
    pub ipv4: Bool,
    /// It has a hash.
    pub hashed: Bool,
    /// The hash, or 0.
    pub hash: U<32>,
}

/// What the sums came to, if there is anything to add up.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct Sums {
    /// The checksum of TCP or UDP is right.
    pub segment: Bool,
    /// The checksum of the IPv4 header is right.
    pub header: Bool,
}

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(bytes: usize)]
pub struct PacketIo {
    #[input]
    #[ty(Valid::ty(PacketBeat::ty(bytes)))]
    pub input: Valid<PacketBeat>,
    /// One for each frame.
    #[output]
    pub flow: Valid<Flow>,
    /// One for each frame.
    #[output]
    pub sums: Valid<Sums>,
}

/// Fields of the IP header, as far as it has come.
#[derive(Bundle, Clone, Copy)]
struct Header {
    /// IPv4 with a header that holds itself and is within the packet.
    ipv4: Bool,
    ipv6: Bool,
    /// Not a fragment.
    unfragmented: Bool,
    #[ty(bits(8))]
    protocol: Bits,
    /// Words of 32 bits before what the packet carries.
    #[ty(bits(4))]
    words: Bits,
    /// Bytes that the packet carries behind its header.
    #[ty(bits(16))]
    payload: Bits,
    /// Bytes of the packet.
    #[ty(bits(17))]
    end: Bits,
}

/// Reads the headers of packets while they pass, and adds up what their checksums are for.
///
/// ```text
///  input ─► [header] ─► [places] ─┬─► the header's words ──► sum ─► sums
///                                 ├─► pseudo header, segment ─► sum ──┘
///                                 └─► [addresses, ports] ─► toeplitz ─► flow
/// ```
///
/// The pseudo header (RFC 9293, 3.1; RFC 8200, 8.1) is made out of the IP header where it stands: the addresses stay, the
/// length and the protocol come into place, the rest is 0. All places are even: a header is a number of words of 32 bits, and
/// so each beat is a number of them too, in which a field of a variable place has few places to stand.
///
/// # Timing
/// A beat in each cycle. `flow` comes five cycles after the last beat, `sums` two cycles and those of [`sum`] after it.
#[hdl]
pub fn packet(bytes: usize) -> PacketIo {
    require(matches!(bytes, 8 | 16 | 32), || format!("packets of beats of {bytes} bytes: 8, 16 or 32"));
    module(format!("virtio_inspect_packet_{bytes}"), PacketIo::ty(bytes), |io| {
        let groups = bytes / 4;
        let beat = io.input.payload;

        // The header, a cycle later than the beat that it comes with.
        let header = reg_without_reset(Header::ty());
        /// The place of the beat's first word of 32 bits in the packet; stays above 31.
        let place = reg_without_reset(bits(6));
        let here = io.input.valid & beat.inside;
        let lanes = beat.data.chunks(8);
        let field = |at: usize, count: usize| cat(lanes[at..at + count].to_vec());
        when(here, || {
            place.set(beat.first.mux(place.zero(), place.bit(5).mux(place, place + groups)));
        });
        when(here & beat.first, || {
            let (version, words) = (lanes[0].slice(4, 4), lanes[0].trunc(4));
            let length = beat.ipv4.mux(field(2, 2), field(4, 2)).zext(17);
            let before = beat.ipv4.mux(cat([words, lit(0, 2)]), lit(0, 6)).zext(17);
            let payload = length - before;
            header.ipv4.set(beat.ipv4 & version.eq(4) & words.ge(5) & !payload.bit(16));
            header.ipv6.set(beat.ipv6 & version.eq(6));
            header.unfragmented.set(beat.ipv6 | !field(6, 2).trunc(14).any());
            header.protocol.set(lanes[6]);
            header.words.set(beat.ipv4.mux(words, lit(10, 4)));
            header.payload.set(payload.trunc(16));
            header.end.set(length + beat.ipv4.mux(lit(0, 17), lit(40, 17)));
        });
        // The protocol of IPv4 is byte 9.
        let has_protocol = if bytes > 9 { beat.first } else { !beat.first & place.eq(0) };
        when(here & beat.ipv4 & has_protocol, || header.protocol.set(lanes[9 % bytes]));

        // Where the words of the beat stand, and what counts of them.
        let is_beat = delay(io.input.valid);
        let beat = delay_without_reset(beat);
        let here = is_beat & beat.inside;
        let places: Vec<Bits> = (0..groups)
            .map(|group| cat([place.slice(clog2(groups), 6 - clog2(groups)), lit(group, clog2(groups))]))
            .collect();
        let start = header.words.zext(6);
        let is_ports = delay_without_reset(vector(places.iter().map(|place| place.eq(start))));
        let is_second = delay_without_reset(vector(places.iter().map(|place| place.eq(start + 1))));
        let keeps = delay_without_reset(vector(places.iter().map(|place| {
            let is_address = place.eq(3) | place.eq(4) | (header.ipv6 & place.ge(2));
            is_address | place.ge(start)
        })));
        let segment_to = lanes_before(header.end, here, &beat, bytes);
        let header_to = lanes_before(cat([header.words, lit(0, 2)]), here, &beat, bytes);
        let is_tcp = delay_without_reset(header.unfragmented & header.protocol.eq(6));
        let is_udp = delay_without_reset(header.unfragmented & header.protocol.eq(17));
        let holds_tcp = delay_without_reset(header.payload.ge(20));
        let holds_udp = delay_without_reset(header.payload.ge(8));
        let fits = delay_without_reset(header.end.le(beat.room.zext(17)) & beat.inside);

        let is_beat = delay(is_beat);
        let here = delay(here);
        let beat = delay_without_reset(beat);
        let place = delay_without_reset(place);
        let header = delay_without_reset(header);
        let words = beat.data.chunks(32);
        let has_segment = (is_tcp & holds_tcp) | (is_udp & holds_udp);

        // The sums.
        let pseudo = pseudo_header(&beat, &header, place, keeps);
        let [segment, whole] = [(pseudo, segment_to), (beat.data, header_to)].map(|(data, to)| {
            let sum = sum(bytes);
            sum.input.valid.set(is_beat);
            sum.input.payload.set(SumBeat { data, from: to.zero(), to, last: beat.last });
            sum.output
        });
        // Ones' complement: a sum with its own complement in it is all ones.
        let is_right = |sum: U<16>| Bits::from(sum).all();
        io.sums.valid.set(segment.valid);
        io.sums.payload.set(Sums { segment: is_right(segment.payload), header: is_right(whole.payload) });

        // Addresses and ports, as they are hashed.
        let big_endian = |word: Bits| cat(word.chunks(8));
        let words: Vec<Bits> = words.into_iter().map(big_endian).collect();
        let is_at = |at: usize| here & place.eq(at / groups * groups);
        let toeplitz = toeplitz();
        let tuple: Vec<Bits> = (0..WORDS).map(|_| reg_without_reset(bits(32))).collect();
        toeplitz.words.iter().zip(&tuple).for_each(|(input, word)| input.set(*word));
        let take = |condition: Bool, number: usize, at: usize| {
            when(condition & is_at(at), || tuple[number].set(words[at % groups]));
        };
        when(here & beat.first, || tuple.iter().for_each(|word| word.set(word.zero())));
        (0..2).for_each(|number| take(header.ipv4, number, number + 3));
        (0..8).for_each(|number| take(header.ipv6, number, number + 2));
        take(header.ipv6 & has_segment, 8, 10);
        when(here & header.ipv4 & has_segment & is_ports.any(), || {
            tuple[2].set(prim::onehot_select(&words, is_ports));
        });
        /// Length and checksum of UDP.
        let second = reg_without_reset(bits(32));
        when(here & is_second.any(), || second.set(prim::onehot_select(&words, is_second)));

        // All of the frame has come.
        let is_ip = delay_without_reset(fits & (header.ipv4 | header.ipv6));
        let has_segment = delay_without_reset(has_segment);
        let is_tcp = delay_without_reset(is_tcp);
        let header = delay_without_reset(header);
        let has_length = second.slice(16, 16).eq(header.payload);
        let checked = is_ip & has_segment & (is_tcp | (has_length & second.trunc(16).any()));
        let twice = |flag: Bool| delay_without_reset(delay_without_reset(flag));
        let hashed = twice(is_ip);
        let hash = Bits::from(toeplitz.hash);
        io.flow.valid.set(delay(delay(delay(is_beat & beat.last))));
        io.flow.payload.set(Flow {
            body: (0..3).fold(beat.room, |room, _| delay_without_reset(room)).as_u(),
            checked: twice(checked),
            ipv4: twice(header.ipv4),
            hashed,
            hash: hashed.mux(hash, hash.zero()).as_u(),
        });
    })
}

/// How many lanes of each beat lie in the first `total` bytes of its packet, a cycle later.
#[hdl]
fn lanes_before(total: Bits, here: Bool, beat: &PacketBeat, bytes: usize) -> Bits {
    let count_bits = clog2(bytes + 1);
    let width = total.width().max(count_bits);
    /// Bytes that are left for the next beat.
    let left = reg_without_reset(bits(width));
    let now = beat.first.mux(total.zext(width), left);
    let is_full = now.ge(bytes);
    when(here, || left.set(is_full.mux(now - bytes, left.zero())));
    let lanes = is_full.mux(lit(bytes, count_bits), now.trunc(count_bits));
    delay_without_reset(beat.inside.mux(lanes, lanes.zero()))
}

/// The beat with the pseudo header in place of the IP header; `keeps` has the words that stay as they are.
fn pseudo_header(beat: &PacketBeat, header: &Header, place: Bits, keeps: Bits) -> Bits {
    let groups = keeps.width();
    let mut lanes: Vec<Bits> = beat.data.chunks(8);
    let next_header = lanes[6];
    let protocol_lane = 9 % (4 * groups);
    let protocol = lanes[protocol_lane];
    for (lane, byte) in lanes.iter_mut().enumerate() {
        *byte = keeps.bit(lane / 4).mux(*byte, byte.zero());
    }
    let put = |lane: &mut Bits, condition: Bool, byte: Bits| *lane = *lane | condition.mux(byte, byte.zero());
    let length = [header.payload.slice(8, 8), header.payload.trunc(8)];
    for (at, byte) in length.into_iter().enumerate() {
        put(&mut lanes[2 + at], beat.first & header.ipv4, byte);
        put(&mut lanes[4 + at], beat.first & header.ipv6, byte);
    }
    put(&mut lanes[7], beat.first & header.ipv6, next_header);
    put(&mut lanes[protocol_lane], header.ipv4 & place.eq(9 / (4 * groups) * groups), protocol);
    cat(lanes.into_iter().rev())
}
