//! Tags that nobody uses.

use super::types::Freed;
use crate::prim::{self, encode, first_one, onehot_select};
use hdl::*;

/// Tags that may be used without Extended Tag Field Enable.
pub const SHORT_TAGS: usize = 32;

/// Tags that are searched at once.
const GROUP: usize = 8;

#[derive(Bundle, Clone)]
#[ty(clients: usize, tags: usize)]
pub struct FreeTagsIo {
    /// Tags that a completion may come for.
    #[input]
    #[ty(bits(tags))]
    pub waiting: Bits,
    /// A tag that is given back. It is free when it does not wait, too.
    #[input]
    #[ty(Valid::ty(Freed::ty(clients, tags)))]
    pub freed: Valid<Freed>,
    #[input]
    pub extended_tags: Bool,
    /// Tags to take.
    #[output]
    #[ty(Stream::ty(bits(clog2(tags))))]
    pub tag: Stream<Bits>,
}

/// What is looked for.
#[derive(HwEnum, Clone, Copy)]
enum State {
    /// A group with a free tag.
    Group,
    /// The free tags of it.
    Members,
    /// One of them.
    Tag,
}

/// Finds free tags, a tag in three cycles, and keeps two on hand.
///
/// ```text
///  taken, waiting ─► free ─► group ─► members ─► tag ─► FIFO ─► tag
///     ▲ ▲                                         │
///     │ └─────────────────────────────────────────┘
///   freed
/// ```
///
/// Groups of eight are taken in turn: a tag is not used again at once, which is kind to whoever reads a trace.
#[hdl]
pub fn free_tags(clients: usize, tags: usize) -> FreeTagsIo {
    module(format!("dma_read_free_tags_{tags}"), FreeTagsIo::ty(clients, tags), |io| {
        let taken = reg(bits(tags));
        let free = reg(bits(tags));
        let has_free = reg(bits(tags / GROUP));
        let state = reg_enum(State::Group);
        /// The group, one-hot, and by its number.
        let group = reg_without_reset(bits(tags / GROUP));
        let number = reg_without_reset(bits(clog2(tags / GROUP)));
        /// Its free tags.
        let members = reg_without_reset(bits(GROUP));

        let few = lit(u32::MAX, 32).zext(tags.max(33)).trunc(tags);
        free.set(!(taken | io.waiting) & io.extended_tags.mux(!few.zero(), few));
        let groups = free.chunks(GROUP);
        let turns = prim::round_robin(tags / GROUP);
        // A tag before it is taken may still count; then the group may have none.
        has_free.set(vector(groups.iter().map(|group| group.any())));
        turns.requests.set(has_free);
        turns.accept.set(state.is(State::Group));
        let found = prim::fifo(bits(clog2(tags)), 2);
        let one = first_one(members);
        found.enq.valid.set(state.is(State::Tag) & members.any());
        found.enq.payload.set(cat([number, encode(one)]));
        let takes = found.enq.fire();
        state.cases(|s| match s {
            State::Group => {
                group.set(turns.grant);
                number.set(turns.index);
                when(turns.any, || state.set(State::Members));
            }
            State::Members => {
                members.set(onehot_select(&groups, group));
                state.set(State::Tag);
            }
            State::Tag => {
                when(takes | !members.any(), || state.set(State::Group));
            }
        });

        // A tag that was found before fewer were allowed goes back.
        let tag = found.deq.payload;
        let is_beyond = match tags {
            SHORT_TAGS => false.to_bool(),
            _ => !io.extended_tags & tag.slice(clog2(SHORT_TAGS), clog2(tags) - clog2(SHORT_TAGS)).any(),
        };
        io.tag.valid.set(found.deq.valid & !is_beyond);
        io.tag.payload.set(tag);
        let goes_back = found.deq.valid & is_beyond & !io.freed.valid;
        found.deq.ready.set(io.tag.fire() | goes_back);

        let freed = io.freed.valid.mux(io.freed.payload.tag, tag);
        let frees = (io.freed.valid | goes_back).bits().repeat(tags) & prim::decode(freed, tags);
        let chosen = cat(group.to_bools().into_iter().rev().map(|group| group.bits().repeat(GROUP) & one));
        let takes = takes.bits().repeat(tags) & chosen;
        taken.set((taken | takes) & !frees);
    })
}
