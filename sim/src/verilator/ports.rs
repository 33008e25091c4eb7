//! The ports of a Verilated class, read from its header and compared with the interface.
//!
//! Values go straight into the memory of the class, so a width that differs from the interface's would write past it.

use super::error::VerilatorError;
use hdl::interface::{Direction, Interface};
use std::collections::HashMap;

/// A port as the generated class declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    width: u32,
    direction: Direction,
}

/// A name of the Verilog as Verilator writes it in C++.
pub(super) fn member_name(name: &str) -> String {
    name.replace("__", "___05F")
}

/// Checks that the names are plain identifiers: the module's becomes a file name, all of them become C++.
pub(super) fn check_names(interface: &Interface) -> Result<(), VerilatorError> {
    let ports = interface.ports.iter().map(|port| &port.name);
    let signals = interface.domains.iter().flat_map(|domain| [&domain.clock, &domain.reset]).flatten();
    let plain = |name: &str| {
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    match [&interface.name].into_iter().chain(ports).chain(signals).find(|name| !plain(name)) {
        Some(name) => {
            let reason = format!("{name:?} is not an identifier");
            Err(VerilatorError::Mismatch { module: interface.name.clone(), reason })
        }
        None => Ok(()),
    }
}

/// Checks that the class in `header` has every port, clock and reset of the interface, and no input beside them.
pub(super) fn check(header: &str, interface: &Interface) -> Result<(), VerilatorError> {
    let mismatch = |reason: String| Err(VerilatorError::Mismatch { module: interface.name.clone(), reason });
    let mut members: HashMap<String, Member> = header.lines().filter_map(parse_member).collect();
    let ports = interface.ports.iter().map(|port| (&port.name, port.width, port.direction));
    let signals = interface.domains.iter().flat_map(|domain| [&domain.clock, &domain.reset]).flatten();
    for (name, width, direction) in ports.chain(signals.map(|name| (name, 1, Direction::Input))) {
        match members.remove(&member_name(name)) {
            None => return mismatch(format!("the interface has port `{name}`, the Verilog has not")),
            Some(found) if found != (Member { width, direction }) => {
                let of = |width, direction| match direction {
                    Direction::Input => format!("an input of {width} bits"),
                    Direction::Output => format!("an output of {width} bits"),
                };
                let (wanted, found) = (of(width, direction), of(found.width, found.direction));
                return mismatch(format!(
                    "port `{name}` is {wanted} in the interface and {found} in the Verilog"
                ));
            }
            Some(_) => {}
        }
    }
    let mut undriven: Vec<_> =
        members.iter().filter(|(_, m)| m.direction == Direction::Input).map(|(name, _)| name).collect();
    undriven.sort();
    match undriven.first() {
        Some(name) => {
            let name = name.replace(&member_name("__"), "__");
            mismatch(format!("the Verilog has input `{name}`, the interface has not"))
        }
        None => Ok(()),
    }
}

/// Reads a line such as `VL_IN8(&data,7,0);` or `VL_OUTW(&wide,99,0,4);`.
fn parse_member(line: &str) -> Option<(String, Member)> {
    let (kind, rest) = line.trim().split_once("(&")?;
    let (direction, size) = match (kind.strip_prefix("VL_IN"), kind.strip_prefix("VL_OUT")) {
        (Some(size), _) => (Direction::Input, size),
        (_, Some(size)) => (Direction::Output, size),
        _ => return None,
    };
    if !matches!(size, "8" | "16" | "" | "64" | "W") {
        return None;
    }
    let mut parts = rest.strip_suffix(");")?.split(',');
    let name = parts.next()?;
    let mut bit = || parts.next()?.parse::<u32>().ok();
    let (high, low) = (bit()?, bit()?);
    Some((name.to_owned(), Member { width: high.checked_sub(low)? + 1, direction }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdl::interface::{ClockDomain, Port};

    const HEADER: &str = "class Vmodel VL_NOT_FINAL : public VerilatedModel {\n    VL_IN8(&clk,0,0);\n    \
        VL_IN(&a___05Fb,16,0);\n    VL_OUTW(&wide,99,0,4);\n    VL_UNCOPYABLE(Vmodel);\n";

    fn interface(ports: &[(&str, u32, Direction)]) -> Interface {
        let port = |&(name, width, direction): &(&str, u32, Direction)| Port {
            name: name.into(),
            width,
            direction,
            doc: String::new(),
        };
        let clock = ClockDomain { clock: Some("clk".into()), reset: None };
        Interface { name: "m".into(), ports: ports.iter().map(port).collect(), domains: vec![clock] }
    }

    fn reason(ports: &[(&str, u32, Direction)]) -> String {
        check(HEADER, &interface(ports)).unwrap_err().to_string()
    }

    #[test]
    fn ports_of_the_class_and_of_the_interface_must_agree() {
        use Direction::{Input, Output};
        check(HEADER, &interface(&[("a__b", 17, Input), ("wide", 100, Output)])).unwrap();
        assert_eq!(
            reason(&[("a__b", 16, Input), ("wide", 100, Output)]),
            "Module `m`: port `a__b` is an input of 16 bits in the interface and an input of 17 bits in the Verilog"
        );
        assert!(reason(&[("a__b", 17, Output)]).contains("an output of 17 bits in the interface"));
        assert!(reason(&[("c", 1, Input)]).contains("has port `c`"));
        assert!(reason(&[("wide", 100, Output)]).contains("has input `a__b`, the interface has not"));
    }
}
