//! Mirror rules: copies of frames for a port that watches.

use crate::{config::Config, prim};
use hdl::*;

/// Rules of a bridge.
pub const RULES: usize = 2;

/// A row of the table MIRROR, under the names of its fields.
#[derive(Bundle, Clone, Copy)]
pub struct MirrorRule {
    pub enabled: Bool,
    /// Frames that leave; otherwise those that come in.
    pub egress: Bool,
    pub by_vid: Bool,
    /// A port, or a VID.
    pub key: U<12>,
    /// The port that gets the copies.
    pub target: U<7>,
}

/// A rule to write.
#[derive(Bundle, Clone, Copy)]
pub struct MirrorWrite {
    pub index: U<1>,
    pub rule: MirrorRule,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct MirrorIo {
    /// Where a frame came in, one-hot.
    #[input]
    #[ty(bits(config.ports()))]
    pub source: Bits,
    #[input]
    pub vid: U<12>,
    /// Where it goes without the rules.
    #[input]
    #[ty(bits(config.ports()))]
    pub destinations: Bits,
    /// Where else the rules send the frame that stood here two cycles ago. Some of them may be off, or its source.
    #[output]
    #[ty(bits(config.ports()))]
    pub targets: Bits,
    #[input]
    pub write: Valid<MirrorWrite>,
    #[output]
    #[ty(vec![MirrorRule::ty(); RULES])]
    pub rules: Vec<MirrorRule>,
}

/// Tries both rules on each frame. After reset both are off.
///
/// ```text
///  source, destinations ─► watched port ─┐
///  vid ─► watched VID ───────────────────┴─► matches ─► target ─► targets
/// ```
#[hdl]
pub fn mirror(config: &Config) -> MirrorIo {
    module(format!("veb_mirror_{}", config.ports()), MirrorIo::ty(config), |io| {
        let ports = config.ports();
        let rules = reg(vec![MirrorRule::ty(); RULES]);
        /// The port that a rule matches, and its target, one-hot.
        let watched = reg_without_reset(vec![bits(ports); RULES]);
        let target = reg_without_reset(vec![bits(ports); RULES]);
        let matches = reg_without_reset(vec![flag(); RULES]);
        let leaves = io.destinations.any();
        let write = io.write.payload;
        let mut targets = lit(0, ports);
        for index in 0..RULES {
            when(io.write.valid & write.index.eq(index), || {
                rules[index].set(write.rule);
                watched[index].set(prim::decode(write.rule.key.pack(), ports));
                target[index].set(prim::decode(write.rule.target.pack(), ports));
            });
            let rule = rules[index];
            let passes = rule.egress.mux(io.destinations, io.source);
            let has_vid = io.vid.eq(rule.key) & (leaves | !rule.egress);
            let matching = rule.by_vid.mux(has_vid, (passes & watched[index]).any());
            matches[index].set(rule.enabled & matching);
            targets = targets | target[index] & matches[index].bits().repeat(ports);
        }
        io.targets.set(delay_without_reset(targets));
        io.rules.set(rules);
    })
}
