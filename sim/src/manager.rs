//! A driver of the manager: what the adapter's owner sets and sees through the base address of function 1.
//!
//! docs/src/manager.md has the registers. The driver keeps nothing, so that a new one may be made for each use.

#[cfg(test)]
mod tests;

use crate::{
    ethernet::MacAddress,
    pcie::interface::Adapter,
    veb::{
        Policy, PortSet,
        policy::Change,
        statistics::{Count, Kind},
    },
};
use hdl::HwEnum;
use rtl::{
    manager::map::{base, of_function, own},
    register_map::{self, Position, Register, WORDS},
    veb::rows::{Operation, Outcome, Table},
    virtio::types::Cause,
};
use std::error::Error as StdError;
use thiserror::Error;

/// What can go wrong.
#[derive(Debug, Error)]
pub enum ManagerError<E: StdError + 'static> {
    #[error(transparent)]
    Adapter(#[from] E),
    #[error("the manager refuses to read {0:#06x}")]
    Refused(usize),
    #[error("the manager is busy for ever: {0}")]
    Busy(&'static str),
    #[error("the address table has no room for {address} in VLAN {vid}")]
    NoRoom { vid: u16, address: MacAddress },
}

/// What a function's device configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    pub mac: MacAddress,
    pub mtu: u16,
    /// In Mb/s; `u32::MAX` for unknown.
    pub speed: u32,
    /// 1 full, 0 half, 255 unknown.
    pub duplex: u8,
    pub link_up: bool,
    /// The driver is asked once to announce itself.
    pub announce: bool,
}

/// When interrupts are due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moderation {
    /// After so many buffers; 0 for any number.
    pub frames: u8,
    /// After so many microseconds at the latest.
    pub time: u16,
}

/// What has gone wrong with a function's queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Queues that broke, modulo 65536.
    pub count: u16,
    /// Of the last one; they mean nothing if none broke yet.
    pub slot: u8,
    pub cause: Cause,
}

/// A bit of the registers EVENTS and EVENT_ENABLE.
///
/// # Panics
/// If there is no event of this name.
pub const fn event(name: &str) -> u32 {
    1 << own("EVENTS").field(name).position.low
}

/// How often a register that says busy is read, with a pause each time.
const PATIENCE: usize = 2000;
/// Cycles of a pause.
const PAUSE: u64 = 16;

/// The manager of an adapter, whose registers are at a base address.
pub struct Manager<'a, A> {
    adapter: &'a mut A,
    base: u64,
}

type Result<T, A> = std::result::Result<T, ManagerError<<A as crate::pcie::interface::Configuration>::Error>>;

/// Everything fails where the adapter does, and with [`ManagerError::Refused`] where a read is refused. Nobody tells of a write
/// that is refused.
impl<'a, A: Adapter> Manager<'a, A> {
    /// `base` is where function 1 has its registers.
    pub fn new(adapter: &'a mut A, base: u64) -> Self {
        Self { adapter, base }
    }

    /// Reads the word at an offset.
    ///
    /// # Errors
    /// See above.
    pub fn read(&mut self, offset: usize) -> Result<u32, A> {
        let mut word = [0; 4];
        match self.adapter.read(self.base + offset as u64, &mut word)? {
            true => Ok(u32::from_le_bytes(word)),
            false => Err(ManagerError::Refused(offset)),
        }
    }

    /// Writes the word at an offset.
    ///
    /// # Errors
    /// See above.
    pub fn write(&mut self, offset: usize, data: u32) -> Result<(), A> {
        Ok(self.adapter.write(self.base + offset as u64, &data.to_le_bytes())?)
    }

    /// Waits until a bit of a register is 0, and returns the register.
    fn await_idle(&mut self, register: &'static Register) -> Result<u32, A> {
        let busy = 1 << register.field("busy").position.low;
        for _ in 0..PATIENCE {
            let word = self.read(register.offset)?;
            if word & busy == 0 {
                return Ok(word);
            }
            self.adapter.wait(PAUSE)?;
        }
        Err(ManagerError::Busy(register.name))
    }
}

/// The bridge.
impl<A: Adapter> Manager<'_, A> {
    /// Brings a bridge that was just reset to this policy. Wishes are the functions' own.
    ///
    /// # Errors
    /// [`ManagerError::NoRoom`] if an address finds no place.
    pub fn apply_policy(&mut self, policy: &Policy) -> Result<(), A> {
        policy.setup().iter().try_for_each(|change| self.must_change(change))
    }

    /// Leads from one policy to another.
    ///
    /// # Errors
    /// See [`Manager::apply_policy`].
    pub fn change_policy(&mut self, from: &Policy, to: &Policy) -> Result<(), A> {
        to.changes_from(from).iter().try_for_each(|change| self.must_change(change))
    }

    fn must_change(&mut self, change: &Change) -> Result<(), A> {
        match (self.change(change)?, change.key()) {
            (Outcome::NoRoom, Some((vid, address))) => Err(ManagerError::NoRoom { vid, address }),
            _ => Ok(()),
        }
    }

    /// Changes a row of the bridge's tables.
    ///
    /// # Errors
    /// [`ManagerError::Busy`] if the command does not end.
    pub fn change(&mut self, change: &Change) -> Result<Outcome, A> {
        self.command(change.operation, change.table, change.index, &change.data)
    }

    /// What a port has counted.
    ///
    /// # Errors
    /// See [`Manager::change`].
    pub fn count(&mut self, port: usize, kind: Kind) -> Result<Count, A> {
        self.command(Operation::Read, Table::Statistics, kind.index(port), &[])?;
        let row = self.row()?;
        let get = |field| register_map::field(Table::Statistics, field).get(&row) as u64;
        Ok(Count { frames: get("frames"), bytes: get("bytes") })
    }

    /// Runs a command and waits for its end.
    ///
    /// # Errors
    /// See [`Manager::change`].
    pub fn command(
        &mut self,
        operation: Operation,
        table: Table,
        index: usize,
        data: &[u32],
    ) -> Result<Outcome, A> {
        let offset = |name| register_map::register(name).offset;
        let status = register_map::register("STATUS");
        self.await_idle(status)?;
        self.write(offset("TABLE"), table as u32)?;
        self.write(offset("INDEX"), index as u32)?;
        for (word, value) in data.iter().enumerate() {
            self.write(offset("DATA0") + 4 * word, *value)?;
        }
        self.write(offset("COMMAND"), operation as u32)?;
        let outcome = status.field("outcome").position.get(&[self.await_idle(status)?]);
        Ok(variant(outcome))
    }

    /// The row that the last command has read.
    ///
    /// # Errors
    /// See [`Manager::read`].
    pub fn row(&mut self) -> Result<[u32; WORDS], A> {
        let mut row = [0; WORDS];
        for (word, value) in row.iter_mut().enumerate() {
            *value = self.read(register_map::register("DATA0").offset + 4 * word)?;
        }
        Ok(row)
    }
}

/// The variant of this number.
///
/// # Panics
/// If there is none.
fn variant<T: HwEnum>(number: u128) -> T {
    T::VARIANTS.iter().find(|variant| variant.2 == number).expect("the hardware knows its numbers").1
}

/// Functions. They are named by their numbers: 0 the physical one, virtual ones from 2 on.
impl<A: Adapter> Manager<'_, A> {
    fn offset(function: usize, register: &str) -> usize {
        base::FUNCTIONS + base::FUNCTION_STRIDE * function + of_function(register).offset
    }

    fn write_fields(&mut self, function: usize, register: &str, fields: &[(&str, u128)]) -> Result<(), A> {
        let mut word = [0];
        for (field, value) in fields {
            of_function(register).field(field).position.put(&mut word, *value);
        }
        self.write(Self::offset(function, register), word[0])
    }

    /// Sets what the function's device configuration says. It takes effect when the row has its turn: rows are 256 cycles apart.
    ///
    /// # Errors
    /// See [`Manager::write`].
    pub fn set_device(&mut self, function: usize, device: &Device) -> Result<(), A> {
        let mac = u128::from(device.mac.to_u64());
        self.write_fields(function, "MAC_LOW", &[("mac", mac & 0xffff_ffff)])?;
        self.write_fields(function, "MAC_HIGH", &[("mac", mac >> 32)])?;
        self.write_fields(function, "MTU", &[("mtu", device.mtu.into())])?;
        self.write_fields(function, "SPEED", &[("speed", device.speed.into())])?;
        let state = [
            ("link_up", device.link_up.into()),
            ("announce", device.announce.into()),
            ("duplex", device.duplex.into()),
        ];
        self.write_fields(function, "STATE", &state)
    }

    /// Whether the function may have addresses beside its own.
    ///
    /// # Errors
    /// See [`Manager::write`].
    pub fn set_may_address(&mut self, function: usize, may: bool) -> Result<(), A> {
        self.write_fields(function, "RIGHTS", &[("may_address", may.into())])
    }

    /// When the function's receive queues interrupt, and when the others do.
    ///
    /// # Errors
    /// See [`Manager::write`].
    pub fn set_moderation(
        &mut self,
        function: usize,
        receive: Moderation,
        transmit: Moderation,
    ) -> Result<(), A> {
        let rows = [("MODERATION_RECEIVE", receive), ("MODERATION_TRANSMIT", transmit)];
        rows.into_iter().try_for_each(|(register, Moderation { frames, time })| {
            self.write_fields(function, register, &[("frames", frames.into()), ("time", time.into())])
        })
    }

    /// Frames for the function that found no buffer, modulo 2^32.
    ///
    /// # Errors
    /// See [`Manager::read`].
    pub fn dropped(&mut self, function: usize) -> Result<u32, A> {
        self.read(Self::offset(function, "DROPPED"))
    }

    /// Begins to count them from 0.
    ///
    /// # Errors
    /// See [`Manager::write`].
    pub fn clear_dropped(&mut self, function: usize) -> Result<(), A> {
        self.write(Self::offset(function, "DROPPED"), 0)
    }

    /// Queues of the function that broke.
    ///
    /// # Errors
    /// See [`Manager::read`].
    pub fn faults(&mut self, function: usize) -> Result<Faults, A> {
        let word = [self.read(Self::offset(function, "FAULT"))?];
        let get = |field| of_function("FAULT").field(field).position.get(&word);
        Ok(Faults { count: get("count") as u16, slot: get("slot") as u8, cause: variant(get("cause")) })
    }
}

/// What has happened. Sets of functions have a bit for each.
impl<A: Adapter> Manager<'_, A> {
    fn pair(&mut self, low: &'static Register) -> Result<u64, A> {
        let high = self.read(low.offset + 4)?;
        Ok(u64::from(high) << 32 | u64::from(self.read(low.offset)?))
    }

    fn write_pair(&mut self, low: &'static Register, functions: u64) -> Result<(), A> {
        self.write(low.offset, functions as u32)?;
        self.write(low.offset + 4, (functions >> 32) as u32)
    }

    /// Functions with a driver.
    ///
    /// # Errors
    /// See [`Manager::read`].
    pub fn driver_ok(&mut self) -> Result<u64, A> {
        self.pair(own("DRIVER_OK0"))
    }

    /// Functions that were reset since that was acknowledged.
    ///
    /// # Errors
    /// See [`Manager::read`].
    pub fn was_reset(&mut self) -> Result<u64, A> {
        self.pair(own("WAS_RESET0"))
    }

    /// The resets of these functions are known.
    ///
    /// # Errors
    /// See [`Manager::write`].
    pub fn acknowledge_resets(&mut self, functions: u64) -> Result<(), A> {
        self.write_pair(own("WAS_RESET0"), functions)
    }

    /// Functions of which a queue broke since that was acknowledged.
    ///
    /// # Errors
    /// See [`Manager::read`].
    pub fn broken(&mut self) -> Result<u64, A> {
        self.pair(own("BROKEN0"))
    }

    /// The faults of these functions are known.
    ///
    /// # Errors
    /// See [`Manager::write`].
    pub fn acknowledge_broken(&mut self, functions: u64) -> Result<(), A> {
        self.write_pair(own("BROKEN0"), functions)
    }

    /// Bits of [`event`] that are set.
    ///
    /// # Errors
    /// See [`Manager::read`].
    pub fn events(&mut self) -> Result<u32, A> {
        self.read(own("EVENTS").offset)
    }

    /// Clears these. Do so before the cause is looked at, so that none is missed.
    ///
    /// # Errors
    /// See [`Manager::write`].
    pub fn acknowledge_events(&mut self, events: u32) -> Result<(), A> {
        self.write(own("EVENTS").offset, events)
    }

    /// Which of them interrupt, with vector 1.
    ///
    /// # Errors
    /// See [`Manager::write`].
    pub fn enable_events(&mut self, events: u32) -> Result<(), A> {
        self.write(own("EVENT_ENABLE").offset, events)
    }

    /// Wires whose link is up, a bit each.
    ///
    /// # Errors
    /// See [`Manager::read`].
    pub fn links(&mut self) -> Result<u32, A> {
        self.read(own("LINK").offset)
    }
}

/// Frames.
impl<A: Adapter> Manager<'_, A> {
    /// Sends a frame: by the rules of the bridge, or to `ports` past all of them. Waits until it has left.
    ///
    /// # Errors
    /// [`ManagerError::Busy`] if it does not leave.
    ///
    /// # Panics
    /// If it has no byte, or more than 1536.
    pub fn send(&mut self, frame: &[u8], ports: Option<PortSet>) -> Result<(), A> {
        assert!((1..=rtl::manager::FRAME).contains(&frame.len()), "a frame of {} bytes", frame.len());
        let status = own("SEND_STATUS");
        self.await_idle(status)?;
        for (word, bytes) in frame.chunks(4).enumerate() {
            let mut padded = [0; 4];
            padded[..bytes.len()].copy_from_slice(bytes);
            self.write(base::SEND_BUFFER + 4 * word, u32::from_le_bytes(padded))?;
        }
        let bits = ports.map_or(0, PortSet::bits);
        for (register, low) in [("SEND_PORTS0", 0), ("SEND_PORTS1", 32), ("SEND_PORTS2", 64)] {
            let mut word = [0];
            let Position { width, .. } = own(register).field("ports").position;
            own(register).field("ports").position.put(&mut word, bits >> low & ((1 << width) - 1));
            if register == "SEND_PORTS2" {
                own(register).field("forced").position.put(&mut word, ports.is_some().into());
            }
            self.write(own(register).offset, word[0])?;
        }
        self.write(own("SEND").offset, frame.len() as u32)?;
        self.await_idle(status)?;
        Ok(())
    }

    /// The frame that has come, and the port that it came in at; the next one can come then.
    ///
    /// # Errors
    /// See [`Manager::read`].
    pub fn receive(&mut self) -> Result<Option<(Vec<u8>, usize)>, A> {
        let received = own("RECEIVED");
        let word = [self.read(received.offset)?];
        let get = |field| received.field(field).position.get(&word) as usize;
        if get("kept") == 0 {
            return Ok(None);
        }
        let mut frame = vec![];
        while frame.len() < get("length") {
            frame.extend(self.read(base::RECEIVE_BUFFER + frame.len())?.to_le_bytes());
        }
        frame.truncate(get("length"));
        self.write(own("RELEASE").offset, 1)?;
        Ok(Some((frame, get("source"))))
    }

    /// Frames that were lost, modulo 2^32.
    ///
    /// # Errors
    /// See [`Manager::read`].
    pub fn lost(&mut self) -> Result<u32, A> {
        self.read(own("LOST").offset)
    }
}
