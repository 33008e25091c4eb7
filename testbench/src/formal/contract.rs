//! The module around a design that is proven: reset, and the contract of the streams at its ports.

use hdl::{Direction, Interface, interface::Port};
use std::fmt::Write;

/// Name of the module.
pub const TOP: &str = "contract";

/// A stream at the ports of a design.
struct Handshake<'a> {
    name: &'a str,
    payload: Vec<&'a Port>,
    /// The design produces it.
    is_output: bool,
}

/// The Verilog of a module around the design: it resets it once, in the first cycle, lets its inputs be anything, and
/// assumes of each stream that comes in, asserts of each that goes out, that a beat stays until it has moved. Covers say
/// that each outgoing stream moves a beat.
///
/// # Errors
/// A design with another clock than the default one.
pub fn contract(interface: &Interface) -> Result<String, String> {
    let [domain] = &interface.domains[..] else {
        return Err(format!("{} has more than one clock", interface.name));
    };
    let mut text = format!("module {TOP} (\n    input wire clk");
    for port in &interface.ports {
        let direction = match port.direction {
            Direction::Input => "input wire",
            Direction::Output => "output wire",
        };
        let _ = write!(text, ",\n    {direction} [{}:0] {}", port.width - 1, port.name);
    }
    text += "\n);\n    reg started = 1'b0;\n    always @(posedge clk) started <= 1'b1;\n    wire rst = !started;\n\n";
    let clock = domain.clock.as_ref().map(|name| format!(".{name}(clk)"));
    let reset = domain.reset.as_ref().map(|name| format!(".{name}(rst)"));
    let ports = interface.ports.iter().map(|port| format!(".{0}({0})", port.name));
    let pins: Vec<String> = clock.into_iter().chain(reset).chain(ports).collect();
    let _ = writeln!(text, "    {} dut ({});", interface.name, pins.join(", "));
    for handshake in handshakes(&interface.ports) {
        text += &stability(&handshake);
    }
    Ok(text + "endmodule\n")
}

fn stability(handshake: &Handshake) -> String {
    let Handshake { name, payload, is_output } = handshake;
    let check = if *is_output { "assert" } else { "assume" };
    let width: u32 = payload.iter().map(|port| port.width).sum();
    let names: Vec<&str> = payload.iter().map(|port| port.name.as_str()).collect();
    let all = if names.is_empty() { "1'b0".into() } else { format!("{{{}}}", names.join(", ")) };
    let mut text = format!(
        "\n    reg stalled__{name} = 1'b0;\n    reg [{}:0] payload__{name};\n    \
         always @(posedge clk) begin\n        \
         stalled__{name} <= started && {name}_valid && !{name}_ready;\n        \
         payload__{name} <= {all};\n        \
         if (stalled__{name}) begin : stays__{name}\n            \
         {check} ({name}_valid && {all} == payload__{name});\n        end\n",
        width.max(1) - 1,
    );
    if *is_output {
        let _ = writeln!(text, "        moves__{name}: cover (started && {name}_valid && {name}_ready);");
    }
    text + "    end\n"
}

/// The streams at these ports: where there are a `valid` and a `ready` of one name in opposite directions.
fn handshakes(ports: &[Port]) -> Vec<Handshake<'_>> {
    let find = |name: String| ports.iter().find(|port| port.name == name);
    let streams = ports.iter().filter_map(|valid| {
        let name = valid.name.strip_suffix("_valid")?;
        let ready = find(format!("{name}_ready"))?;
        let prefix = format!("{name}_payload");
        let is_payload = |port: &&Port| port.name == prefix || port.name.starts_with(&format!("{prefix}_"));
        let payload = ports.iter().filter(is_payload).collect();
        (valid.direction != ready.direction).then_some(Handshake {
            name,
            payload,
            is_output: valid.direction == Direction::Output,
        })
    });
    streams.collect()
}

/// How many streams come in at these ports, and how many go out.
pub fn streams(ports: &[Port]) -> (usize, usize) {
    let found = handshakes(ports);
    let out = found.iter().filter(|handshake| handshake.is_output).count();
    (found.len() - out, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdl::{Stream, elaborate};
    use rtl::prim;

    #[test]
    fn streams_are_found_by_their_names() {
        let io = elaborate(|| prim::fifo(Stream::ty(hdl::bits(4)).payload, 4)).unwrap();
        let interface = io.design.interface();
        assert_eq!(streams(&interface.ports), (1, 1));
        let text = contract(&interface).unwrap();
        assert!(text.contains("assume (enq_valid && {enq_payload} == payload__enq)"), "{text}");
        assert!(text.contains("assert (deq_valid && {deq_payload} == payload__deq)"), "{text}");
    }
}
