//! Which clients may have another tag.

use super::free_tags::SHORT_TAGS;
use hdl::*;

/// Tags that each client can have whatever the others do.
pub const OWN: usize = 4;

#[derive(Bundle, Clone)]
#[ty(clients: usize)]
pub struct SharesIo {
    /// A client that will take a tag; the next one comes four cycles later at least.
    #[input]
    #[ty(Valid::ty(bits(clog2(clients))))]
    pub picked: Valid<Bits>,
    /// A client that gives one back.
    #[input]
    #[ty(Valid::ty(bits(clog2(clients))))]
    pub freed: Valid<Bits>,
    /// All tags may be used, and not the first 32 only.
    #[input]
    pub extended_tags: Bool,
    #[output]
    #[ty(bits(clients))]
    pub allowed: Bits,
}

/// Counts the tags that clients hold. A client may have [`OWN`] tags, and more while the pieces that clients hold beyond
/// those leave the others theirs. So one alone gets all but 4 for each other client, and none can starve another.
#[hdl]
pub fn shares(clients: usize, tags: usize) -> SharesIo {
    module(format!("dma_read_shares_{clients}_{tags}"), SharesIo::ty(clients), |io| {
        let width = clog2(tags + 1);
        let held = reg(vec![bits(width); clients]);
        /// Those held beyond what is everyone's own.
        let shared = reg(bits(width));
        let has_shared = reg(flag());
        let pool = |tags: usize| lit(tags - OWN * clients, width);
        has_shared.set(shared.lt(io.extended_tags.mux(pool(tags), pool(SHORT_TAGS))));

        // Known late in their cycle, and early enough one later.
        let (picked, freed) = (delay(io.picked), delay(io.freed));
        let (mut up, mut down) = (vec![], vec![]);
        for (client, &held) in held.iter().enumerate() {
            let takes = picked.valid & picked.payload.eq(client);
            let gives = freed.valid & freed.payload.eq(client);
            when(takes & !gives, || held.set(held + 1)).elsewhen(gives & !takes, || held.set(held - 1));
            up.push(takes & !gives & held.ge(OWN));
            down.push(gives & !takes & held.gt(OWN));
            io.allowed.bit(client).set(delay(held.lt(OWN)) | has_shared);
        }
        let (up, down) = (any_of(up), any_of(down));
        when(up & !down, || shared.set(shared + 1)).elsewhen(down & !up, || shared.set(shared - 1));
    })
}
