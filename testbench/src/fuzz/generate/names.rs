//! Names: mostly dull ones, now and then one that the language or the emitter might want for itself.

use super::Generator;

/// What the emitter calls things that have no name, what Verilog and C++ reserve, and clocks.
const WANTED: [&str; 24] = [
    "chosen",
    "condition",
    "t",
    "i",
    "check",
    "clk",
    "rst",
    "fast_clk",
    "slow_rst",
    "always",
    "reg",
    "signed",
    "begin",
    "delete",
    "class",
    "eq",
    "DenseFirst",
    "SparseFourth",
    "EDense",
    "memory",
    "batch",
    "Vmodel",
    "a__b",
    "_",
];

/// How the emitter and the language derive one name from another.
const ENDINGS: [&str; 16] = [
    "operand",
    "next",
    "shifted",
    "extended",
    "parity",
    "word",
    "contents",
    "chosen",
    "q",
    "1",
    "0",
    "3_1",
    "plus_1",
    "is_0",
    "read",
    "write_data",
];

impl Generator<'_> {
    /// `own`, or another name. It may be taken or reserved: an author does not have to know.
    pub fn name(&mut self, own: &str) -> String {
        let name = match self.random.below(20) {
            0 => self.random.pick(&WANTED).to_string(),
            1 => self.random.pick(&self.names).clone(),
            2 => {
                let prefix = *self.random.pick(&["unused", "not", "any", "all", "u"]);
                format!("{prefix}_{}", self.random.pick(&self.names))
            }
            3 | 4 => format!("{}_{}", self.random.pick(&self.names), self.random.pick(&ENDINGS)),
            5 => {
                let verb = *self.random.pick(&["plus", "minus", "and", "xor", "is", "below", "times", "at"]);
                format!("{}_{verb}_{}", self.random.pick(&self.names), self.random.pick(&self.names))
            }
            _ => own.to_string(),
        };
        self.names.push(name.clone());
        name
    }
}
