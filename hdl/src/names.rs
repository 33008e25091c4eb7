//! Names: legal, unique in a module, and no reserved word of Verilog, SystemVerilog or C++.

use std::collections::HashMap;

/// Words that no emitted name may be. Those of C++ matter because Verilator turns port names into members.
const RESERVED: &str = "\
accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind bins \
binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config const \
constraint context continue cover covergroup coverpoint cross deassign default defparam design disable dist do edge \
else end endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface endmodule \
endpackage endprimitive endprogram endproperty endsequence endspecify endtable endtask enum event eventually expect \
export extends extern final first_match for force foreach forever fork forkjoin function generate genvar global \
highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies import incdir include initial inout input \
inside instance int integer interconnect interface intersect join join_any join_none large let liblist library local \
localparam logic longint macromodule matches medium modport module nand negedge nettype new nexttime nmos nor \
noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive priority program \
property protected pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase \
randsequence rcmos real realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1 \
s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal showcancelled signed small \
soft solve specify specparam static string strong strong0 strong1 struct super supply0 supply1 sync_accept_on \
sync_reject_on table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand \
trior trireg type typedef union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void \
wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor \
alignas alignof and_eq asm auto bitand bitor bool catch char char8_t char16_t char32_t compl concept consteval \
constexpr constinit const_cast co_await co_return co_yield decltype delete double dynamic_cast explicit false float \
friend goto inline long mutable namespace noexcept not_eq nullptr operator or_eq private public register \
reinterpret_cast requires short signed sizeof static_assert static_cast switch template thread_local throw true try \
typeid typename using volatile wchar_t xor_eq";

pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.split(' ').any(|word| word == name)
}

/// Whether `name` is a plain Verilog identifier.
pub(crate) fn is_legal(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A name like `base` that is not in `taken` yet, which it enters. A second user gets `suffix` behind it (a register
/// named like a port is its `_q`), then numbers.
pub(crate) fn unique(taken: &mut HashMap<String, usize>, base: &str, suffix: &str) -> String {
    let base = if is_reserved(base) { format!("{base}_") } else { base.to_string() };
    let suffixed = format!("{base}{suffix}");
    let mut name = if taken.contains_key(&base) { suffixed } else { base.clone() };
    while taken.contains_key(&name) {
        let count = taken.get_mut(&base).expect("the base was taken first");
        *count += 1;
        name = format!("{base}_{count}");
    }
    taken.insert(name.clone(), 0);
    name
}

/// `a_b`, or the one that is not empty.
pub(crate) fn join(a: &str, b: &str) -> String {
    match (a.is_empty(), b.is_empty()) {
        (true, _) => b.to_string(),
        (_, true) => a.to_string(),
        _ => format!("{a}_{b}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_not_reserved() {
        let mut taken = HashMap::new();
        let mut name = |base: &str, suffix: &str| unique(&mut taken, base, suffix);
        assert_eq!(name("count", ""), "count");
        assert_eq!(name("count", "_q"), "count_q");
        assert_eq!(name("count", "_q"), "count_1");
        assert_eq!(name("count", ""), "count_2");
        assert_eq!(name("count_2", ""), "count_2_1");
        assert_eq!(name("tagged", ""), "tagged_");
        assert_eq!(name("delete", ""), "delete_");
    }

    #[test]
    fn identifiers() {
        assert!(is_legal("a_1") && is_legal("_a"));
        assert!(!is_legal("1a") && !is_legal("") && !is_legal("a-b") && !is_legal("ä"));
    }
}
