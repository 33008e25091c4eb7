//! Values of a scenario file, with their ranges and units.
//!
//! Each is read by a visitor of its own, as serde's untagged enums lose the places of what is wrong and give messages that
//! say nothing.

use std::fmt;
use std::marker::PhantomData;

use rtl::config::Config;
use serde::de::{
    Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor, value::MapAccessDeserializer,
};
use toml::Spanned;

use crate::clock::{Clock, SECOND};
use crate::traffic::{Pace, SinkRate, Size};

/// A value that is read from a text or a whole number.
pub trait Value: Sized {
    /// What is allowed, for messages.
    const ALLOWED: &'static str;

    /// The value of this text, if it has one.
    fn of_text(text: &str) -> Option<Self>;

    /// The value of this number, if it has one.
    fn of_number(_: i64) -> Option<Self> {
        None
    }
}

/// Reads a [`Value`].
fn read<'de, T: Value, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct ValueVisitor<T>(PhantomData<T>);

    impl<T: Value> Visitor<'_> for ValueVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(T::ALLOWED)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            T::of_text(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
            T::of_number(number).ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
        }
    }

    deserializer.deserialize_any(ValueVisitor(PhantomData))
}

/// A whole number of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<const LOW: i64, const HIGH: i64>(i64);

impl<const LOW: i64, const HIGH: i64> Number<LOW, HIGH> {
    /// The number, in a type that holds the whole range.
    pub fn get<T: TryFrom<i64>>(self) -> T {
        T::try_from(self.0).ok().expect("the range of the field fits its type")
    }
}

impl<'de, const LOW: i64, const HIGH: i64> Deserialize<'de> for Number<LOW, HIGH> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor<const LOW: i64, const HIGH: i64>;

        impl<const LOW: i64, const HIGH: i64> Visitor<'_> for NumberVisitor<LOW, HIGH> {
            type Value = Number<LOW, HIGH>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from {LOW} to {HIGH}")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                let in_range = (LOW..=HIGH).contains(&number);
                in_range
                    .then_some(Number(number))
                    .ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
            }
        }

        deserializer.deserialize_any(NumberVisitor)
    }
}

/// A VLAN that frames can belong to; 0 and 4095 are reserved (802.1Q, table 9-2).
pub type Vid = Number<1, 4094>;

/// A point in time or a span, since the tables are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    Picoseconds(u64),
    Cycles(u64),
}

impl Time {
    /// The first cycle at or after it.
    pub fn cycle(self, clock: Clock) -> u64 {
        match self {
            Time::Picoseconds(time) => clock.cycle_at(time),
            Time::Cycles(cycles) => cycles,
        }
    }
}

impl Value for Time {
    const ALLOWED: &'static str = "a time with its unit (ns, us, ms, s or cycles), such as \"10 us\"";

    fn of_text(text: &str) -> Option<Time> {
        let cycles = quantity(text, &[("cycles", 1)]).map(Time::Cycles);
        let units =
            [("ns", 1000), ("us", 1_000_000), ("µs", 1_000_000), ("ms", SECOND / 1000), ("s", SECOND)];
        cycles.or_else(|| quantity(text, &units).map(Time::Picoseconds))
    }
}

/// When a driver looks at its rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    Interrupts,
    Every(Time),
}

impl Value for Looks {
    const ALLOWED: &'static str = "\"interrupts\", or a time with its unit, such as \"2 us\"";

    fn of_text(text: &str) -> Option<Looks> {
        match text {
            "interrupts" => Some(Looks::Interrupts),
            _ => Time::of_text(text).map(Looks::Every),
        }
    }
}

/// Units of bandwidth, in bit/s.
const BANDWIDTHS: [(&str, u64); 3] = [("kb/s", 1000), ("Mb/s", 1_000_000), ("Gb/s", 1_000_000_000)];

/// A maximum rate in Mb/s; 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxRate(pub u16);

impl Value for MaxRate {
    const ALLOWED: &'static str = "whole Mb/s up to 40000, such as 500 or \"2.5 Gb/s\", or 0 for no maximum";

    fn of_text(text: &str) -> Option<MaxRate> {
        let rate = quantity(text, &BANDWIDTHS).filter(|rate| rate % 1_000_000 == 0)?;
        Self::of_number((rate / 1_000_000) as i64)
    }

    fn of_number(number: i64) -> Option<MaxRate> {
        u16::try_from(number).ok().filter(|&rate| rate <= crate::veb::policy::MAX_RATE).map(MaxRate)
    }
}

impl Value for Pace {
    const ALLOWED: &'static str = "\"max\", \"line\", \"recorded\", Mb/s, or a rate above 0 in kb/s, Mb/s, Gb/s or frames/s, such as \"1.5 Gb/s\"";

    fn of_text(text: &str) -> Option<Pace> {
        let frames = [("frames/s", 1), ("kframes/s", 1000), ("Mframes/s", 1_000_000)];
        match text {
            "max" => Some(Pace::Max),
            "line" => Some(Pace::WIRE),
            "recorded" => Some(Pace::Recorded),
            _ => match quantity(text, &frames) {
                Some(per_second) => (per_second > 0).then_some(Pace::Frames { per_second }),
                None => bandwidth(quantity(text, &BANDWIDTHS)?),
            },
        }
    }

    fn of_number(number: i64) -> Option<Pace> {
        bandwidth(u64::try_from(number).ok()?.checked_mul(1_000_000)?)
    }
}

fn bandwidth(per_second: u64) -> Option<Pace> {
    (per_second > 0).then_some(Pace::Bits { per_second, overhead: 0 })
}

impl Value for SinkRate {
    const ALLOWED: &'static str =
        "\"line\", Mb/s, or a rate above 0 in kb/s, Mb/s or Gb/s, such as \"10 Gb/s\"";

    fn of_text(text: &str) -> Option<SinkRate> {
        Pace::of_text(text).and_then(sink_rate)
    }

    fn of_number(number: i64) -> Option<SinkRate> {
        Pace::of_number(number).and_then(sink_rate)
    }
}

fn sink_rate(pace: Pace) -> Option<SinkRate> {
    match pace {
        Pace::Bits { per_second, overhead } => Some(SinkRate { per_second, overhead }),
        Pace::Max | Pace::Frames { .. } | Pace::Recorded => None,
    }
}

impl Value for Size {
    const ALLOWED: &'static str = "a number of bytes, a range such as \"60-1514\", or \"imix\"";

    fn of_text(text: &str) -> Option<Size> {
        if text == "imix" {
            return Some(Size::Imix);
        }
        let (low, high) = text.split_once('-')?;
        let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
        (low <= high).then_some(Size::Between(low, high))
    }

    fn of_number(number: i64) -> Option<Size> {
        usize::try_from(number).ok().map(Size::Fixed)
    }
}

/// Implements `Deserialize`, which coherence lets nobody do for all values at once.
macro_rules! readable {
    ($($value:ty),*) => {
        $(impl<'de> Deserialize<'de> for $value {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                read(deserializer)
            }
        })*
    };
}

readable!(Time, Looks, MaxRate, Pace, SinkRate, Size);

/// A decimal number that is not negative, and a unit: the whole number of the smallest unit next to it.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit.trim())?;
    let value = (number.parse::<f64>().ok()? * *scale as f64).round();
    (value < u64::MAX as f64).then_some(value as u64)
}

/// Ports by name: one text or a list. See [`super::names`].
#[derive(Clone, Debug)]
pub enum PortList {
    One(String),
    Several(Vec<Spanned<String>>),
}

impl<'de> Deserialize<'de> for PortList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PortListVisitor)
    }
}

struct PortListVisitor;

impl<'de> Visitor<'de> for PortListVisitor {
    type Value = PortList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port's name or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PortList, E> {
        Ok(PortList::One(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PortList, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = list.next_element()? {
            names.push(name);
        }
        Ok(PortList::Several(names))
    }
}

/// The value of a field of a row.
#[derive(Clone, Debug)]
pub enum FieldValue {
    Number(i64),
    Flag(bool),
    /// Ports, or another text.
    Ports(PortList),
}

impl<'de> Deserialize<'de> for FieldValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldValueVisitor;

        impl<'de> Visitor<'de> for FieldValueVisitor {
            type Value = FieldValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, true, false, a text, or a list of ports")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<FieldValue, E> {
                Ok(FieldValue::Flag(flag))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<FieldValue, E> {
                Ok(FieldValue::Number(number))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<FieldValue, E> {
                PortListVisitor.visit_str(text).map(FieldValue::Ports)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<FieldValue, A::Error> {
                PortListVisitor.visit_seq(list).map(FieldValue::Ports)
            }
        }

        deserializer.deserialize_any(FieldValueVisitor)
    }
}

/// A configuration: one by name, or one that differs from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChoice {
    pub like: String,
    pub different: ConfigParameters,
}

/// Parameters of a configuration that are not as in the named one.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigParameters {
    like: Option<String>,
    pub wires: Option<usize>,
    pub vfs: Option<usize>,
    pub bytes: Option<usize>,
    pub entries: Option<usize>,
    pub cells: Option<usize>,
    pub clock_khz: Option<usize>,
}

impl ConfigParameters {
    /// The configuration that differs so from `base`.
    pub fn apply(&self, base: Config) -> Config {
        if *self == ConfigParameters::default() {
            return base;
        }
        Config {
            name: "custom",
            wires: self.wires.unwrap_or(base.wires),
            vfs: self.vfs.unwrap_or(base.vfs),
            bytes: self.bytes.unwrap_or(base.bytes),
            entries: self.entries.unwrap_or(base.entries),
            cells: self.cells.unwrap_or(base.cells),
            clock_khz: self.clock_khz.unwrap_or(base.clock_khz),
            ..base
        }
    }
}

impl<'de> Deserialize<'de> for ConfigChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ConfigVisitor;

        impl<'de> Visitor<'de> for ConfigVisitor {
            type Value = ConfigChoice;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a configuration, or a table with `like` and what is different")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<ConfigChoice, E> {
                Ok(ConfigChoice { like: name.to_owned(), different: ConfigParameters::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ConfigChoice, A::Error> {
                let mut different = ConfigParameters::deserialize(MapAccessDeserializer::new(map))?;
                let like = different.like.take().ok_or_else(|| A::Error::missing_field("like"))?;
                Ok(ConfigChoice { like, different })
            }
        }

        deserializer.deserialize_any(ConfigVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let clock = Clock::of(&rtl::config::Config::small());
        let cycle = |text| Time::of_text(text).map(|time| time.cycle(clock));
        assert_eq!(["10us", "10 µs", "0.01 ms", "10000 ns"].map(cycle), [Some(1563); 4]);
        assert_eq!(cycle("7 cycles"), Some(7));
        assert_eq!(cycle("2 s"), Some(312_500_000));
        for text in
            ["", "10", "us", "-1 us", "1e3 us", "1.2.3 us", "10 m", "1 us 2", ".", "99999999999999999999 s"]
        {
            assert_eq!(cycle(text), None, "{text}");
        }
    }

    #[test]
    fn rates_have_units() {
        assert_eq!(MaxRate::of_text("2.5 Gb/s"), Some(MaxRate(2500)));
        assert_eq!(MaxRate::of_text("40Gb/s"), Some(MaxRate(40_000)));
        assert_eq!(MaxRate::of_number(0), Some(MaxRate(0)));
        assert_eq!(MaxRate::of_text("1.5 Mb/s"), None);
        assert_eq!(MaxRate::of_number(40_001).or(MaxRate::of_number(-1)), None);
        let bits = |per_second| Some(Pace::Bits { per_second, overhead: 0 });
        assert_eq!(Pace::of_text("1.5 Gb/s"), bits(1_500_000_000));
        assert_eq!(Pace::of_number(7), bits(7_000_000));
        assert_eq!(SinkRate::of_text("line"), Some(SinkRate { per_second: 10_000_000_000, overhead: 24 }));
        assert_eq!(["max", "recorded", "5 frames/s"].map(SinkRate::of_text), [None; 3]);
        assert_eq!(Pace::of_text("14.88 Mframes/s"), Some(Pace::Frames { per_second: 14_880_000 }));
        assert_eq!(["0 Mb/s", "0 frames/s", "fast", "5 Mbit"].map(Pace::of_text), [None; 4]);
    }

    #[test]
    fn sizes_are_numbers_ranges_or_the_mix() {
        assert_eq!(Size::of_number(60), Some(Size::Fixed(60)));
        assert_eq!(Size::of_text("60-1514"), Some(Size::Between(60, 1514)));
        assert_eq!(Size::of_text("imix"), Some(Size::Imix));
        assert_eq!(["61-60", "60", "60-", "IMIX"].map(Size::of_text), [None; 4]);
    }
}
