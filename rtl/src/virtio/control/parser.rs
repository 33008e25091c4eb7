//! What a command says.

use super::super::types::Mode;
use crate::{
    config::Config,
    prim,
    veb::{classifier::MULTICAST_ROWS, filters::VLAN_ROWS},
};
use hdl::*;

/// Addresses of a list that become entries of the bridge.
pub(super) const LISTED: usize = 3;

/// The commands (virtio 5.1.6.5).
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Promiscuous,
    AllMulticast,
    /// Lists of addresses.
    Table,
    Address,
    AddVlan,
    DeleteVlan,
    Announced,
    Pairs,
    /// None that there is.
    Other,
}

/// Classes, commands and bytes of data of all kinds but the last. Those of a table vary.
const KINDS: [(Kind, u16, usize); 8] = [
    (Kind::Promiscuous, 0x0000, 1),
    (Kind::AllMulticast, 0x0001, 1),
    (Kind::Table, 0x0100, 0),
    (Kind::Address, 0x0101, 6),
    (Kind::AddVlan, 0x0200, 2),
    (Kind::DeleteVlan, 0x0201, 2),
    (Kind::Announced, 0x0300, 0),
    (Kind::Pairs, 0x0400, 2),
];

/// An address, and which of its list it is, from 1 on.
#[derive(Bundle, Clone, Copy, Debug)]
pub(super) struct Listed {
    pub number: U<2>,
    pub mac: U<48>,
}

#[derive(Bundle, Clone, Copy, Debug)]
pub(super) struct ParserIo {
    /// Another command follows.
    #[input]
    pub restart: Bool,
    /// Of its function; stands still from its first byte on.
    #[input]
    pub mode: Mode,
    /// Not before the third cycle after `restart`.
    #[input]
    pub byte: Stream<U<8>>,
    /// The following are of the bytes that were taken four cycles ago or earlier.
    #[output]
    pub kind: Enum<Kind>,
    /// There was a class and a command.
    #[output]
    pub has_kind: Bool,
    /// It is a whole command that the driver may give.
    #[output]
    pub is_good: Bool,
    /// Its data: of a number.
    #[output]
    pub number: U<16>,
    /// Or an address.
    #[output]
    pub mac: U<48>,
    /// Unicast addresses of a table; more than [`LISTED`] count as so many.
    #[output]
    pub count: U<2>,
    /// There were more.
    #[output]
    pub overflows: Bool,
    /// Each of the first unicast addresses of a table.
    #[output]
    pub unicast: Valid<Listed>,
    /// The hash of each multicast address.
    #[output]
    #[ty(Valid::ty(bits(clog2(MULTICAST_ROWS))))]
    pub group: Valid<Bits>,
}

/// What the next bytes are.
#[derive(HwEnum, Clone, Copy)]
enum Expected {
    /// Class and command.
    Header,
    Data,
    /// How long a list is.
    Count,
    Address,
    Nothing,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    /// A byte is taken.
    Take,
    /// The bytes that were expected are there: what they say,
    Look,
    /// and what follows.
    Turn,
}

/// Reads commands byte by byte. Lists may be of any length: their addresses leave as they come.
///
/// ```text
///  byte ─► window of six bytes ─► kind, number, mac ─► unicast, group
///                 └─► expected ─► is_good
/// ```
///
/// # Timing
/// A byte in each cycle, and two more behind each field.
#[hdl]
pub(super) fn parser(config: &Config) -> ParserIo {
    module(format!("virtio_control_parser_{}", config.pairs), ParserIo::ty(), |io| {
        let state = reg_enum(State::Take);
        let expected = reg_enum(Expected::Header);
        /// Bytes that are missing of it.
        let missing = reg_init(lit(2, 3));
        /// The last six bytes, the latest in the upper bits.
        let window = reg_without_reset(bits(48));
        let kind = reg_enum(Kind::Other);
        let has_kind = reg(flag());
        let is_refused = reg(flag());
        /// Addresses that are missing of the list.
        let entries = reg_without_reset(bits(16));
        /// It is the list of groups.
        let is_multicast = reg(flag());
        let count = reg(bits(2));
        let overflows = reg(flag());

        io.byte.ready.set(state.is(State::Take));
        let is_expected = !expected.is(Expected::Nothing);
        let number = window.slice(32, 16);
        let mac = cat(window.chunks(8));
        io.kind.set(kind);
        io.has_kind.set(has_kind);
        io.is_good.set(!is_refused & !is_expected);
        io.number.set(number.as_u());
        io.mac.set(mac.as_u());
        io.count.set(count.as_u());
        io.overflows.set(overflows);

        let looks = state.is(State::Look) & expected.is(Expected::Address);
        let is_listed = !is_multicast & count.ne(LISTED);
        io.unicast.valid.set(delay(looks & is_listed));
        io.unicast.payload.set(delay_without_reset(Listed { number: (count + 1).as_u(), mac: mac.as_u() }));
        io.group.valid.set(delay(looks & is_multicast));
        io.group.payload.set(delay_without_reset(prim::xor_fold(mac, clog2(MULTICAST_ROWS))));

        // What the values come to.
        let header = cat([window.slice(32, 8), window.slice(40, 8)]);
        let is_group = window.bit(0);
        let byte_is_good = !window.slice(41, 7).any();
        let is_permitted = wire(flag());
        let value_is_good = wire(flag());
        let data_bytes = wire(bits(3));
        kind.cases(|is| {
            let Mode { control_receive, control_vlan, control_address, announce, multiqueue, .. } = io.mode;
            is_permitted.set(match is {
                Kind::Promiscuous | Kind::AllMulticast | Kind::Table => control_receive,
                Kind::Address => control_address,
                Kind::AddVlan | Kind::DeleteVlan => control_vlan,
                Kind::Announced => announce,
                Kind::Pairs => multiqueue,
                Kind::Other => false.to_bool(),
            });
            value_is_good.set(match is {
                Kind::Promiscuous | Kind::AllMulticast => byte_is_good,
                Kind::Address => !is_group,
                Kind::AddVlan | Kind::DeleteVlan => number.lt(VLAN_ROWS - 1),
                Kind::Pairs => number.any() & number.le(config.pairs),
                Kind::Table | Kind::Announced | Kind::Other => true.to_bool(),
            });
            let known = KINDS.iter().find(|(kind, ..)| *kind == is);
            data_bytes.set(known.map_or(0, |(_, _, bytes)| *bytes));
        });

        let expects = |what: Expected, bytes: usize| {
            expected.set(what);
            missing.set(bytes);
        };
        let next_entry = || {
            when(entries.any(), || expects(Expected::Address, 6))
                .elsewhen(is_multicast, || expects(Expected::Nothing, 0))
                .otherwise(|| {
                    is_multicast.set(true);
                    expects(Expected::Count, 4);
                });
        };
        state.cases(|at| match at {
            State::Take => {
                when(io.byte.valid, || {
                    // Nothing may follow a whole command.
                    when(!is_expected, || is_refused.set(true)).otherwise(|| {
                        window.set(cat([Bits::from(io.byte.payload), window.slice(8, 40)]));
                        missing.set(missing - 1);
                        when(missing.eq(1), || state.set(State::Look));
                    });
                });
            }
            State::Look => {
                state.set(State::Turn);
                expected.cases(|what| match what {
                    Expected::Header => {
                        has_kind.set(true);
                        for (kind_of_header, value, _) in KINDS {
                            when(header.eq(value), || kind.set(kind_of_header));
                        }
                    }
                    Expected::Count => {
                        entries.set(window.slice(16, 16));
                        // So many do not fit into a command.
                        when(window.slice(32, 16).any(), || is_refused.set(true));
                    }
                    Expected::Address => {
                        entries.set(entries - 1);
                        when(!is_multicast, || {
                            when(is_group, || is_refused.set(true));
                            when(is_listed, || count.set(count + 1)).otherwise(|| overflows.set(true));
                        });
                    }
                    Expected::Data | Expected::Nothing => {}
                });
            }
            State::Turn => {
                state.set(State::Take);
                expected.cases(|what| match what {
                    Expected::Header => {
                        when(!is_permitted, || is_refused.set(true));
                        missing.set(data_bytes);
                        when(kind.is(Kind::Table), || expects(Expected::Count, 4))
                            .elsewhen(data_bytes.any(), || expected.set(Expected::Data))
                            .otherwise(|| expected.set(Expected::Nothing));
                    }
                    Expected::Data => {
                        when(!value_is_good, || is_refused.set(true));
                        expected.set(Expected::Nothing);
                    }
                    Expected::Count | Expected::Address => next_entry(),
                    Expected::Nothing => {}
                });
            }
        });
        when(io.restart, || {
            expects(Expected::Header, 2);
            state.set(State::Take);
            kind.set(Kind::Other);
            has_kind.set(false);
            is_refused.set(false);
            is_multicast.set(false);
            count.set(0);
            overflows.set(false);
        });
    })
}
