//! A routing ID is that of one function.

use crate::{
    config::{Config, VfPlaces},
    formal::{Method::*, Proof, steady},
    pcie::{
        identity::{Identity, places},
        routing::{RoutingIo, routing},
    },
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    [("compact", VfPlaces::Compact), ("slots", VfPlaces::Slots)]
        .map(|(name, vf_places)| {
            let config = Config { vfs: 62, vf_places, ..Config::small() };
            let claim = "two routing IDs find two functions, each the one that sends with this ID";
            let name = format!("isolation/routing_{name}");
            Proof::new(&name, claim, "64 functions", Induction(6), move || two_targets(&config))
        })
        .into()
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct TwoTargetsIo {
    #[ty(RoutingIo::ty(config))]
    one: RoutingIo,
    /// Bus, device and function of another request, and whether it is of type 1.
    #[input]
    target: U<16>,
    #[input]
    is_type_1: Bool,
}

/// Cycles from a target to its function.
const LATENCY: usize = 3;

/// Any two requests, any settings, as they stand still: two routing IDs never find the same function, and what is found
/// is the function that sends with that ID.
#[hdl]
pub fn two_targets(config: &Config) -> TwoTargetsIo {
    module("two_targets", TwoTargetsIo::ty(config), |io| {
        let outer = &io.one;
        let blocks =
            [(outer.target, outer.is_type_1), (io.target, io.is_type_1)].map(|(target, is_type_1)| {
                let block = routing(config);
                block.legacy.set(outer.legacy);
                block.legacy_functions.set(outer.legacy_functions);
                block.vf_enable.set(outer.vf_enable);
                block.vf_number.set(outer.vf_number);
                block.alternative_routing.set(outer.alternative_routing);
                block.bus.set(outer.bus);
                block.target.set(target);
                block.is_type_1.set(is_type_1);
                // The bus of a request of type 0 is that of this device, whatever it says.
                let own = cat([Bits::from(outer.bus), Bits::from(target).trunc(8)]);
                (block.found, is_type_1.mux(target.into(), own))
            });
        let [(one, one_id), (other, other_id)] = blocks;
        outer.found.set(one);

        let settings =
            [outer.legacy, outer.vf_enable, outer.alternative_routing, outer.is_type_1, io.is_type_1];
        steady(vector(settings));
        steady(cat([outer.legacy_functions.into(), Bits::from(outer.vf_number), outer.bus.into()]));
        steady(cat([Bits::from(outer.target), io.target.into()]));
        let number = Bits::from(outer.vf_number);
        assume(number.le(config.vfs), "there are no more virtual functions");
        let age = reg(bits(clog2(LATENCY + 1)));
        when(age.ne(LATENCY), || age.set(age + 1));
        let is_settled = age.eq(LATENCY);

        let both = is_settled & one.valid & other.valid;
        let differ = one_id.ne(other_id);
        assert(!(both & differ) | one.payload.ne(other.payload), "two routing IDs, two functions");
        let (first_vf, _) = places(config, number, outer.alternative_routing);
        let first_vf = outer.legacy.mux(lit(2, 16), first_vf).as_u();
        let identity = Identity { bus: outer.bus, first_vf };
        let is_own = Bits::from(identity.routing_id(config, one.payload)).eq(one_id);
        assert(!(is_settled & one.valid) | is_own, "who is found sends with this routing ID");
        let is_there = one.payload.zext(16).lt(number + 2);
        let is_virtual = one.payload.ge(2) & !outer.legacy;
        assert(
            !(is_settled & one.valid & is_virtual) | (outer.vf_enable & is_there),
            "only virtual functions that are there are found",
        );
        cover(both & differ & one.payload.ge(2) & other.payload.ge(2), "two virtual functions");
        cover(both & differ & outer.is_type_1 & !io.is_type_1, "one on the next bus");
        cover(both & differ & outer.legacy, "two functions of the legacy personality");
    })
}
